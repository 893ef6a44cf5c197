"""The stand-in's state: messages, calls, acknowledgements and failures."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import replace

from tests.fakes.slack.values import (
    Ack,
    Call,
    Channel,
    HostedFile,
    Json,
    Message,
    Person,
    Reaction,
    ResponseUrl,
    Token,
    Trigger,
    Upload,
    View,
    Workspace,
)

Planned = tuple[int, Json | str, dict[str, str]]
"""Status, body (JSON or text) and headers of a planned answer."""


class State:
    """The state that all parts of the stand-in share."""

    def __init__(self) -> None:
        self.app_id, self.app_token = "A0FAKE", "xapp-fake-app-token"
        self.base_url = ""
        self.home = Workspace("T0FAKE", "Fake team", "U0BOT", "B0BOT")
        self.workspaces: list[Workspace] = [self.home]
        self.tokens: dict[str, Token] = {}
        self.give_token(self.home, "xoxb-fake-bot-token")
        self.people: dict[str, Person] = {"U0SOMEONE": Person("U0SOMEONE")}
        self.groups: dict[str, tuple[str, frozenset[str]]] = {}
        """User groups by id: the handle and the members."""
        self.calls: list[Call] = []
        self.acks: list[Ack] = []
        self.messages: list[Message] = []
        self.edits: list[tuple[Message, Message]] = []
        """Message before and after each edit, oldest first."""
        self.deleted: list[Message] = []
        self.reactions: list[Reaction] = []
        self.statuses: dict[tuple[str, str], str] = {}
        """Statuses that are shown now, by channel and thread."""
        self.failures: list[str] = []
        self.files: dict[str, HostedFile] = {}
        self.uploads: dict[str, Upload] = {}
        self.processing_looks = 0
        """How often files.info answers with a stub after an upload through the Web API."""
        self.views: dict[str, View] = {}
        self.stacks: defaultdict[str, list[View]] = defaultdict(list)
        """Open modals by user, the top one last."""
        self.homes: dict[str, View] = {}
        self.channels: dict[str, Channel] = {
            "C0GENERAL": Channel("C0GENERAL", "general", self.home, members=["U0SOMEONE"])
        }
        self.response_urls: dict[str, ResponseUrl] = {}
        self.triggers: dict[str, Trigger] = {}
        self.tickets: set[str] = set()
        self.planned: defaultdict[str, deque[Planned]] = defaultdict(deque)
        self.lost_answers: Counter[str] = Counter()
        """Number of calls, by method, that do the work but are answered with 503."""
        self.history_page = 999
        """Most messages that a page of a history has, whatever the app asks for."""
        self.silence_is_fine = False
        self.clock: Callable[[], float] = time.monotonic
        self.passed = 0.0
        self.changed = asyncio.Condition()
        self.cause: Callable[[Workspace, Json], object] = lambda _workspace, _event: None
        """Delivers an event that one of the app's calls caused."""
        self._numbers = itertools.count(1)
        self._started = int(time.time())

    @property
    def team(self) -> str:
        """Id of the first workspace."""
        return self.home.team

    @team.setter
    def team(self, team: str) -> None:
        self.home.team = team

    @property
    def bot_user(self) -> str:
        """The bot user in that workspace."""
        return self.home.bot_user

    @property
    def bot_id(self) -> str:
        """The bot id in that workspace."""
        return self.home.bot_id

    @property
    def bot_token(self) -> str:
        """The bot token of that workspace."""
        return self.home.bot_token

    @property
    def bot_users(self) -> frozenset[str]:
        """The bot users of all workspaces."""
        return frozenset(workspace.bot_user for workspace in self.workspaces)

    def now(self) -> float:
        """Return the time in seconds. Tests can advance it."""
        return self.clock() + self.passed

    def number(self) -> int:
        """Return a new number."""
        return next(self._numbers)

    def ts(self) -> str:
        """Return a new message time. Times are unique and increasing."""
        return f"{self._started}.{self.number():06d}"

    def fail(self, what: str) -> None:
        """Record something that the real Slack would have refused."""
        self.failures.append(what)

    def give_token(self, workspace: Workspace, value: str, *others: Workspace, expires_in: float = 0) -> Token:
        """Give a workspace a token, which replaces its earlier one."""
        expires_at = self.now() + expires_in if expires_in else None
        token = Token(value, (workspace, *others), expires_at)
        self.tokens[value] = token
        for one in token.workspaces:
            one.bot_token = value
        return token

    def workspace(self, team: str = "") -> Workspace:
        """Return a workspace by id, or the first."""
        if not team:
            return self.home
        return next(workspace for workspace in self.workspaces if workspace.team == team)

    def workspace_of(self, channel: str) -> Workspace:
        """Return the workspace of a conversation."""
        return self.channels[channel].workspace if channel in self.channels else self.home

    def person(self, user: str) -> Person:
        """Return a person. Unknown ids become plain members."""
        return self.people.setdefault(user, Person(user))

    def direct(self, user: str, workspace: Workspace) -> Channel:
        """Return the bot's direct conversation with a person, and open it if needed."""
        for channel in self.channels.values():
            if channel.kind == "im" and channel.workspace is workspace and user in channel.members:
                return channel
        # “D” and the person's id, so that it is recognisable in a failing test.
        channel = Channel(f"D{self.number()}{user}", "", workspace, "im", members=[user])
        self.channels[channel.id] = channel
        return channel

    def find(self, channel: str, ts: str) -> Message | None:
        """Return the current version of a message."""
        return next((m for m in self.messages if m.channel == channel and m.ts == ts), None)

    def new_trigger(self, user: str, workspace: Workspace, *, channel: str = "", view: str = "") -> str:
        """Return a trigger id, valid for 3 seconds and one modal."""
        identifier = f"{self.number()}.trigger"
        self.triggers[identifier] = Trigger(user, workspace, self.now(), channel, view)
        return identifier

    def new_response_url(self, channel: str, user: str, original: str = "", *, from_message: bool = False) -> str:
        """Return a response URL for 5 posts within 30 minutes."""
        identifier = f"{self.number()}"
        location = ResponseUrl(channel, user, self.now(), original=original, from_message=from_message)
        self.response_urls[identifier] = location
        return f"{self.base_url}commands/{identifier}"

    async def notify(self) -> None:
        """Wake everybody who waits for a change."""
        async with self.changed:
            self.changed.notify_all()

    async def post(self, message: Message) -> Message:
        """Store a message, and wake everybody who waits."""
        async with self.changed:
            self.messages.append(message)
            self.changed.notify_all()
        return message

    async def edit(self, message: Message, **changes: object) -> Message:
        """Replace a message by another version."""
        after = replace(message, **{"edited": True, **changes})  # type: ignore[arg-type]
        async with self.changed:
            self.messages[self.messages.index(message)] = after
            self.edits.append((message, after))
            self.changed.notify_all()
        return after

    async def remove(self, message: Message) -> None:
        """Delete a message."""
        async with self.changed:
            self.messages.remove(message)
            self.deleted.append(message)
            self.reactions = [r for r in self.reactions if (r.channel, r.ts) != (message.channel, message.ts)]
            self.changed.notify_all()

"""What the stand-in remembers: all that was said, called, acknowledged and done wrong."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """Something that people in Slack can see. ``to`` names the only reader of an ephemeral one."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread_ts: str = ""
    to: str = ""
    via: Literal["user", "chat.postMessage", "chat.postEphemeral", "response_url", "ack"] = "user"

    @property
    def everything(self) -> str:
        """All the text that the message shows, blocks included."""
        return "\n".join([self.text, *_texts(list(self.blocks))])


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for child in value.values() for text in _texts(child)]
    if isinstance(value, list):
        return [text for child in value for text in _texts(child)]
    return []


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Web API."""

    method: str
    args: Json
    token: str


@dataclass(frozen=True, slots=True)
class Ack:
    """One acknowledged envelope."""

    envelope_id: str
    kind: str
    seconds: float
    payload: Json


@dataclass(slots=True)
class HostedFile:
    """A file in Slack. ``stubs`` counts how often files.info still answers with ``stub`` before the whole."""

    id: str
    name: str
    content: bytes
    info: Json
    stub: Json | None = None
    stubs: int = 0
    redirect_to: str = ""
    refuses_token: bool = False
    downloads: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Channel:
    """A conversation; the bot hears and may post only where it is a member."""

    id: str
    name: str
    private: bool = False
    bot_is_member: bool = True


@dataclass(slots=True)
class ResponseUrl:
    """Where a command may be answered: 5 posts within 30 minutes."""

    channel: str
    user: str
    made_at: float
    posts: int = 0


class State:
    """Everything in one place, shared by the parts of the stand-in."""

    def __init__(self) -> None:
        self.team, self.bot_user, self.bot_id, self.app_id = "T0FAKE", "U0BOT", "B0BOT", "A0FAKE"
        self.bot_token, self.app_token = "xoxb-fake-bot-token", "xapp-fake-app-token"
        self.base_url = ""
        self.calls: list[Call] = []
        self.acks: list[Ack] = []
        self.messages: list[Message] = []
        self.failures: list[str] = []
        self.files: dict[str, HostedFile] = {}
        self.channels: dict[str, Channel] = {"C0GENERAL": Channel("C0GENERAL", "general")}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.tickets: set[str] = set()
        self.planned: defaultdict[str, deque[tuple[int, Json, dict[str, str]]]] = defaultdict(deque)
        self.changed = asyncio.Condition()
        self._numbers = itertools.count(1)
        self._started = int(time.time())

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def ts(self) -> str:
        """A message time, unique and rising, as Slack writes them."""
        return f"{self._started}.{self.number():06d}"

    def fail(self, what: str) -> None:
        """Note something that real Slack would not have taken."""
        self.failures.append(what)

    async def post(self, message: Message) -> Message:
        """Keep a message and wake those who wait for one."""
        async with self.changed:
            self.messages.append(message)
            self.changed.notify_all()
        return message

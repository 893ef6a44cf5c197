"""Parse events: shared images, mentions, and the opened Home tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.grammar import is_command, mention_command
from handlers.parsing.payloads.common import authorization, enterprise_of, kind_of, mapping, text, workspace_of
from handlers.parsing.payloads.files import SharedFile
from handlers.parsing.payloads.pictures import pictures_of, shared_images

_SHARE_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
"""Message subtypes that may contain new files. All others repeat, change or delete messages."""

_SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True)
class ImageShare:
    """A user's message with pictures: files that may be images, also of a message that it forwards.

    If the message asks the bot, previews of other files, image blocks and unfurled links are pictures too.
    ``mentioned``: the message mentions the bot. ``user_workspace``: the user's workspace, which may be another one in a
    shared channel, or empty if unknown.
    """

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    user: str
    ts: str
    thread_ts: str
    event_id: str
    text: str
    mentioned: bool
    files: tuple[SharedFile, ...]
    user_workspace: WorkspaceId

    @property
    def is_question(self) -> bool:
        """Whether the message asks the bot for an answer, whatever the channel's mode."""
        return self.mentioned or self.channel.startswith("D")

    @property
    def reply_to(self) -> str:
        """The thread for the answer."""
        return self.thread_ts or self.ts


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention or direct message without an image. ``user_workspace``: the user's workspace, or empty if unknown."""

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    user: str
    ts: str
    thread_ts: str
    event_id: str
    text: str
    user_workspace: WorkspaceId

    @property
    def reply_to(self) -> str:
        """The thread for the answer."""
        return self.thread_ts or self.ts

    def with_pictures(self, pictures: tuple[SharedFile, ...]) -> ImageShare:
        """Return the message as a share of pictures that its event lacked."""
        return ImageShare(
            self.workspace,
            self.enterprise,
            self.channel,
            self.kind,
            self.user,
            self.ts,
            self.thread_ts,
            self.event_id,
            self.text,
            mentioned=True,
            files=pictures,
            user_workspace=self.user_workspace,
        )


@dataclass(frozen=True, slots=True)
class HomeOpened:
    """A user opened the bot's Home tab."""

    workspace: WorkspaceId
    enterprise: str
    user: str
    event_id: str


def parse_share(body: Mapping[str, Any], bot_user: str = "") -> ImageShare | None:
    """Parse a share of files by a user. Return None for other events, such as edits and messages of bots."""
    event = mapping(body.get("event"))
    bots = _bot_users(body, bot_user)
    subtype = event.get("subtype")
    if event.get("type") == "message" and (not isinstance(subtype, str | None) or subtype not in _SHARE_SUBTYPES):
        return None
    found, files = _Message.of(body, event, bots), _pictures(event, bots)
    if found is None or not files:
        return None
    return ImageShare(
        found.workspace,
        found.enterprise,
        found.channel,
        found.kind,
        found.user,
        found.ts,
        text(event.get("thread_ts")),
        text(body.get("event_id")),
        text(event.get("text")),
        _is_mention(event, bots),
        files,
        _workspace_of_author(event),
    )


def parse_mention(body: Mapping[str, Any], bot_user: str = "") -> Mention | None:
    """Parse a mention or direct message without an image. Return None for other events. With an image it is a share."""
    event = mapping(body.get("event"))
    is_direct_message = event.get("type") == "message" and _is_direct(event) and not event.get("subtype")
    bots = _bot_users(body, bot_user)
    if not (is_direct_message or event.get("type") == "app_mention") or _pictures(event, bots):
        return None
    return _mention(body, event, bots)


def message_to_bot(body: Mapping[str, Any], bot_user: str = "", *, is_stored: bool = False) -> Mention | None:
    """Parse a new message that asks the bot: a direct one, or one that mentions it. It may have files.

    ``is_stored``: the body is from the inbox, so that this is known already.
    """
    event = mapping(body.get("event"))
    bots, subtype = _bot_users(body, bot_user), event.get("subtype")
    if event.get("type") == "message" and (not isinstance(subtype, str | None) or subtype not in _SHARE_SUBTYPES):
        return None
    if not (is_stored or _is_direct(event) or _is_mention(event, bots)):
        return None
    return _mention(body, event, bots)


def _is_direct(event: Mapping[str, Any]) -> bool:
    return event.get("channel_type") == "im" or text(event.get("channel")).startswith("D")


def _mention(body: Mapping[str, Any], event: Mapping[str, Any], bots: Sequence[str]) -> Mention | None:
    found = _Message.of(body, event, bots)
    if found is None:
        return None
    return Mention(
        found.workspace,
        found.enterprise,
        found.channel,
        found.kind,
        found.user,
        found.ts,
        text(event.get("thread_ts")),
        text(body.get("event_id")),
        text(event.get("text")),
        user_workspace=_workspace_of_author(event),
    )


def parse_home(body: Mapping[str, Any]) -> HomeOpened | None:
    """Parse the opening of the Home tab. Return None for the Messages tab."""
    event = mapping(body.get("event"))
    workspace, user = workspace_of(body), text(event.get("user"))
    if event.get("type") != "app_home_opened" or text(event.get("tab")) not in {"", "home"}:
        return None
    if not (workspace and user):
        return None
    return HomeOpened(workspace, enterprise_of(body), user, text(body.get("event_id")))


def _workspace_of_author(event: Mapping[str, Any]) -> WorkspaceId:
    return WorkspaceId(text(event.get("user_team")) or text(event.get("team")))


def _pictures(event: Mapping[str, Any], bots: Sequence[str]) -> tuple[SharedFile, ...]:
    """Return the pictures of a message: all that Slack shows if it asks about them, else only shared images."""
    asks_bot = _is_mention(event, bots) or text(event.get("channel")).startswith("D")
    # The link of a command is its argument, and Slack may have made a preview of it already.
    if asks_bot and not is_command(mention_command(text(event.get("text")), "")):
        return pictures_of(event, waits_for_previews=True)
    return shared_images(event)


@dataclass(frozen=True, slots=True)
class _Message:
    """The author and place of a user's new message."""

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    user: str
    ts: str

    @classmethod
    def of(cls, body: Mapping[str, Any], event: Mapping[str, Any], bots: Sequence[str]) -> _Message | None:
        """Parse an event. Return None if it isn't a new message by a user."""
        workspace, channel = workspace_of(body), text(event.get("channel"))
        user, ts = text(event.get("user")), text(event.get("ts"))
        if text(event.get("type")) not in {"message", "app_mention"} or not (workspace and channel and user and ts):
            return None
        if event.get("bot_id") or event.get("bot_profile") or user in {*bots, _SLACKBOT}:
            return None
        # Slack sends an event for a mention added by an edit. The message was handled before the edit.
        if event.get("hidden") or event.get("edited"):
            return None
        kind = kind_of(
            channel,
            channel_type=text(event.get("channel_type")),
            is_shared=body.get("is_ext_shared_channel") is True,
        )
        return cls(workspace, enterprise_of(body), channel, kind, user, ts)


def _bot_users(body: Mapping[str, Any], bot_user: str) -> tuple[str, ...]:
    """Return the user ids of the bot in this workspace."""
    installation = authorization(body)
    # If the app was installed with a user token, the authorisation contains that user's id.
    authorized_user = text(installation.get("user_id")) if installation.get("is_bot") is not False else ""
    return tuple(one for one in (bot_user, authorized_user) if one)


def _is_mention(event: Mapping[str, Any], bots: Sequence[str]) -> bool:
    content = text(event.get("text"))
    return event.get("type") == "app_mention" or any(f"<@{bot}>" in content or f"<@{bot}|" in content for bot in bots)

"""Events that people cause: images shared, the bot mentioned, its home opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import authorization, enterprise_of, items, kind_of, mapping, text, workspace_of
from handlers.parsing.payloads.files import SharedFile, parse_file

_SHARES = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of messages that may bring new files; all others repeat, change or delete."""

_SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True)
class ImageShare:
    """A person's message with files that may be images. ``mentioned``: it is addressed to the bot.

    ``user_workspace``: the person's own, which is another in a channel that organisations share; empty if it isn't
    said.
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
    def reply_to(self) -> str:
        """The thread that an answer belongs in."""
        return self.thread_ts or self.ts


@dataclass(frozen=True, slots=True)
class Mention:
    """The bot was spoken to, and no image was given. ``user_workspace``: the speaker's own; empty if it isn't said."""

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
        """The thread that an answer belongs in."""
        return self.thread_ts or self.ts


@dataclass(frozen=True, slots=True)
class HomeOpened:
    """Somebody looks at the bot's Home tab."""

    workspace: WorkspaceId
    enterprise: str
    user: str
    event_id: str


def parse_share(body: Mapping[str, Any], bot_user: str = "") -> ImageShare | None:
    """A share of files by a person; None for every other event, edits and bots' own included."""
    event = mapping(body.get("event"))
    bots = _bots(body, bot_user)
    subtype = event.get("subtype")
    if event.get("type") == "message" and (not isinstance(subtype, str | None) or subtype not in _SHARES):
        return None
    found, files = _Message.of(body, event, bots), images_of(event.get("files"))
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
        _workspace_of_speaker(event),
    )


def parse_mention(body: Mapping[str, Any], bot_user: str = "") -> Mention | None:
    """A mention of the bot, or a word to it directly, that brings no image; with one, it is a share."""
    event = mapping(body.get("event"))
    in_private = event.get("channel_type") == "im" or text(event.get("channel")).startswith("D")
    directly = event.get("type") == "message" and in_private and not event.get("subtype")
    if not (directly or event.get("type") == "app_mention") or images_of(event.get("files")):
        return None
    found = _Message.of(body, event, _bots(body, bot_user))
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
        user_workspace=_workspace_of_speaker(event),
    )


def parse_home(body: Mapping[str, Any]) -> HomeOpened | None:
    """The Home tab was opened; None for the tab with messages."""
    event = mapping(body.get("event"))
    workspace, user = workspace_of(body), text(event.get("user"))
    if event.get("type") != "app_home_opened" or text(event.get("tab")) not in {"", "home"}:
        return None
    if not (workspace and user):
        return None
    return HomeOpened(workspace, enterprise_of(body), user, text(body.get("event_id")))


def _workspace_of_speaker(event: Mapping[str, Any]) -> WorkspaceId:
    return WorkspaceId(text(event.get("user_team")) or text(event.get("team")))


def images_of(listed: object) -> tuple[SharedFile, ...]:
    """The files that may be images, each once."""
    files = [file for item in items(listed) if (file := parse_file(item))]
    return tuple({file.id: file for file in files if file.may_be_image}.values())


@dataclass(frozen=True, slots=True)
class _Message:
    """Who wrote where, in an event that is about a new message of a person."""

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    user: str
    ts: str

    @classmethod
    def of(cls, body: Mapping[str, Any], event: Mapping[str, Any], bots: Sequence[str]) -> _Message | None:
        """None if it is about anything else."""
        workspace, channel = workspace_of(body), text(event.get("channel"))
        user, ts = text(event.get("user")), text(event.get("ts"))
        if text(event.get("type")) not in {"message", "app_mention"} or not (workspace and channel and user and ts):
            return None
        if event.get("bot_id") or event.get("bot_profile") or user in {*bots, _SLACKBOT}:
            return None
        # A mention that was edited into a message comes as an event of its own; the message was answered before.
        if event.get("hidden") or event.get("edited"):
            return None
        kind = kind_of(
            channel,
            channel_type=text(event.get("channel_type")),
            is_shared=body.get("is_ext_shared_channel") is True,
        )
        return cls(workspace, enterprise_of(body), channel, kind, user, ts)


def _bots(body: Mapping[str, Any], bot_user: str) -> tuple[str, ...]:
    """Who we are in this workspace."""
    ours = authorization(body)
    # For an app that was installed with a person's token, the authorisation names the person.
    named = text(ours.get("user_id")) if ours.get("is_bot") is not False else ""
    return tuple(one for one in (bot_user, named) if one)


def _is_mention(event: Mapping[str, Any], bots: Sequence[str]) -> bool:
    said = text(event.get("text"))
    return event.get("type") == "app_mention" or any(f"<@{bot}>" in said or f"<@{bot}|" in said for bot in bots)

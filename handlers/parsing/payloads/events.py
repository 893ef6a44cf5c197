"""Parse events: shared images, mentions, and the opened Home tab."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.grammar import is_command, mention_command, unescape
from handlers.parsing.payloads.common import authorization, enterprise_of, kind_of, mapping, text, workspace_of
from handlers.parsing.payloads.files import SharedFile
from handlers.parsing.payloads.pictures import picture_links, pictures_of, shared_images, shared_pictures

_SHARE_SUBTYPES = frozenset({None, "file_share", "thread_broadcast"})
"""Message subtypes that may contain new files. All others repeat, change or delete messages."""

_SLACKBOT = "USLACKBOT"
_LINK = re.compile(r"<([^<>|]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True)
class ImageShare:
    """A user's message with pictures: files that may be images, image blocks, and links to pictures.

    These are also those of a message that it forwards. If the message asks the bot, previews of other files and of web
    pages are pictures too. ``text`` is without the links that are among the pictures, unless the message asks the bot.
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
    def has_only_links(self) -> bool:
        """Whether all pictures are links. Nobody waits for what became of a link that can't be opened."""
        return all(file.link for file in self.files)

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
    """Parse a share of pictures by a user. Return None for other events, such as edits and messages of bots."""
    event = mapping(body.get("event"))
    bots = _bot_users(body, bot_user)
    if event.get("type") == "message" and event.get("subtype") == "message_changed":
        message = _unfurled(event, bots)
        known = picture_links(mapping(event.get("previous_message"))).values()
        files = tuple(dict.fromkeys(one for one in picture_links(message).values() if one not in known))
    else:
        message, files = event, _pictures(event, bots)
    return _share(body, message, files, bots)


def _unfurled(event: Mapping[str, Any], bots: Sequence[str]) -> Mapping[str, Any]:
    """Return the message of which Slack shows links some time later; nothing if the change isn't that.

    A person's edit starts nothing. A message that asks the bot is read again by its own job.
    """
    before, after = mapping(event.get("previous_message")), mapping(event.get("message"))
    is_edit = before["text"] != after.get("text") if "text" in before else bool(after.get("edited"))
    message = {name: value for name, value in after.items() if name != "edited"}
    message |= {"type": "message", "channel": event.get("channel"), "channel_type": event.get("channel_type")}
    return {} if is_edit or _asks_bot(message, bots) else message


def _share(
    body: Mapping[str, Any], event: Mapping[str, Any], files: tuple[SharedFile, ...], bots: Sequence[str]
) -> ImageShare | None:
    """Return a message with these pictures, or None if it isn't a user's own message."""
    subtype = event.get("subtype")
    if event.get("type") == "message" and (not isinstance(subtype, str | None) or subtype not in _SHARE_SUBTYPES):
        return None
    found = _Message.of(body, event, bots) if files else None
    if found is None:
        return None
    content, links = text(event.get("text")), picture_links(event)
    return ImageShare(
        found.workspace,
        found.enterprise,
        found.channel,
        found.kind,
        found.user,
        found.ts,
        text(event.get("thread_ts")),
        text(body.get("event_id")),
        content if _asks_bot(event, bots) else _without_links(content, links),
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
    """Return the pictures of a message: all that Slack shows if it asks about them, else only what it shares."""
    if not _asks_bot(event, bots):
        return shared_pictures(event)
    # The link of a command is its argument, and Slack may have made a preview of it already.
    if is_command(mention_command(text(event.get("text")), "")):
        return shared_images(event)
    return pictures_of(event, waits_for_previews=True)


def _asks_bot(event: Mapping[str, Any], bots: Sequence[str]) -> bool:
    return _is_mention(event, bots) or text(event.get("channel")).startswith("D")


def _without_links(content: str, links: Collection[str]) -> str:
    """Return a message's text without the links to its pictures, which are no words about them."""
    if not links:
        return content
    return _LINK.sub(lambda found: "" if unescape(found[1]) in links else found[0], content).strip()


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

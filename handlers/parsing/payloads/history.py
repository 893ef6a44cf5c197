"""Parse messages that a channel's history has: those with pictures, as the shares that their events would have been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import text
from handlers.parsing.payloads.events import ImageShare, parse_share
from handlers.parsing.payloads.files import FileState

_TYPE_OF = {ChannelKind.PUBLIC: "channel", ChannelKind.PRIVATE: "group", ChannelKind.DIRECT: "mpim"}
_OF_CHANGES = ("edited", "hidden", "event_ts")
"""Fields by which events of changes are told from events of new messages."""


@dataclass(frozen=True, slots=True)
class PastPlace:
    """Where past messages are: the channel with its kind, and the bot's user there."""

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    bot_user: str = ""


def parse_past_share(message: Mapping[str, Any], place: PastPlace) -> ImageShare | None:
    """Return a message of a history as the share that its event was.

    Return None for messages without pictures, for those of bots, and for those that ask this bot: it adds nothing of
    these.
    """
    event = {name: value for name, value in message.items() if name not in _OF_CHANGES}
    event |= {"type": "message", "channel": place.channel, "channel_type": _TYPE_OF.get(place.kind, "channel")}
    body = {"team_id": place.workspace, "enterprise_id": place.enterprise, "event": event}
    share = parse_share(body | {"is_ext_shared_channel": place.kind is ChannelKind.SHARED}, place.bot_user)
    if share is None or share.is_question:
        return None
    files = tuple(file for file in share.files if file.state is not FileState.GONE)
    return replace(share, files=files) if files else None


def has_replies_after(message: Mapping[str, Any], oldest: str) -> bool:
    """Return whether a message began a thread with replies that are newer than ``oldest``."""
    if not message.get("reply_count") and not text(message.get("latest_reply")):
        return False
    latest = text(message.get("latest_reply"))
    return text(message.get("thread_ts")) in {"", text(message.get("ts"))} and (not latest or latest > oldest)

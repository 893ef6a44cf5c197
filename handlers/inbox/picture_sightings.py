"""Remembers where this process saw pictures that aren't in the inbox: of links, and in other apps' messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads import pictures_of
from handlers.parsing.payloads.common import mapping, text, workspace_of

CHANNELS = 10_000


@dataclass(slots=True)
class _Channel:
    """Timestamps: of the first message that was seen in a channel, and of the newest one with such a picture."""

    since: str
    newest: str = ""


class PictureSightings:
    """Saves calls of conversations.history, of which Slack allows some apps one a minute.

    Args:
        sees_all: Whether this process gets all deliveries, because there is no other one.

    """

    def __init__(self, *, sees_all: bool = False) -> None:
        self._sees_all = sees_all
        self._channels: LRUCache[tuple[WorkspaceId, str], _Channel] = LRUCache(CHANNELS)

    def note(self, body: Mapping[str, Any]) -> None:
        """Look at a delivered message, whoever wrote it, and at what Slack adds to it later."""
        event = mapping(body.get("event"))
        if not self._sees_all or event.get("type") != "message":
            return
        changed = event.get("subtype") == "message_changed"
        message = mapping(event.get("message")) if changed else event
        place, ts = (workspace_of(body), text(event.get("channel"))), text(message.get("ts"))
        if not ts:
            return
        known = self._channels.setdefault(place, _Channel(since=text(event.get("event_ts")) or ts))
        if pictures_of(message):
            known.newest = max(known.newest, ts)

    def may_be_newer(self, workspace: WorkspaceId, channel: str, ts: str) -> bool:
        """Return whether a channel may have a picture that is newer than the message with this timestamp."""
        known = self._channels.get((workspace, channel))
        return not self._sees_all or known is None or ts < known.since or known.newest > ts

"""Catches up after an outage: reads once what was posted in watched channels since the last event that was seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import LRUCache

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import NewHistoryImport, latest_to_read, message_at, time_of_message
from bot.storage.ports.storage import Storage
from handlers.parsing.payloads.common import mapping, text, workspace_of

log = logging.getLogger(__name__)

INTERVAL_S = 2.0
"""How often the times of events are written. A process that is killed reads so much again, which adds nothing twice."""

CHANNELS = 10_000


class SeenEvents:
    """Notes the time of the newest event of each channel, and writes them to the storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._new: LRUCache[tuple[WorkspaceId, str], str] = LRUCache(CHANNELS)

    def note(self, body: Mapping[str, Any]) -> None:
        """Note the time of a delivered event of a channel."""
        event = mapping(body.get("event"))
        moment = text(event.get("event_ts")) or text(event.get("ts"))
        place = (workspace_of(body), text(event.get("channel")))
        if event.get("type") == "message" and all(place) and time_of_message(moment):
            self._new[place] = max(self._new.get(place, ""), moment)

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Write the times until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            await self.write()

    async def write(self) -> None:
        """Write the times that were noted since. Raises BackendError."""
        seen = dict(self._new)
        if seen:
            await self._storage.history.record_seen(seen)
            for place, moment in seen.items():
                if self._new.get(place) == moment:
                    del self._new[place]


class CatchUp:
    """Begins the reading of what was missed.

    Args:
        storage: The imports, and the times of the last events.
        max_hours: How far back it reads; 0 turns it off.
        max_messages: Messages that it reads in each channel.
        clock: Returns the time.

    """

    def __init__(
        self,
        storage: Storage,
        max_hours: int,
        max_messages: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._max_hours = max_hours
        self._max_messages = max_messages
        self._clock = clock

    async def begin(self) -> int:
        """Begin an import for each watched channel, and return how many. Call it before deliveries arrive.

        Raises BackendError.
        """
        begun = 0
        if not self._max_hours:
            return 0
        now = self._clock()
        bound = message_at((now - timedelta(hours=self._max_hours)).timestamp())
        for workspace, enterprise in await self._storage.catalogue.connected():
            for (_, channel), moment in (await self._storage.history.seen(workspace)).items():
                new = NewHistoryImport(
                    workspace=workspace,
                    enterprise=enterprise,
                    channel=channel,
                    is_catch_up=True,
                    oldest=max(moment, bound),
                    latest=latest_to_read(now),
                    max_messages=self._max_messages,
                )
                begun += await self._storage.history.start(new) is not None
        if begun:
            log.info("catching up: reading what was posted in %d channels since the last event", begun)
        return begun

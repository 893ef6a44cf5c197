"""Count what was asked of each database and found in it. Nothing of the asked pictures is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from bot.domain.channels.feedback import COUNTS_KEPT, UsageEvent, UsageOutcome, WeekCounts, monday_of
from bot.domain.errors import BackendError
from bot.domain.identifiers import DatabaseKey, DataId
from bot.services.search.search_result import SearchResult
from bot.storage.ports.feedback import UsageCounts

log = logging.getLogger(__name__)

WRITE_AFTER_S = 5.0
"""Counts wait for others, so that an answer waits for no write. A process that is killed loses that many seconds."""

MOST_WAITING = 10_000


class UsageCounter:
    """Counts answers and reposts, and writes the counts every few seconds."""

    def __init__(
        self,
        counts: UsageCounts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        write_after_s: float = WRITE_AFTER_S,
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._write_after_s = write_after_s
        self._waiting: list[UsageEvent] = []
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def answered(self, results: Iterable[SearchResult]) -> None:
        """Count answers, each in the databases that were searched."""
        for result in results:
            for part in result.parts or (result,):
                best = part.matches[0].match if part.matches else None
                found = UsageOutcome.SURE if best is not None and best.verdict.is_same_thing else UsageOutcome.FOUND
                outcome = UsageOutcome.NOTHING if best is None else found
                self._note(UsageEvent(part.database.key, outcome, best.data_id if best else None))

    def reposted(self, results: Iterable[SearchResult]) -> None:
        """Count reposts of the images that they repeat."""
        for result in results:
            if result.matches:
                self._note(UsageEvent(result.database.key, UsageOutcome.REPOST, result.matches[0].match.data_id))

    async def weeks(self, key: DatabaseKey, since: date) -> tuple[WeekCounts, ...]:
        """Return the counts of each week with any, oldest first. Raises UnknownDatabase."""
        return await self._counts.weeks(key, since)

    async def top(
        self, key: DatabaseKey, outcomes: Sequence[UsageOutcome], since: date, limit: int
    ) -> tuple[tuple[DataId, int], ...]:
        """Return the images with the highest counts, and these. Raises UnknownDatabase."""
        return await self._counts.top(key, outcomes, since, limit)

    async def write(self) -> None:
        """Write what was counted since the last time. A failure is logged: counts matter less than answers."""
        # One after another, so that the last one, at the end, waits for the others.
        async with self._writing:
            events, self._waiting = self._waiting, []
            if events:
                try:
                    await self._counts.add(events, monday_of(self._clock()))
                except BackendError as error:
                    log.warning("%d counts were lost: %s", len(events), error)

    async def purge(self) -> None:
        """Delete counts that are too old."""
        await self._counts.purge((self._clock() - COUNTS_KEPT).date())

    async def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        await self.write()

    def _note(self, event: UsageEvent) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(event)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._write_after_s)
            # A cancelled write would lose counts.
            await asyncio.shield(self.write())

"""The counter of answers loses nothing while it writes, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import cast

from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels.feedback import UsageEvent
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.feedback.usage import UsageCounter
from bot.services.search.search_result import SearchResult
from bot.storage.ports.feedback import UsageCounts
from tests.fakes.jobs import eventually

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
NOTHING = SearchResult(DatabaseInfo(KEY, 0, datetime(2026, 1, 1, tzinfo=UTC)), (), 0, 0.0)


class SlowCounts:
    """Writes that last until ``go`` is set."""

    def __init__(self) -> None:
        self.begun, self.written, self.go = 0, 0, asyncio.Event()

    async def add(self, events: Sequence[UsageEvent], week: date) -> None:
        """Write events."""
        self.begun += 1
        await self.go.wait()
        self.written += len(events)


async def test_what_comes_during_a_write_is_written_next() -> None:
    counts = SlowCounts()
    counter = UsageCounter(cast("UsageCounts", counts), write_after_s=0.001)
    counter.answered([NOTHING])
    await eventually(lambda: counts.begun == 1)
    counter.answered([NOTHING, NOTHING])
    counts.go.set()
    await eventually(lambda: counts.written == 3)
    await counter.close()


async def test_end_waits_for_a_write_under_way() -> None:
    counts = SlowCounts()
    counter = UsageCounter(cast("UsageCounts", counts), write_after_s=0.001)
    counter.answered([NOTHING])
    await eventually(lambda: counts.begun == 1)
    counter.answered([NOTHING])
    closing = asyncio.create_task(counter.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    counts.go.set()
    await closing
    assert counts.written == 2

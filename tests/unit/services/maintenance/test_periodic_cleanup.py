"""What is done by itself: images of a certain age go, work that is done goes, and a failure stops nothing."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import BackendDown
from bot.services.maintenance.periodic_cleanup import DONE_JOBS_KEPT, PeriodicMaintenance
from bot.services.maintenance.removal import ForgetService
from tests.fakes.inbox import MemoryInbox

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class RecordingForgetter(ForgetService):
    """Forgets nothing, and remembers what it was to forget."""

    def __init__(self, *errors: Exception) -> None:
        self.asked: list[datetime] = []
        self.errors = list(errors)

    async def older_than(self, moment: datetime) -> int:
        self.asked.append(moment)
        if self.errors:
            raise self.errors.pop(0)
        return 3


class RecordingInbox(MemoryInbox):
    """Remembers what was purged."""

    def __init__(self) -> None:
        super().__init__()
        self.purged: list[datetime] = []

    async def purge(self, before: datetime) -> int:
        self.purged.append(before)
        return await super().purge(before)


async def test_images_that_are_too_old_are_forgotten_and_work_long_done_as_well() -> None:
    forgetter, inbox, tidied = RecordingForgetter(), RecordingInbox(), list[bool]()

    async def tidy() -> None:
        # After what was forgotten, not before.
        tidied.append(bool(forgetter.asked))

    await PeriodicMaintenance(forgetter, inbox, 30, lambda: NOW, tidy).run_once()
    assert forgetter.asked == [NOW - timedelta(days=30)]
    assert inbox.purged == [NOW - DONE_JOBS_KEPT]
    assert tidied == [True]


async def test_without_a_retention_no_image_is_too_old() -> None:
    forgetter, inbox = RecordingForgetter(), RecordingInbox()
    await PeriodicMaintenance(forgetter, inbox, None, lambda: NOW).run_once()
    assert forgetter.asked == []
    assert inbox.purged == [NOW - DONE_JOBS_KEPT]


async def test_a_back_end_that_is_away_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    forgetter, inbox, done = RecordingForgetter(BackendDown("away")), RecordingInbox(), asyncio.Event()

    async def tidy() -> None:
        done.set()

    running = asyncio.create_task(PeriodicMaintenance(forgetter, inbox, 30, lambda: NOW, tidy).run(interval_s=0.001))
    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(forgetter.asked) >= 2
    assert [record.levelno for record in caplog.records if "tried again" in record.getMessage()] == [logging.ERROR]

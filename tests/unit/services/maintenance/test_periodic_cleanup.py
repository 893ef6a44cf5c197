"""Periodic clean-up: old images and finished jobs are removed, and a failure is retried."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import BackendDown
from bot.services.maintenance.periodic_cleanup import DONE_JOBS_KEPT, PeriodicMaintenance
from bot.services.maintenance.removal import RemovalService
from tests.fakes.inbox import MemoryInbox

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class RecordingRemoval(RemovalService):
    """Records the cut-off dates. Raises the given errors first."""

    def __init__(self, *errors: Exception) -> None:
        self.cutoffs: list[datetime] = []
        self.errors = list(errors)

    async def remove_older_than(self, moment: datetime) -> int:
        self.cutoffs.append(moment)
        if self.errors:
            raise self.errors.pop(0)
        return 3


class RecordingInbox(MemoryInbox):
    """Records the dates of purges."""

    def __init__(self) -> None:
        super().__init__()
        self.purged: list[datetime] = []

    async def purge(self, before: datetime) -> int:
        self.purged.append(before)
        return await super().purge(before)


async def test_old_images_and_finished_jobs_are_removed() -> None:
    removal, inbox, tidied = RecordingRemoval(), RecordingInbox(), list[bool]()

    async def tidy() -> None:
        # The back end is tidied after the removal.
        tidied.append(bool(removal.cutoffs))

    await PeriodicMaintenance(removal, inbox, 30, lambda: NOW, tidy).run_once()
    assert removal.cutoffs == [NOW - timedelta(days=30)]
    assert inbox.purged == [NOW - DONE_JOBS_KEPT]
    assert tidied == [True]


async def test_without_retention_no_image_is_removed() -> None:
    removal, inbox = RecordingRemoval(), RecordingInbox()
    await PeriodicMaintenance(removal, inbox, None, lambda: NOW).run_once()
    assert removal.cutoffs == []
    assert inbox.purged == [NOW - DONE_JOBS_KEPT]


async def test_failed_cleanup_is_logged_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    removal, inbox, done = RecordingRemoval(BackendDown("away")), RecordingInbox(), asyncio.Event()

    async def tidy() -> None:
        if len(removal.cutoffs) > 1:
            done.set()

    running = asyncio.create_task(PeriodicMaintenance(removal, inbox, 30, lambda: NOW, tidy).run(interval_s=0.001))
    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(removal.cutoffs) >= 2
    assert [record.levelno for record in caplog.records if "retrying later" in record.getMessage()] == [logging.ERROR]


@pytest.mark.parametrize("error", [BackendDown("away"), RuntimeError("a mistake of ours"), OSError("no space")])
async def test_failed_step_stops_neither_the_others_nor_the_task(error: Exception) -> None:
    removal, inbox, tidied, done = RecordingRemoval(error, error), RecordingInbox(), list[bool](), asyncio.Event()

    async def tidy() -> None:
        tidied.append(True)
        if len(tidied) < 3:
            raise error
        done.set()

    running = asyncio.create_task(PeriodicMaintenance(removal, inbox, 30, lambda: NOW, tidy).run(interval_s=0.001))
    async with asyncio.timeout(5):
        await done.wait()
    assert not running.done()
    running.cancel()
    assert len(removal.cutoffs) >= len(tidied) - 1
    assert len(inbox.purged) >= len(tidied) - 1

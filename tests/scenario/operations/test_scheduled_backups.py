"""Backups that the running bot makes at intervals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app.transfer.scheduled_backups import RETRY_S, ScheduledBackups
from bot.domain.errors import BackendError
from bot.storage.transfer.backup import BackupReport
from bot.storage.transfer.backup_format import MANIFEST
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import Start, fill

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _make_backup(target: Path) -> None:
    target.mkdir(parents=True)
    (target / MANIFEST).touch()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Backups:
    """Writes empty backups, or fails. Its clock is set by the test."""

    def __init__(self) -> None:
        self.now = NOON
        self.error: Exception | None = None
        self.earlier: list[str | None] = []
        self.times: list[datetime] = []

    async def write(self, target: Path, earlier: Path | None) -> BackupReport:
        if self.error:
            raise self.error
        self.earlier.append(earlier.name if earlier else None)
        _make_backup(target)
        return BackupReport(target, 1, 1, ())

    def backed_up(self, at: datetime) -> None:
        self.times.append(at)

    def scheduled(self, folder: Path, keep: int = 2) -> ScheduledBackups:
        day = timedelta(days=1)
        return ScheduledBackups(folder, day, keep, back_up=self.write, metrics=self, clock=lambda: self.now)


async def test_newest_backups_are_kept_and_shared_pictures_come_from_the_one_before(tmp_path: Path) -> None:
    backups = Backups()
    (tmp_path / "notes").mkdir()
    (tmp_path / ".vsearch-20261129T120000Z.partial").mkdir()
    scheduled = backups.scheduled(tmp_path)
    for _day in range(3):
        assert await scheduled.run_once() == 3600
        backups.now += timedelta(hours=1)
        assert await scheduled.run_once() == 3600
        backups.now += timedelta(hours=23)
    assert _names(tmp_path) == [
        "notes",
        *(f"vsearch-2026120{n}T120000Z" for n in (1, 2)),
    ]
    assert backups.earlier == [None, "vsearch-20261130T120000Z", "vsearch-20261201T120000Z"]
    assert backups.times[-1] == datetime(2026, 12, 2, 12, tzinfo=UTC)


async def test_restarted_bot_waits_until_the_next_backup_is_due(tmp_path: Path) -> None:
    backups = Backups()
    await backups.scheduled(tmp_path).run_once()
    backups.now += timedelta(hours=23, minutes=50)
    assert await backups.scheduled(tmp_path).run_once() == 600
    assert len(backups.earlier) == 1


@pytest.mark.parametrize("error", [BackendError("the disk failed"), OSError(28, "No space left on device")])
async def test_failed_backup_is_tried_again_and_deletes_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    backups = Backups()
    await backups.scheduled(tmp_path, keep=1).run_once()
    backups.now += timedelta(days=2)
    backups.error = error
    assert await backups.scheduled(tmp_path, keep=1).run_once() == RETRY_S
    assert "the scheduled backup failed" in caplog.text
    assert _names(tmp_path) == ["vsearch-20261130T120000Z"]


async def test_running_bot_makes_a_backup(start: Start, tmp_path: Path) -> None:
    app = await start(VSEARCH_BACKUP_DIR=str(tmp_path / "backups"))
    await fill(app, "parts", valve=encoded(photo(64, 48, seed=1), "PNG"))
    async with asyncio.timeout(20):
        while b"vsearch_backup_timestamp_seconds NaN" in app.metrics.render():  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.02)
    assert len(list((tmp_path / "backups").glob(f"vsearch-*/{MANIFEST}"))) == 1

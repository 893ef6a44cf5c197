"""Backups at intervals, beside the running bot."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from bot.app.transfer.backup import back_up
from bot.config.settings import Settings
from bot.domain.errors import BotError
from bot.storage.transfer.backup import PARTIAL, BackupReport, BackupUnderWay
from bot.storage.transfer.backup_format import MANIFEST
from bot.telemetry.supervision import supervised

log = logging.getLogger(__name__)

RETRY_S = 600.0
MAX_SLEEP_S = 3600.0
"""The clock may be set, and another process may make the backup that is due."""

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"vsearch-\d{8}T\d{6}Z", re.ASCII)

BackUp = Callable[[Path, Path | None], Awaitable[BackupReport]]
"""Writes a backup to a path; the second one is an earlier backup, or None."""


class BackupMetrics(Protocol):
    """Records when the newest backup was made."""

    def backed_up(self, at: datetime) -> None:
        """Set the time of the newest backup."""
        ...


class ScheduledBackups:
    """Keeps the newest ``keep`` backups in a folder, and makes one whenever the newest is older than ``every``."""

    def __init__(
        self,
        folder: Path,
        every: timedelta,
        keep: int,
        *,
        back_up: BackUp,
        metrics: BackupMetrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder, self._every, self._keep = folder, every, keep
        self._back_up, self._metrics, self._clock = back_up, metrics, clock

    async def run(self) -> None:
        """Make backups until cancelled."""
        while True:
            wait_s = await self.run_once()
            await asyncio.sleep(wait_s)

    async def run_once(self) -> float:
        """Make a backup if one is due, and delete those that are too many. Return the seconds until the next look."""
        try:
            known = await asyncio.to_thread(self._known)
            wait = self._until_due(known)
            if wait > 0:
                return min(wait, MAX_SLEEP_S)
            report = await self._back_up(
                self._folder / f"vsearch-{self._clock():{_STAMP}}", known[-1] if known else None
            )
            await asyncio.to_thread(self._delete_surplus)
        except BackupUnderWay as error:
            log.info("the scheduled backup waits: %s", error)
            return RETRY_S
        except (BotError, OSError) as error:
            log.error("the scheduled backup failed, and is tried again in %g s: %s", RETRY_S, error)  # noqa: TRY400
            return RETRY_S
        self._until_due([report.target])
        log.info("wrote the backup %s: %d pictures, %.1f MB", report.target, report.pictures, report.size / 1e6)
        if report.missing:
            log.warning("%d pictures are lost, so the backup lacks them", len(report.missing))
        return min(self._every.total_seconds(), MAX_SLEEP_S)

    def _until_due(self, known: list[Path]) -> float:
        if not known:
            return 0.0
        made_at = datetime.strptime(known[-1].name, f"vsearch-{_STAMP}").replace(tzinfo=UTC)
        self._metrics.backed_up(made_at)
        # A backup from the future, made before the clock was set, must not put off the next one for long.
        return min((made_at + self._every - self._clock()).total_seconds(), self._every.total_seconds())

    def _known(self) -> list[Path]:
        """Return the complete backups, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(
            path for path in self._folder.iterdir() if _NAME.fullmatch(path.name) and (path / MANIFEST).exists()
        )

    def _delete_surplus(self) -> None:
        for path in self._known()[: -self._keep]:
            # Under this name it doesn't look like a backup, however soon the process ends.
            path.rename(path.with_name(f".{path.name}{PARTIAL}"))
        for path in self._folder.glob(f".vsearch-*{PARTIAL}"):
            if _NAME.fullmatch(path.name.removeprefix(".").removesuffix(PARTIAL)):
                shutil.rmtree(path)


@asynccontextmanager
async def running_backups(settings: Settings, metrics: BackupMetrics) -> AsyncIterator[None]:
    """Make the backups that the settings ask for, until the context exits."""
    if settings.backup_dir is None:
        yield
        return

    async def back_up_now(target: Path, earlier: Path | None) -> BackupReport:
        return await back_up(settings, target, lambda _done, _total: None, earlier)

    every = timedelta(hours=settings.backup_every_h)
    backups = ScheduledBackups(settings.backup_dir, every, settings.backup_keep, back_up=back_up_now, metrics=metrics)
    async with supervised("backups", backups.run):
        yield

"""What is done now and then by itself: images that are too old are forgotten, and so is work long done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.domain.errors import BackendError
from bot.services.maintenance.removal import ForgetService
from bot.storage.ports.inbox import Inbox

log = logging.getLogger(__name__)

INTERVAL_S = 3600.0
DONE_JOBS_KEPT = timedelta(days=30)
"""Slack repeats a delivery for minutes; “search last” looks further back."""


CleanUp = Callable[[], Awaitable[None]]
"""Takes back elsewhere what was forgotten here. Raises BackendError."""


async def _no_clean_up() -> None:
    """For whoever leaves nothing anywhere else."""


class PeriodicMaintenance:
    """Runs beside the bot. Several processes may do the same at once."""

    def __init__(
        self,
        forgetting: ForgetService,
        inbox: Inbox,
        retention_days: int | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        clean_up: CleanUp = _no_clean_up,
    ) -> None:
        self._forgetting = forgetting
        self._inbox = inbox
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock
        self._clean_up = clean_up

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.run_once()
            except BackendError:
                log.exception("upkeep failed; it is tried again in %g s", interval_s)
            await asyncio.sleep(interval_s)

    async def run_once(self) -> None:
        """Do what is due. Raises BackendError."""
        now = self._clock()
        if self._retention is not None and (gone := await self._forgetting.older_than(now - self._retention)):
            log.info("forgot %d images older than %d days", gone, self._retention.days)
        await self._inbox.purge(now - DONE_JOBS_KEPT)
        await self._clean_up()

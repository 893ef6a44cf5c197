"""What is done now and then by itself: images that are too old are forgotten, and so is work long done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.errors import BackendError
from bot.services.forgetting import ForgetService
from bot.storage.base import Inbox

log = logging.getLogger(__name__)

EVERY_S = 3600.0
DONE_WORK_KEPT = timedelta(days=30)
"""Slack repeats a delivery for minutes; “search last” looks further back."""


Tidy = Callable[[], Awaitable[None]]
"""Takes back elsewhere what was forgotten here. Raises BackendError."""


async def _nothing() -> None:
    """For whoever leaves nothing anywhere else."""


class Upkeep:
    """Runs beside the bot. Several processes may do the same at once."""

    def __init__(
        self,
        forgetting: ForgetService,
        inbox: Inbox,
        retention_days: int | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        tidy: Tidy = _nothing,
    ) -> None:
        self._forgetting = forgetting
        self._inbox = inbox
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock
        self._tidy = tidy

    async def run(self, every_s: float = EVERY_S) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.once()
            except BackendError:
                log.exception("upkeep failed; it is tried again in %g s", every_s)
            await asyncio.sleep(every_s)

    async def once(self) -> None:
        """Do what is due. Raises BackendError."""
        now = self._clock()
        if self._retention is not None and (gone := await self._forgetting.older_than(now - self._retention)):
            log.info("forgot %d images older than %d days", gone, self._retention.days)
        await self._inbox.purge(now - DONE_WORK_KEPT)
        await self._tidy()

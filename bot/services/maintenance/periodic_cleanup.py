"""Periodic clean-up: delete images past their retention and old inbox jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.domain.errors import BackendError
from bot.services.maintenance.removal import RemovalService
from bot.storage.ports.inbox import Inbox

log = logging.getLogger(__name__)

INTERVAL_S = 3600.0
DONE_JOBS_KEPT = timedelta(days=30)
"""How long finished jobs are kept. Slack retries a delivery for minutes only, but “search last” looks further back."""


CleanUp = Callable[[], Awaitable[None]]
"""An additional clean-up, such as deleting unused uploads from Slack. Raises BackendError."""


async def _no_clean_up() -> None:
    """Do nothing."""


class PeriodicMaintenance:
    """Runs the clean-up beside the bot. Several processes may do so at the same time.

    Args:
        removal: Deletes images.
        inbox: Its finished jobs are purged.
        retention_days: Delete images older than this. None keeps them for ever.
        clock: Returns the current time.
        clean_up: An additional clean-up.
    """

    def __init__(
        self,
        removal: RemovalService,
        inbox: Inbox,
        retention_days: int | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        clean_up: CleanUp = _no_clean_up,
    ) -> None:
        self._removal = removal
        self._inbox = inbox
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock
        self._clean_up = clean_up

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Clean up at the given interval until cancelled."""
        while True:
            try:
                await self.run_once()
            except BackendError:
                log.exception("periodic clean-up failed; retrying in %g s", interval_s)
            await asyncio.sleep(interval_s)

    async def run_once(self) -> None:
        """Run the clean-up once. Raises BackendError."""
        now = self._clock()
        if self._retention is not None and (deleted := await self._removal.remove_older_than(now - self._retention)):
            log.info("deleted %d images older than %d days", deleted, self._retention.days)
        await self._inbox.purge(now - DONE_JOBS_KEPT)
        await self._clean_up()

"""Periodic clean-up: delete images past their retention and old inbox jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.services.maintenance.removal import RemovalService
from bot.storage.ports.inbox import Inbox

log = logging.getLogger(__name__)

INTERVAL_S = 3600.0
FIRST_RETRY_S = 60.0
"""Delay before a failed step is tried again. It doubles up to the interval."""

DONE_JOBS_KEPT = timedelta(days=30)
"""How long finished jobs are kept. Slack retries a delivery for minutes only, but “search last” looks further back."""


CleanUp = Callable[[], Awaitable[None]]
"""An additional clean-up, such as deleting unused uploads from Slack. It may raise any error."""


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
        calibrate: Fits the scores of databases that have grown.
    """

    def __init__(
        self,
        removal: RemovalService,
        inbox: Inbox,
        retention_days: int | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        clean_up: CleanUp = _no_clean_up,
        *,
        calibrate: CleanUp = _no_clean_up,
    ) -> None:
        self._removal = removal
        self._inbox = inbox
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock
        self._clean_up = clean_up
        self._calibrate = calibrate

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Clean up at the given interval until cancelled. After a failure, try again sooner."""
        retry_s = min(FIRST_RETRY_S, interval_s)
        while True:
            if await self._run_steps():
                log.warning("the periodic clean-up is incomplete; retrying in %g s", retry_s)
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, interval_s)
            else:
                await asyncio.sleep(interval_s)
                retry_s = min(FIRST_RETRY_S, interval_s)

    async def run_once(self) -> None:
        """Run the clean-up once. Raises the first error after all steps."""
        if failures := await self._run_steps():
            raise failures[0]

    async def _run_steps(self) -> Sequence[Exception]:
        """Run all steps. One that fails does not stop the others. Return the errors."""
        failures: list[Exception] = []
        steps = {
            "retention": self._remove_old,
            "purge of the inbox": self._purge,
            "clean-up": self._clean_up,
            "calibration": self._calibrate,
        }
        for name, step in steps.items():
            try:
                await step()
            except Exception as error:
                log.exception("the periodic %s failed; retrying later", name)
                failures.append(error)
        return failures

    async def _remove_old(self) -> None:
        if self._retention is None:
            return
        if deleted := await self._removal.remove_older_than(self._clock() - self._retention):
            log.info("deleted %d images older than %d days", deleted, self._retention.days)

    async def _purge(self) -> None:
        await self._inbox.purge(self._clock() - DONE_JOBS_KEPT)

"""Carries out pending deletions at the service, and retries them while it is down or slow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bot.adapters.showapi.http.client import ShowApiClient
from bot.adapters.showapi.ports import PendingDeletion, PendingDeletions, PictureLender
from bot.domain.errors import BackendDown, BackendError, BackendLost, BackendRefused, BackendThrottled, BackendTimeout
from bot.telemetry.supervision import supervised

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
"""Seconds between two runs."""

DELETION_BATCH = 200
ADD_EXPIRES_AFTER = timedelta(minutes=10)
"""Age at which an unconfirmed add is taken back. Callers retry an add for some minutes only."""

REFUSED_RETRY_DELAY = timedelta(hours=1)
"""How long a deletion that the service refused is postponed."""

FINAL_RUN_S = 10.0
"""Time limit of the last run at shutdown. The command line, for one, deletes something and exits."""

_OUTAGES = (BackendDown, BackendThrottled, BackendTimeout)


class PendingDeletionWorker:
    """Deletes at the service what was deleted here, and takes back adds that were never confirmed."""

    def __init__(
        self,
        service: ShowApiClient,
        pending: PendingDeletions,
        lender: PictureLender,
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service = service
        self._pending = pending
        self._lender = lender
        self._interval_s = interval_s
        self._clock = clock
        self._wanted = asyncio.Event()

    async def wake(self) -> None:
        """Start the next run now."""
        self._wanted.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run in the background. On exit, finish what was requested last, for at most FINAL_RUN_S seconds."""
        try:
            async with supervised("showapi-deletions", self._run):
                yield
        finally:
            if self._wanted.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FINAL_RUN_S):
                        await self.run_once()

    async def run_once(self) -> int:
        """Carry out the deletions that are due and return how many succeeded. An outage leaves the rest for later."""
        try:
            return await self.finish()
        except BackendError as error:
            log.warning("deletions at the image search failed and will be retried: %s", error)
            return 0

    async def finish(self) -> int:
        """Carry out the deletions that are due and return how many succeeded. Raises BackendError in an outage."""
        deleted, _ = await self._finish()
        return deleted

    async def finish_all(self) -> int:
        """Carry out all deletions, including postponed ones, and return how many succeeded.

        Raises BackendError in an outage, or if the service refuses any deletion.
        """
        await self._pending.retry_now()
        deleted, refused = await self._finish()
        if refused:
            what = "1 pending deletion" if refused == 1 else f"{refused} pending deletions"
            raise BackendRefused(f"the image search refused {what}, to be retried later")
        return deleted

    async def _finish(self) -> tuple[int, int]:
        """Return how many deletions succeeded, and how many were refused."""
        done: list[bool] = []
        await self._lender.delete_expired()
        await self._pending.queue_unconfirmed(self._clock() - ADD_EXPIRES_AFTER)
        while pending := await self._pending.due(DELETION_BATCH):
            for deletion in pending:
                done.append(await self._delete(deletion))  # noqa: PERF401 - an outage stops the loop
        return sum(done), done.count(False)

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self.run_once()
            except asyncio.CancelledError:
                # ``running`` then does a last run.
                self._wanted.set()
                raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._wanted.wait()

    async def _delete(self, deletion: PendingDeletion) -> bool:
        try:
            with contextlib.suppress(BackendLost):
                if deletion.entity:
                    await self._service.delete_images(deletion.upstream, deletion.entity)
                else:
                    await self._service.delete_database(deletion.upstream)
        except _OUTAGES:
            raise
        except BackendError as error:
            log.warning("the image search can't delete %s: %s", deletion.entity or deletion.upstream, error)
            await self._pending.postpone([deletion.id], self._clock() + REFUSED_RETRY_DELAY)
            return False
        await self._pending.mark_done([deletion.id])
        return True

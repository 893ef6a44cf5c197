"""What is to go from the service goes, though it be down or slow at that moment."""

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

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
DELETION_BATCH = 200
ADD_EXPIRES_AFTER = timedelta(minutes=10)
"""An add is tried again for some minutes by whoever wants it; what is still in doubt then is nobody's."""

REFUSED_RETRY_DELAY = timedelta(hours=1)

FINAL_RUN_S = 10.0
"""At the end, for what was deleted a moment ago: the command line deletes and is gone."""

_OUTAGES = (BackendDown, BackendThrottled, BackendTimeout)


class PendingDeletionWorker:
    """Deletes at the service what was deleted here, and takes back adds that nobody confirmed."""

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
        self._every_s = interval_s
        self._clock = clock
        self._wanted = asyncio.Event()

    async def wake(self) -> None:
        """There is something to do."""
        self._wanted.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside, it is done; on the way out what was asked for a moment ago is finished, for some seconds."""
        task = asyncio.create_task(self._run(), name="showapi-upkeep")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self._wanted.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FINAL_RUN_S):
                        await self.run_once()

    async def run_once(self) -> int:
        """Do what there is to do now, or leave it for later; how many things went from the service."""
        try:
            return await self.finish()
        except BackendError as error:
            log.warning("what is to go from the image search is tried again later: %s", error)
            return 0

    async def finish(self) -> int:
        """The same. Raises BackendError while something that is due can't be done, since the service is unwell."""
        gone, _ = await self._finish()
        return gone

    async def finish_all(self) -> int:
        """The same with what was put off. Raises BackendError also for what the service refuses still."""
        await self._pending.retry_now()
        gone, refused = await self._finish()
        if refused:
            raise BackendRefused(
                f"the image search did not let go of {refused} of what is to be deleted; it is tried again later"
            )
        return gone

    async def _finish(self) -> tuple[int, int]:
        """How many things went, and how many were refused."""
        done: list[bool] = []
        await self._lender.delete_expired()
        await self._pending.queue_unconfirmed(self._clock() - ADD_EXPIRES_AFTER)
        while pending := await self._pending.due(DELETION_BATCH):
            for deletion in pending:
                done.append(await self._delete(deletion))  # noqa: PERF401 - whoever raises leaves the rest
        return sum(done), done.count(False)

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self.run_once()
            except asyncio.CancelledError:
                # Who stops us does the rest.
                self._wanted.set()
                raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
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
            log.warning("%s can't be deleted at the image search: %s", deletion.entity or deletion.upstream, error)
            await self._pending.postpone([deletion.id], self._clock() + REFUSED_RETRY_DELAY)
            return False
        await self._pending.mark_done([deletion.id])
        return True

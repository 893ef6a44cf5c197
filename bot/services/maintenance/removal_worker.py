"""Carries out pending removals: rows of deleted databases, pictures that no image uses, and uploads to Slack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.services.databases import finish_deletions, remove_pictures
from bot.storage.ports.storage import Storage

log = logging.getLogger(__name__)

INTERVAL_S = 30.0
SWEEP_INTERVAL = timedelta(days=1)
COMPACT_INTERVAL = timedelta(minutes=10)

GRACE = timedelta(hours=1)
"""Age from which a stored picture without an image counts as unused. An add that is under way is younger."""

RemoveUploads = Callable[[], Awaitable[None]]
"""Deletes due uploads from Slack. Raises BackendError."""


async def no_uploads() -> None:
    """Do nothing."""


ForgetUrls = Callable[[], Awaitable[int]]
"""Deletes addresses of images in databases that no longer exist. Raises BackendError."""


async def _no_urls() -> int:
    return 0


class RemovalWorker:
    """Runs beside the bot and beside the API server. Several processes may run it at the same time.

    Args:
        storage: Its deleted databases, pictures and pending removals.
        remove_uploads: Deletes due uploads from Slack.
        forget_urls: Deletes addresses of images in databases that no longer exist.
        clock: Returns the current time.
    """

    def __init__(
        self,
        storage: Storage,
        remove_uploads: RemoveUploads = no_uploads,
        forget_urls: ForgetUrls = _no_urls,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._remove_uploads = remove_uploads
        self._forget_urls = forget_urls
        self._clock = clock
        self._swept_at: datetime | None = None
        self._compacted_at: datetime | None = None

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Work until cancelled. Raises the first error; ``supervise`` starts it again."""
        while True:
            await self.run_once()
            await asyncio.sleep(interval_s)

    async def run_once(self) -> None:
        """Make all removals that are due. Raises BackendError."""
        await finish_deletions(self._storage)
        await self._remove_uploads()
        now = self._clock()
        if _is_due(self._swept_at, SWEEP_INTERVAL, now):
            if found := await sweep_pictures(self._storage, now - GRACE):
                log.info("removed %d stored pictures that no image uses", found)
            await self._forget_urls()
            await self._storage.pending_removals.forget_done()
            self._swept_at = now
        if _is_due(self._compacted_at, COMPACT_INTERVAL, now):
            await self._storage.deleted.compact()
            self._compacted_at = now


def _is_due(last: datetime | None, interval: timedelta, now: datetime) -> bool:
    """Return whether the interval has passed, or the clock was set back."""
    return last is None or now - last >= interval or now < last


async def sweep_pictures(storage: Storage, before: datetime) -> int:
    """Remove stored pictures that no image uses and that were stored before a moment. Return how many were found.

    An add that is under way keeps its picture: removals go through the same queue as all others. Raises BackendError.
    """
    found = 0
    async for digests in storage.pictures.unused(before):
        found += len(digests)
        await storage.pictures.discard_unused(digests)
    await remove_pictures(storage)
    return found

"""Compares the picture that was searched with, with a stored one: a drawing, and what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar
from weakref import WeakValueDictionary

from cachetools import TTLCache

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import UserError
from bot.domain.identifiers import WorkspaceId
from bot.domain.pictures import Picture
from bot.images.memory import FairBudget, on_behalf_of

if TYPE_CHECKING:
    from bot.images.comparison.compare import PictureComparison
    from bot.images.decode.plan import PictureLimits

T = TypeVar("T")

CACHE_BYTES, CACHE_TTL_S = 16_000_000, 600.0
"""Greatest size of all cached comparisons, of some 100 kB each, and how long each is cached."""

CONCURRENCY, MAX_WAITING, MAX_WAIT_S = 4, 50, 20.0
"""Comparisons at the same time, those that may wait for them, and for how long in seconds."""

WORK_BYTES = 64_000_000
"""Memory of one comparison besides the two decoded pictures."""

ReadPicture = Callable[[], Awaitable[Picture]]
"""Fetches and decodes a picture. Raises UserError."""

ComparisonKey = tuple[WorkspaceId, str, str]
"""The workspace, and the digests of the asked and of the stored picture."""


class NotComparable(UserError):
    """The two pictures can't be laid over each other."""

    def __init__(self) -> None:
        super().__init__("I couldn't lay these two pictures over each other, so there's nothing to compare.")


class WorkRunner(Protocol):
    """Runs CPU work in bounded threads, within a budget of memory."""

    @property
    def limits(self) -> PictureLimits:
        """The sides to which pictures are reduced."""
        ...

    async def run(self, work: Callable[[], T], memory: int = ...) -> T:
        """Return the result of the work, which takes ``memory`` bytes. Raises PictureRefused if it takes too long."""
        ...


class ComparisonService:
    """Draws comparisons on demand and keeps recent ones for some minutes.

    The caller checks who may see both pictures, each time: the cache knows nothing of it.
    """

    def __init__(self, runner: WorkRunner) -> None:
        self._runner = runner
        self._cache: TTLCache[ComparisonKey, PictureComparison] = TTLCache(
            CACHE_BYTES, CACHE_TTL_S, getsizeof=lambda comparison: len(comparison.jpeg)
        )
        self._locks: WeakValueDictionary[ComparisonKey, asyncio.Lock] = WeakValueDictionary()
        self._slots = FairBudget(CONCURRENCY, max_share=0.5, max_waiting=MAX_WAITING, max_wait_s=MAX_WAIT_S)

    async def compare(
        self, record: ImageRecord, read_asked: ReadPicture, read_stored: ReadPicture
    ) -> tuple[Picture, PictureComparison]:
        """Return the asked picture, and its comparison with a stored image.

        The asked picture is read each time, since it may have been deleted. Raises NotComparable, FetchFailed if too
        many wait, and the errors of both readers.
        """
        workspace = record.database.workspace
        # Nothing is read before there is a slot, so those that wait hold no pictures.
        with on_behalf_of(workspace):
            async with self._slots.reserve(1):
                asked = await read_asked()
                key = (workspace, asked.digest, record.digest)
                # Presses of one button at the same time draw one comparison.
                async with self._locks.setdefault(key, asyncio.Lock()):
                    found = self._cache.get(key)
                    if found is None:
                        found = self._cache[key] = await self._drawn(asked, await read_stored())
                    return asked, found

    async def _drawn(self, asked: Picture, stored: Picture) -> PictureComparison:
        from bot.images.comparison.compare import compare_pictures  # noqa: PLC0415 - OpenCV, and “--help” imports this

        limits = self._runner.limits
        # A picture of just that size may have been reduced to it, so nobody knows how large its file was.
        is_whole = max(stored.source_size) not in {limits.max_side, limits.stored_side}
        size = stored.source_size if is_whole else None
        found = await self._runner.run(lambda: compare_pictures(asked, stored, size), WORK_BYTES)
        if found is None:
            raise NotComparable
        return found

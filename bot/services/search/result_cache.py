"""Cache of recent search results. Equal searches at the same time run only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cachetools import TTLCache

from bot.domain.errors import BackendError
from bot.domain.matches import Caveat, Matches
from bot.telemetry.metrics import Metrics

UNCACHED_CAVEATS = {Caveat.SAME_IMAGES_ONLY, Caveat.SETTLING}
"""Results with these caveats are not cached, because a later search may find more."""

RunSearch = Callable[[], Awaitable[Matches]]


@dataclass(frozen=True, slots=True)
class CachedMatches:
    """Matches, and when they were cached. None for fresh matches."""

    matches: Matches
    cached_at: datetime | None = None


class ResultCache(Protocol):
    """Runs searches through a cache. A key contains everything that a result depends on, such as the revision."""

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:
        """Return the cached result for the key, or run the search. Raises the search's errors."""
        ...


class NullResultCache:
    """A ``ResultCache`` that caches nothing."""

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:  # noqa: ARG002 - the port's
        """Run the search."""
        return CachedMatches(await search())


class TtlResultCache:
    """A ``ResultCache`` whose entries expire. It never caches errors.

    Entries needn't be invalidated: a write to a database changes its revision, which is part of the key.

    Args:
        ttl_s: How long results are cached, in seconds.
        size: Maximum number of results.
        metrics: Counts hits and misses.
        clock: Returns the current time.
    """

    def __init__(
        self,
        ttl_s: float,
        size: int,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._results: TTLCache[Hashable, CachedMatches] = TTLCache(size, ttl_s, lambda: clock().timestamp())
        self._in_progress: dict[Hashable, asyncio.Future[CachedMatches | BackendError | None]] = {}
        self._metrics = metrics
        self._clock = clock

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:
        """Return a cached result, the result of an equal search in progress, or that of a new search."""
        while True:
            if cached := self._results.get(key):
                self._metrics.cache(hit=True)
                return cached
            in_progress = self._in_progress.get(key)
            if in_progress is None:
                self._metrics.cache(hit=False)
                return await self._search_and_cache(key, search)
            # asyncio.wait doesn't cancel the future when one waiter is cancelled.
            await asyncio.wait([in_progress])
            answer = in_progress.result()
            if isinstance(answer, BackendError):
                # Raise a new error for each waiter: a shared one would collect all of their tracebacks.
                raise type(answer)(*answer.args) from answer
            if answer is not None:
                self._metrics.cache(hit=True)
                return answer

    async def _search_and_cache(self, key: Hashable, search: RunSearch) -> CachedMatches:
        in_progress: asyncio.Future[CachedMatches | BackendError | None] = asyncio.get_running_loop().create_future()
        self._in_progress[key] = in_progress
        # None means that this task ended for its own reasons, such as cancellation. A waiter then runs the search.
        outcome: CachedMatches | BackendError | None = None
        try:
            outcome = fresh = CachedMatches(await search())
            if not fresh.matches.caveats & UNCACHED_CAVEATS:
                self._results[key] = CachedMatches(fresh.matches, self._clock())
        except BackendError as error:
            outcome = error
            raise
        finally:
            del self._in_progress[key]
            in_progress.set_result(outcome)
        return fresh


def new_result_cache(ttl_s: float, size: int, metrics: Metrics) -> ResultCache:
    """Create the cache for the settings. A TTL of 0 disables it."""
    return TtlResultCache(ttl_s, size, metrics) if ttl_s else NullResultCache()

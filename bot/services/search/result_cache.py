"""Recent results: kept for a while, and searched for once when several ask the same at the same time."""

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
"""Answers of which the next may be better."""

RunSearch = Callable[[], Awaitable[Matches]]


@dataclass(frozen=True, slots=True)
class CachedMatches:
    """Matches; ``kept_at`` says since when they were kept, None that they are fresh."""

    matches: Matches
    cached_at: datetime | None = None


class ResultCache(Protocol):
    """Where searches go through. A key names all that an answer depends on, the database's revision included."""

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:
        """The answer to that key, by searching if need be. Raises what the search raises."""
        ...


class NullResultCache:
    """Satisfies ``ResultCache`` and keeps nothing."""

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:  # noqa: ARG002 - the port's
        """Search."""
        return CachedMatches(await search())


class TtlResultCache:
    """Satisfies ``ResultCache``: keeps answers, never errors. A write makes a new revision and with it another key."""

    def __init__(
        self,
        ttl_s: float,
        size: int,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kept: TTLCache[Hashable, CachedMatches] = TTLCache(size, ttl_s, lambda: clock().timestamp())
        self._flights: dict[Hashable, asyncio.Future[CachedMatches | BackendError | None]] = {}
        self._metrics = metrics
        self._clock = clock

    async def get(self, key: Hashable, search: RunSearch) -> CachedMatches:
        """The answer to that key: a kept one, that of an equal search under way, or a search's."""
        while True:
            if kept := self._kept.get(key):
                self._metrics.cache(hit=True)
                return kept
            flight = self._flights.get(key)
            if flight is None:
                self._metrics.cache(hit=False)
                return await self._search_and_keep(key, search)
            # Waiting this way, whoever gives up leaves the others' flight as it is.
            await asyncio.wait([flight])
            answer = flight.result()
            if isinstance(answer, BackendError):
                # It failed for all; each gets an error of its own, since a shared one gathers all their tracebacks.
                raise type(answer)(*answer.args) from answer
            if answer is not None:
                self._metrics.cache(hit=True)
                return answer

    async def _search_and_keep(self, key: Hashable, search: RunSearch) -> CachedMatches:
        flight: asyncio.Future[CachedMatches | BackendError | None] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        # None: the end was the leader's own affair, such as a cancellation, and one of those who wait leads.
        outcome: CachedMatches | BackendError | None = None
        try:
            outcome = fresh = CachedMatches(await search())
            if not fresh.matches.caveats & UNCACHED_CAVEATS:
                self._kept[key] = CachedMatches(fresh.matches, self._clock())
        except BackendError as error:
            outcome = error
            raise
        finally:
            del self._flights[key]
            flight.set_result(outcome)
        return fresh


def new_result_cache(ttl_s: float, size: int, metrics: Metrics) -> ResultCache:
    """As the settings have it: 0 seconds keep nothing."""
    return TtlResultCache(ttl_s, size, metrics) if ttl_s else NullResultCache()

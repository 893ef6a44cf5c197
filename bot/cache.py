"""Recent results: kept for a while, and searched for once when several ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cachetools import TTLCache

from bot.errors import BackendError
from bot.metrics import Metrics
from bot.models import Caveat, Matches

FOR_NOW = {Caveat.SAME_IMAGES_ONLY, Caveat.SETTLING}
"""Answers of which the next may be better."""

Search = Callable[[], Awaitable[Matches]]


@dataclass(frozen=True, slots=True)
class Cached:
    """Matches; ``kept_at`` says since when they were kept, None that they are fresh."""

    matches: Matches
    kept_at: datetime | None = None


class Results(Protocol):
    """Where searches go through. A key names all that an answer depends on, the database's revision included."""

    async def get(self, key: Hashable, search: Search) -> Cached:
        """The answer to that key, by searching if need be. Raises what the search raises."""
        ...


class NullResults:
    """Satisfies ``Results`` and keeps nothing."""

    async def get(self, key: Hashable, search: Search) -> Cached:  # noqa: ARG002 - the port's
        """Search."""
        return Cached(await search())


class RecentResults:
    """Satisfies ``Results``: keeps answers, never errors. A write makes a new revision and with it another key."""

    def __init__(
        self,
        ttl_s: float,
        size: int,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kept: TTLCache[Hashable, Cached] = TTLCache(size, ttl_s, lambda: clock().timestamp())
        self._flights: dict[Hashable, asyncio.Future[Cached | BackendError | None]] = {}
        self._metrics = metrics
        self._clock = clock

    async def get(self, key: Hashable, search: Search) -> Cached:
        """The answer to that key: a kept one, that of an equal search under way, or a search's."""
        while True:
            if kept := self._kept.get(key):
                self._metrics.cache(hit=True)
                return kept
            flight = self._flights.get(key)
            if flight is None:
                self._metrics.cache(hit=False)
                return await self._lead(key, search)
            # Waiting this way, whoever gives up leaves the others' flight as it is.
            await asyncio.wait([flight])
            answer = flight.result()
            if isinstance(answer, BackendError):
                # It failed for all; each gets an error of its own, since a shared one gathers all their tracebacks.
                raise type(answer)(*answer.args) from answer
            if answer is not None:
                self._metrics.cache(hit=True)
                return answer

    async def _lead(self, key: Hashable, search: Search) -> Cached:
        flight: asyncio.Future[Cached | BackendError | None] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        # None: the end was the leader's own affair, such as a cancellation, and one of those who wait leads.
        outcome: Cached | BackendError | None = None
        try:
            outcome = fresh = Cached(await search())
            if not fresh.matches.caveats & FOR_NOW:
                self._kept[key] = Cached(fresh.matches, self._clock())
        except BackendError as error:
            outcome = error
            raise
        finally:
            del self._flights[key]
            flight.set_result(outcome)
        return fresh


def results_cache(ttl_s: float, size: int, metrics: Metrics) -> Results:
    """As the settings have it: 0 seconds keep nothing."""
    return RecentResults(ttl_s, size, metrics) if ttl_s else NullResults()

"""Search a database with a picture, and join each match with its catalogue record."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import BackendError, InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import Caveat, Match, Matches, validate_limit
from bot.domain.pictures import Picture
from bot.services.databases import find_database, require_in_both
from bot.services.search.result_cache import CachedMatches, NullResultCache, ResultCache
from bot.storage.ports.catalogue import Catalogue
from bot.telemetry.metrics import Metrics, NullMetrics

DEFAULT_LIMIT = 10
DEFAULT_MINIMUM = 5.0
"""Matches below this score are left out unless a request asks for them."""

TOP_SCORE = 10.0

_NO_RESULTS, _NO_METRICS = NullResultCache(), NullMetrics()


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """A match with its rank. ``record`` is None for an image that isn't in the catalogue (any more)."""

    rank: int
    match: Match
    record: ImageRecord | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        database: The database that was searched.
        matches: Matches with at least the minimum score, best first.
        weaker: Number of matches below the minimum score.
        seconds: Duration of the search.
        hidden: Number of matches that the audience may not see but may know of.
        cached_at: When the result was cached, or None if it is fresh.
        weaker_records: Catalogue records of the weaker matches, from which PrivacyService counts the visible ones.
        caveats: Why the result may be incomplete.
        cause: The error that made it incomplete, if there was one.
    """

    database: DatabaseInfo
    matches: tuple[RankedMatch, ...]
    weaker: int
    seconds: float
    hidden: int = 0
    cached_at: datetime | None = None
    weaker_records: tuple[ImageRecord, ...] = ()
    caveats: frozenset[Caveat] = frozenset()
    cause: BackendError | None = None


def validate_minimum(minimum: float) -> float:
    """Return a minimum score if it is from 0 to 10. Raises InvalidInput."""
    if not 0 <= minimum <= TOP_SCORE:
        raise InvalidInput("`min:` must be a number from 0 to 10.")
    return minimum


class SearchService:
    """Searches databases through the result cache."""

    def __init__(
        self,
        visual: VisualSearch,
        catalogue: Catalogue,
        cache: ResultCache = _NO_RESULTS,
        metrics: Metrics = _NO_METRICS,
    ) -> None:
        self._visual = visual
        self._catalogue = catalogue
        self._cache = cache
        self._metrics = metrics

    async def search(
        self,
        key: DatabaseKey,
        picture: Picture,
        *,
        limit: int = DEFAULT_LIMIT,
        minimum: float = DEFAULT_MINIMUM,
    ) -> SearchResult:
        """Return the best matches with a score of at least ``minimum``, up to ``limit``.

        Raises UnknownDatabase (with a similar name, if there is one), InvalidInput and BackendError.
        """
        validate_limit(limit)
        validate_minimum(minimum)
        outcome, started = "failed", time.perf_counter()
        try:
            result = await self._result(key, picture, limit, minimum)
        except UserError:
            outcome = "refused"
            raise
        else:
            outcome = "found" if result.matches else "nothing"
            return result
        finally:
            self._metrics.searched(outcome, time.perf_counter() - started)

    async def _result(self, key: DatabaseKey, picture: Picture, limit: int, minimum: float) -> SearchResult:
        started = time.perf_counter()
        info = await find_database(self._catalogue, key)
        answer = await self._matches(info, picture, limit)
        # Always read the records from the catalogue: privacy depends on them, so they must not come from the cache.
        found = answer.matches
        records = await self._catalogue.records(key, [match.data_id for match in found]) if found else {}
        shown = [match for match in found if match.score >= minimum]
        weaker = [match for match in found if match.score < minimum]
        return SearchResult(
            info,
            tuple(RankedMatch(rank, match, records.get(match.data_id)) for rank, match in enumerate(shown, start=1)),
            len(weaker),
            time.perf_counter() - started,
            cached_at=answer.cached_at,
            weaker_records=tuple(records[match.data_id] for match in weaker if match.data_id in records),
            # Matches that were crowded out score lower than any weaker match here, so no shown match is missing.
            caveats=found.caveats - ({Caveat.SETTLING, Caveat.CROWDED_OUT} if weaker else {Caveat.SETTLING}),
            cause=found.cause,
        )

    async def _matches(self, info: DatabaseInfo, picture: Picture, limit: int) -> CachedMatches:
        async def search() -> Matches:
            async with require_in_both(self._catalogue, info.key):
                return await self._visual.search(info.key, picture, limit)

        # Each write changes the revision. created_at tells apart two databases that had the same name.
        key = (info.key, info.created_at, info.revision, picture.digest, limit)
        return await self._cache.get(key, search)

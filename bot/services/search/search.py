"""Search a database with a picture, and say what the catalogue knows of each match."""

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
"""Under this, matches are left out unless asked for."""

TOP_SCORE = 10.0

_NO_RESULTS, _NO_METRICS = NullResultCache(), NullMetrics()


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """One line of an answer. ``record`` is None for an image that the catalogue does not know (any more)."""

    rank: int
    match: Match
    record: ImageRecord | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    ``weaker`` counts the matches that came under the minimum and were left out, ``hidden`` those that the readers may
    not see but may know of. ``cached_at``: when the answer was kept, if it comes from the cache. ``weaker_records``:
    what the catalogue knows of the weaker ones, for whoever decides which of them the readers may know of.
    ``caveats``: what readers should know of the answer as a whole; ``cause``: why there are no others.
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
    """A least score, 0 to 10. Raises InvalidInput."""
    if not 0 <= minimum <= TOP_SCORE:
        raise InvalidInput("`min:` must be a number from 0 to 10.")
    return minimum


class SearchService:
    """One use case: look a picture up."""

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
        """The best matches of ``minimum`` and better, at most ``limit``.

        Raises UnknownDatabase (with a near name, if there is one), InvalidInput and BackendError.
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
        # What is known of a match is never cached: privacy is judged by it.
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
            # What was crowded out is weaker still, so nothing is missing then.
            caveats=found.caveats - ({Caveat.SETTLING, Caveat.CROWDED_OUT} if weaker else {Caveat.SETTLING}),
            cause=found.cause,
        )

    async def _matches(self, info: DatabaseInfo, picture: Picture, limit: int) -> CachedMatches:
        async def search() -> Matches:
            async with require_in_both(self._catalogue, info.key):
                return await self._visual.search(info.key, picture, limit)

        # A write to the database makes another revision; a new database of the same name has another birthday.
        key = (info.key, info.created_at, info.revision, picture.digest, limit)
        return await self._cache.get(key, search)

"""Search a database with a picture, and join each match with its catalogue record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import BackendError, InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey, DataId, Note
from bot.domain.matches import MAX_RESULTS, Caveat, Match, Matches, validate_limit
from bot.domain.pictures import Picture
from bot.services.databases import find_database, require_in_both
from bot.services.search.result_cache import CachedMatches, NullResultCache, ResultCache
from bot.storage.ports.catalogue import Catalogue
from bot.telemetry.metrics import Metrics, NullMetrics

DEFAULT_LIMIT = 10
DEFAULT_MINIMUM = 5.0
"""Matches below this score are left out unless a request asks for them."""

TOP_SCORE = 10.0

MAX_HIDDEN = 50_000
"""Greatest number of hidden matches that one search passes over. It bounds the search's memory and time."""

DEEPER = 4
"""Factor by which each further search asks for more matches."""

EXAMINED = 20
"""Matches that back ends examine closely, beginning with the nearest. Hidden ones among them take others' places."""

_NO_RESULTS, _NO_METRICS = NullResultCache(), NullMetrics()


class Readers(Protocol):
    """What the readers of an answer may see."""

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        """Return those images that they may see, with only the origins that they may see."""
        ...

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        """Return images of a database that they may not see. It may be incomplete."""
        ...


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """A match with its rank. ``record`` is None for an image that isn't in the catalogue (any more)."""

    rank: int
    match: Match
    record: ImageRecord | None

    @property
    def note(self) -> Note:
        """The note of the record. Notes of the catalogue's images are not in the back end."""
        return self.match.note if self.record is None else self.record.note


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        database: The database that was searched.
        matches: Matches with at least the minimum score, best first. If the search knew the readers, all are visible.
        weaker: Number of matches below the minimum score.
        seconds: Duration of the search.
        hidden: Number of matches that the audience may not see. PrivacyService sets it to 0 if they may not know of it.
        cached_at: When the result was cached, or None if it is fresh.
        weaker_records: Catalogue records of the weaker matches, from which PrivacyService counts the visible ones.
        caveats: Why the result may be incomplete.
        cause: The error that made it incomplete, if there was one.
        hides_images: Whether the database has images that the readers may neither see nor know of.
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
    hides_images: bool = False


@dataclass(frozen=True, slots=True)
class _Query:
    """A search of one database."""

    info: DatabaseInfo
    picture: Picture
    limit: int
    minimum: float


@dataclass(frozen=True, slots=True)
class _Found:
    """Visible matches with their records, best first, and the number of hidden ones with at least the minimum score."""

    answer: CachedMatches
    matches: Sequence[Match]
    records: Mapping[DataId, ImageRecord]
    hidden: int = 0


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
        readers: Readers | None = None,
    ) -> SearchResult:
        """Return the best matches with a score of at least ``minimum``, up to ``limit``.

        With ``readers``, only visible matches count towards the limit: the search goes on below hidden ones.
        Raises UnknownDatabase (with a similar name, if there is one), InvalidInput and BackendError.
        """
        validate_limit(limit)
        validate_minimum(minimum)
        outcome, started = "failed", time.perf_counter()
        try:
            result = await self._result(key, picture, limit, minimum, readers)
        except UserError:
            outcome = "refused"
            raise
        else:
            outcome = "found" if result.matches else "nothing"
            return result
        finally:
            self._metrics.searched(outcome, time.perf_counter() - started)

    async def _result(
        self, key: DatabaseKey, picture: Picture, limit: int, minimum: float, readers: Readers | None
    ) -> SearchResult:
        started = time.perf_counter()
        info = await find_database(self._catalogue, key)
        query = _Query(info, picture, limit, minimum)
        answer = await self._matches(query)
        found = _Found(answer, answer.matches, await self._records(key, answer.matches))
        if readers is not None:
            found = await self._only_visible(query, found, readers)
        shown = [match for match in found.matches if match.score >= minimum]
        weaker = [match for match in found.matches if match.score < minimum]
        records, caveats = found.records, found.answer.matches.caveats
        return SearchResult(
            info,
            tuple(RankedMatch(rank, match, records.get(match.data_id)) for rank, match in enumerate(shown, start=1)),
            len(weaker),
            time.perf_counter() - started,
            hidden=found.hidden,
            cached_at=found.answer.cached_at,
            weaker_records=tuple(records[match.data_id] for match in weaker if match.data_id in records),
            # Matches that were crowded out score lower than any weaker match here, so no shown match is missing.
            caveats=caveats - ({Caveat.SETTLING, Caveat.CROWDED_OUT} if weaker else {Caveat.SETTLING}),
            cause=found.answer.matches.cause,
        )

    async def _only_visible(self, query: _Query, found: _Found, readers: Readers) -> _Found:
        """Return the best ``limit`` visible matches.

        If hidden images are among the matches, search again without all hidden ones. If there are too many of those to
        name them, go on without the ones found, and ask for more each time, until none of them scores ``minimum``.
        """
        excluded: set[DataId] = set()
        asked, hidden = query.limit, 0
        most = min(MAX_RESULTS, self._visual.capabilities.max_results)
        while True:
            matches, records, is_first = found.matches, found.records, not excluded
            close = [match for place, match in enumerate(matches) if place < EXAMINED or match.score >= query.minimum]
            shown = await readers.shown([records[match.data_id] for match in close if match.data_id in records])
            passed = [match for match in close if match.data_id not in shown]
            above = [match.data_id for match in passed if match.score >= query.minimum]
            hidden += sum(data_id in records for data_id in above)
            excluded.update(match.data_id for match in passed)
            all_examined = len(matches) < min(asked, EXAMINED)
            if all_examined or not (above or (passed and is_first)) or len(excluded) > MAX_HIDDEN:
                kept = [match for match in matches if match.data_id not in excluded]
                return _Found(found.answer, kept[: query.limit], {**records, **shown}, hidden)
            if is_first:
                excluded |= await readers.hidden(query.info.key)
            # Not cached: what is hidden differs between readers.
            asked = min(max(query.limit, asked * DEEPER), most)
            deeper = await self._search(query, asked, frozenset(excluded))
            found = _Found(CachedMatches(deeper), deeper, await self._records(query.info.key, deeper))

    async def _records(self, key: DatabaseKey, found: Matches) -> Mapping[DataId, ImageRecord]:
        # Always read the records from the catalogue: privacy depends on them, so they must not come from the cache.
        return await self._catalogue.records(key, [match.data_id for match in found]) if found else {}

    async def _matches(self, query: _Query) -> CachedMatches:
        info = query.info
        # Each write changes the revision. created_at tells apart two databases that had the same name.
        key = (info.key, info.created_at, info.revision, query.picture.digest, query.limit)
        return await self._cache.get(key, lambda: self._search(query, query.limit))

    async def _search(self, query: _Query, limit: int, exclude: frozenset[DataId] = frozenset()) -> Matches:
        key = query.info.key
        async with require_in_both(self._visual, self._catalogue, key):
            return await self._visual.search(key, query.picture, limit, exclude)

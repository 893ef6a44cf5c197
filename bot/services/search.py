"""Search a database with a picture, and say what the catalogue knows of each match."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.base import VisualSearch
from bot.errors import InvalidInput
from bot.models import DatabaseInfo, DatabaseKey, ImageRecord, Match, Picture, checked_limit
from bot.services.databases import find_database
from bot.storage.base import Catalogue

DEFAULT_LIMIT = 10
DEFAULT_MINIMUM = 5.0
"""Under this, matches are left out unless asked for."""

TOP_SCORE = 10.0


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
    not see but may know of. ``cached_at``: when the answer was kept, if it comes from the cache.
    """

    database: DatabaseInfo
    matches: tuple[RankedMatch, ...]
    weaker: int
    seconds: float
    hidden: int = 0
    cached_at: datetime | None = None


class SearchService:
    """One use case: look a picture up."""

    def __init__(self, visual: VisualSearch, catalogue: Catalogue) -> None:
        self._visual = visual
        self._catalogue = catalogue

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
        checked_limit(limit)
        if not 0 <= minimum <= TOP_SCORE:
            raise InvalidInput("A least score is a number from 0 to 10.")
        started = time.perf_counter()
        info = await find_database(self._catalogue, key)
        found = await self._visual.search(key, picture, limit)
        shown = [match for match in found if match.score >= minimum]
        records = await self._catalogue.records(key, [match.data_id for match in shown]) if shown else {}
        ranked = tuple(
            RankedMatch(rank, match, records.get(match.data_id)) for rank, match in enumerate(shown, start=1)
        )
        return SearchResult(info, ranked, len(found) - len(shown), time.perf_counter() - started)

"""The result of a search, and what its readers may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import VisibleOrigins
from bot.domain.errors import BackendError
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId
from bot.domain.matches import NO_EVIDENCE, Caveat, SearchEvidence
from bot.services.search.grouping import RankedMatch


class Readers(Protocol):
    """What the readers of an answer may see."""

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        """Return those images that they may see, with only the origins that they may see."""
        ...

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        """Return images of a database that they may not see. It may be incomplete."""
        ...

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        """Return which origins of a database they may see, by stored kinds where a channel was public."""
        ...


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        database: The database that was searched.
        matches: Matches with at least the minimum score, best first. If the search knew the readers, all are visible.
        weaker: Number of entities below the minimum score.
        seconds: Duration of the search.
        hidden: Number of matches that the audience may not see. PrivacyService sets it to 0 if they may not know of it.
        cached_at: When the result was cached, or None if it is fresh.
        weaker_records: Catalogue records of the weaker entities' best images, from which PrivacyService counts the
            visible ones.
        caveats: Why the result may be incomplete.
        cause: The error that made it incomplete, if there was one.
        hides_images: Whether the database has images that the readers may neither see nor know of.
        with_text: Whether the text of the picture took part in the order.
        parts: The results of each database, if several were searched.
        missing: Databases whose search failed, while others answered.
        evidence: The numbers behind the matches, also of images that the readers may not see: for the log and the
            command line alone.
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
    with_text: bool = False
    parts: tuple[SearchResult, ...] = ()
    missing: tuple[DatabaseName, ...] = ()
    evidence: SearchEvidence = NO_EVIDENCE

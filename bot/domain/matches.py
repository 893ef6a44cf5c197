"""Results of a search: matches, verdicts and caveats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bot.domain.errors import BackendError, InvalidInput
from bot.domain.identifiers import DataId, EntityId, Note

MAX_RESULTS = 1000


class Verdict(StrEnum):
    """What the evidence says of a match, in the words that people read."""

    SAME = "same image"
    EDITED = "edited copy"
    SIMILAR = "similar"


class Edit(StrEnum):
    """What was seen of an edit, where a fingerprint or geometry shows it."""

    CROPPED = "cropped"
    MIRRORED = "mirrored"
    ROTATED = "rotated"
    FRAMED = "framed"
    RECOLOURED = "recoloured"


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of a search. ``score`` runs from 0 to 10, higher is more alike."""

    data_id: DataId
    entity: EntityId
    note: Note
    score: float
    verdict: Verdict = Verdict.SIMILAR
    edits: tuple[Edit, ...] = ()


class Caveat(StrEnum):
    """What a reader of an answer should know."""

    SAME_IMAGES_ONLY = "same images only"
    """The back end could not be asked: these are the copies that our own fingerprints show, and nothing else."""
    CROWDED_OUT = "crowded out"
    """The back end gave as many as it ever does, and most were others': there may be further matches."""
    SETTLING = "settling"
    """Images were added a moment ago, and the back end may not show them yet: not to be kept, and not worth a word."""


class Matches(tuple[Match, ...]):  # noqa: SLOT001 - one of its two parts is the tuple itself
    """An answer: matches, best first, and its ``caveats``."""

    caveats: frozenset[Caveat]
    cause: BackendError | None

    def __new__(
        cls, matches: Iterable[Match] = (), caveats: Iterable[Caveat] = (), cause: BackendError | None = None
    ) -> Self:
        """Take them as they come. ``cause``: why there are no others."""
        answer = super().__new__(cls, matches)
        answer.caveats = frozenset(caveats)
        answer.cause = cause
        return answer


def validate_limit(limit: int) -> int:
    """A number of results that a search takes, 1 to 1000. Raises InvalidInput."""
    if not 1 <= limit <= MAX_RESULTS:
        raise InvalidInput(f"A search gives 1 to {MAX_RESULTS} results.")
    return limit

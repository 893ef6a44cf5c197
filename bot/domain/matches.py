"""Results of a search: matches, verdicts and caveats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from bot.domain.errors import BackendError, InvalidInput
from bot.domain.identifiers import DataId, EntityId, Note

MAX_RESULTS = 1000

SIMILAR_SCORE = 5.0
"""Least score of a match that is called similar."""

SAME_ITEM_SCORE = 8.0
"""Least score of the same item."""

COPY_SCORE = 9.0
"""Least score of a proved copy."""


class Verdict(StrEnum):
    """The kind of a match, in the words that people read."""

    SAME = "same image"
    EDITED = "edited copy"
    SAME_ITEM = "same item"
    """The same thing, photographed again: points or text prove it."""
    SIMILAR = "similar"
    UNLIKELY = "unlikely"
    """Less alike than SIMILAR_SCORE: probably unrelated."""

    @property
    def is_copy(self) -> bool:
        """Whether the match is the same picture, edited or not."""
        return self in {Verdict.SAME, Verdict.EDITED}

    @property
    def is_same_thing(self) -> bool:
        """Whether the match shows the same thing: a copy, or the same item in another photo."""
        return self.is_copy or self is Verdict.SAME_ITEM


class Edit(StrEnum):
    """What was done to a copy, as fingerprints or geometric alignment show."""

    CROPPED = "cropped"
    MIRRORED = "mirrored"
    ROTATED = "rotated"
    FRAMED = "framed"
    RECOLOURED = "recoloured"
    INVERTED = "inverted"
    OVERLAID = "with text or stickers added"
    PHOTOGRAPHED = "photographed"
    """A photo of a screen or of a print that shows the picture."""


@dataclass(frozen=True, slots=True)
class PictureRegion:
    """A rectangle of a picture. ``left``, ``top``, ``width`` and ``height`` are shares of the picture, from 0 to 1."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TextAgreement:
    """How many words two pictures share: ``agreeing`` of the ``words`` of the picture that has fewer.

    ``contradicts``: the layout is the same, but other words are in it, so neither picture is a copy of the other.
    """

    agreeing: int
    words: int
    contradicts: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A match of a search.

    ``score`` is from 0 to 10; higher is more alike. ``part`` is the part of the query that matched, or None for the
    whole. ``text`` says how far the texts of the two pictures agree, or None if either has none. ``aligned``: points,
    pixels or fingerprints showed how the one picture lies over the other. ``likeness`` is the back end's own score,
    before texts and what the database learned changed it, and ``lead`` that over the next id.

    Likeness alone is called similar from SIMILAR_SCORE on and unlikely below, whatever the back end said.
    """

    data_id: DataId
    entity: EntityId
    note: Note
    score: float
    verdict: Verdict = Verdict.SIMILAR
    edits: tuple[Edit, ...] = ()
    part: PictureRegion | None = None
    text: TextAgreement | None = None
    aligned: bool = False
    likeness: float | None = field(default=None, compare=False)
    lead: float = field(default=0.0, compare=False)

    @property
    def is_comparable(self) -> bool:
        """Whether a comparison can lay the two pictures over each other. Text alone says nothing of how they lie."""
        return self.aligned and self.verdict.is_same_thing

    def __post_init__(self) -> None:
        """Make the word for likeness follow from the score, so that nothing weak is called similar anywhere."""
        if self.verdict in {Verdict.SIMILAR, Verdict.UNLIKELY}:
            word = Verdict.SIMILAR if self.score >= SIMILAR_SCORE else Verdict.UNLIKELY
            object.__setattr__(self, "verdict", word)


class Caveat(StrEnum):
    """A remark that an answer is incomplete."""

    SAME_IMAGES_ONLY = "same images only"
    """The back end is unavailable; the matches are only copies found by our own fingerprints."""
    CROWDED_OUT = "crowded out"
    """The back end returned its maximum, mostly images of other databases; there may be more matches."""
    SETTLING = "settling"
    """The back end may not find recently added images yet. Such an answer isn't cached; the caveat isn't shown."""
    NOTHING_TO_COMPARE = "nothing to compare"
    """The picture that was searched for has practically one colour, so that similar images say little."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a search, and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CandidateEvidence:
    """What a back end found out about a candidate: the numbers behind its score and verdict.

    ``fingerprint`` is the Hamming distance of the fingerprints, or None if they are too far apart. ``verified``:
    whether the candidate was near enough to be compared point by point.
    """

    data_id: DataId
    cosine: float
    fingerprint: int | None
    verified: bool
    score: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """Why an answer is what it is: candidates, best first, and the steps in their order. For logs and operators.

    It names candidates that readers in Slack may not see, so never show it to them.
    """

    candidates: tuple[CandidateEvidence, ...] = ()
    stages: tuple[Stage, ...] = ()


NO_EVIDENCE = SearchEvidence()
"""The evidence of a back end that tells none."""


class Matches(tuple[Match, ...]):  # noqa: SLOT001 - a tuple with attributes can't have slots
    """The matches of a search, best first, with ``caveats`` and ``evidence``.

    ``cause``: the error that made them incomplete.
    """

    caveats: frozenset[Caveat]
    cause: BackendError | None
    evidence: SearchEvidence

    def __new__(
        cls,
        matches: Iterable[Match] = (),
        caveats: Iterable[Caveat] = (),
        cause: BackendError | None = None,
        evidence: SearchEvidence = NO_EVIDENCE,
    ) -> Self:
        """Create an answer from matches that are already in order."""
        answer = super().__new__(cls, matches)
        answer.caveats = frozenset(caveats)
        answer.cause = cause
        answer.evidence = evidence
        return answer


def validate_limit(limit: int) -> int:
    """Return the limit if it is from 1 to 1000. Raises InvalidInput if not."""
    if not 1 <= limit <= MAX_RESULTS:
        raise InvalidInput(f"The number of results must be from 1 to {MAX_RESULTS}.")
    return limit

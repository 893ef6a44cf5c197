"""Group the images of a search by entity: a match is an entity, however many pictures it has. Pure functions.

A back end returns images. Grouping them here, above its port, gives every back end the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import DataId, Note
from bot.domain.matches import COPY_SCORE, SAME_ITEM_SCORE, SIMILAR_SCORE, Match

CREDITED_IMAGES = 5
"""Images of an entity that count for its credit, the best ones first."""

STEEPNESS = 3.0
"""How fast an image's part in the credit falls with its distance to the best. Five equal images give 0.54 points, and
one that scores a point less than the best gives 0.02. Chosen on photographed groceries, see docs/scores.md."""

CREDIT_BOUNDS = (SIMILAR_SCORE, SAME_ITEM_SCORE, COPY_SCORE)
"""Scores that need likeness or evidence of their own. Credit never reaches the next one."""

BELOW_BOUND = 0.06
"""Distance that credit keeps from a bound, so that a score doesn't reach it when it is rounded."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that a search found. ``record`` is None if it isn't in the catalogue (any more)."""

    match: Match
    record: ImageRecord | None

    def seen_as(self, record: ImageRecord) -> FoundImage:
        """Return the image with the record that its readers see, and under the id that they may know."""
        return FoundImage(replace(self.match, entity=record.entity), record)


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """An entity that matches: its best image with the entity's score, and its rank.

    Attributes:
        rank: From 1.
        match: The best image. Its score is the entity's.
        record: The best image's record, or None for an image that isn't in the catalogue (any more).
        others: The entity's further images with at least the minimum score, best first, each with its own score.
        credit: What the agreement of several images added to the best image's score.
        link: The link of the entity, if its database has links.
        database: The name of its database, if several were searched.
    """

    rank: int
    match: Match
    record: ImageRecord | None
    others: tuple[FoundImage, ...] = ()
    credit: float = 0.0
    link: str = ""
    database: str = ""

    @property
    def note(self) -> Note:
        """The note of the record. Notes of the catalogue's images are not in the back end."""
        return self.match.note if self.record is None else self.record.note

    @property
    def photos(self) -> int:
        """How many images of the entity match."""
        return 1 + len(self.others)

    @property
    def images(self) -> tuple[FoundImage, ...]:
        """All images of the entity that match, each with its own score."""
        own = self.match if not self.credit else replace(self.match, score=self.match.score - self.credit)
        return (FoundImage(own, self.record), *self.others)

    def visible(self, shown: Mapping[DataId, ImageRecord]) -> tuple[RankedMatch, ...]:
        """Return the match with only the images that are ``shown``: one match for each id that their readers know."""
        entities: dict[str, list[FoundImage]] = {}
        for image in self.images:
            if image.match.data_id in shown:
                seen = image.seen_as(shown[image.match.data_id])
                entities.setdefault(seen.match.entity.key, []).append(seen)
        if [len(group) for group in entities.values()] == [self.photos]:
            [(best, *others)] = entities.values()
            match = replace(self.match, entity=best.match.entity)
            return (replace(self, match=match, record=best.record, others=tuple(others)),)
        return tuple(_entity_match(group, group, 0.0, self.rank) for group in entities.values())


@dataclass(frozen=True, slots=True)
class GroupedImages:
    """Matches with at least the minimum score, best first, and the best image of each weaker one."""

    matches: tuple[RankedMatch, ...]
    weaker: tuple[FoundImage, ...]


def agreement_credit(scores: Sequence[float]) -> float:
    """Return what an entity gains from the agreement of its images' scores, best first. At most 0.54.

    A copy gains nothing: its score is proved. Nothing lifts a score to one of CREDIT_BOUNDS.
    """
    best = scores[0]
    if best >= COPY_SCORE:
        return 0.0
    credit = math.log(sum(math.exp(STEEPNESS * (score - best)) for score in scores[:CREDITED_IMAGES])) / STEEPNESS
    bound = next(bound for bound in CREDIT_BOUNDS if best < bound)
    return max(0.0, min(credit, bound - BELOW_BOUND - best))


def group_by_entity(images: Iterable[FoundImage], minimum: float, credited: Container[DataId]) -> GroupedImages:
    """Return one match for each entity.

    Args:
        images: What was found, best first, without what readers may not see.
        minimum: Minimum score of a match, and of its further images.
        credited: Images that may add to an entity's score.
    """
    entities: dict[str, list[FoundImage]] = {}
    for image in images:
        entities.setdefault(image.match.entity.key, []).append(image)
    found = []
    for group in entities.values():
        may_agree = [image for image in group if image.match.data_id in credited] or group[:1]
        found.append(_entity_match(group, may_agree, minimum))
    # Of two entities that reached a bound by credit, the one with the better image comes first: sorting is stable.
    return _split(sorted(found, key=lambda one: -one.match.score), minimum)


def each_image(images: Iterable[FoundImage], minimum: float) -> GroupedImages:
    """Return one match for each image, best first, for those who judge images rather than entities."""
    return _split([RankedMatch(0, image.match, image.record) for image in images], minimum)


def ranked(matches: Iterable[RankedMatch]) -> tuple[RankedMatch, ...]:
    """Return matches with ranks from 1."""
    return tuple(replace(match, rank=rank) for rank, match in enumerate(matches, start=1))


def _entity_match(
    group: Sequence[FoundImage], may_agree: Sequence[FoundImage], minimum: float, rank: int = 0
) -> RankedMatch:
    best = group[0]
    agrees = may_agree[0] is best
    credit = agreement_credit([image.match.score for image in may_agree]) if agrees else 0.0
    others = tuple(image for image in group[1:] if image.match.score >= minimum)
    match = replace(best.match, score=best.match.score + credit) if credit else best.match
    return RankedMatch(rank, match, best.record, others, credit)


def _split(found: Sequence[RankedMatch], minimum: float) -> GroupedImages:
    return GroupedImages(
        ranked(one for one in found if one.match.score >= minimum),
        tuple(FoundImage(one.match, one.record) for one in found if one.match.score < minimum),
    )

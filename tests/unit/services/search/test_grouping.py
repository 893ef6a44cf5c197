"""Grouping by entity: an entity is one match, and agreement of its images counts within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.matches import Match, Verdict
from bot.services.search.grouping import (
    CREDIT_BOUNDS,
    FoundImage,
    GroupedImages,
    agreement_credit,
    each_image,
    group_by_entity,
)


def found(*images: tuple[str, str, float]) -> list[FoundImage]:
    """Return images of (data id, entity, score)."""
    return [FoundImage(Match(DataId(i), EntityId(entity), Note(), score), None) for i, entity, score in images]


def grouped(*images: tuple[str, str, float], minimum: float = 5.0) -> GroupedImages:
    return group_by_entity(found(*images), minimum, {DataId(image[0]) for image in images})


def test_entity_is_one_match_with_its_best_image_and_the_others() -> None:
    valve, pump = grouped(("a", "valve", 7.5), ("b", "pump", 6.9), ("c", "valve", 6.0), ("d", "valve", 4.0)).matches
    assert (valve.rank, valve.match.entity, valve.match.data_id, valve.photos) == (1, "valve", "a", 2)
    assert [(image.match.data_id, image.match.score) for image in valve.others] == [("c", 6.0)]
    assert (pump.rank, pump.photos) == (2, 1)


def test_spellings_of_an_id_are_one_entity() -> None:
    [valve] = grouped(("a", "Größe 7", 7.5), ("b", "GRÖSSE 7", 6.9)).matches
    assert (valve.match.entity, valve.photos) == ("Größe 7", 2)


def test_agreement_of_several_images_ranks_an_entity_above_a_single_one() -> None:
    result = grouped(("a", "one", 6.5), ("b", "many", 6.4), ("c", "many", 6.4), ("d", "many", 6.3))
    assert [match.match.entity for match in result.matches] == ["many", "one"]
    assert 6.5 < result.matches[0].match.score < 7.0
    # The image's own score can still be told.
    assert result.matches[0].images[0].match.score == pytest.approx(6.4)


def test_images_that_readers_may_not_have_been_checked_for_give_no_credit() -> None:
    images = found(("a", "many", 6.4), ("b", "many", 6.4))
    assert group_by_entity(images, 5, {DataId("a")}).matches[0].match.score == 6.4


@pytest.mark.parametrize("bound", CREDIT_BOUNDS)
def test_credit_crosses_no_bound(bound: float) -> None:
    result = grouped(*[(str(n), "many", bound - 0.1) for n in range(5)], minimum=0)
    assert bound - 0.1 < result.matches[0].match.score < bound - 0.05


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12).map(lambda scores: sorted(scores, reverse=True)))
def test_credit_is_small_and_keeps_the_verdicts_meaning(scores: list[float]) -> None:
    credit = agreement_credit(scores)
    assert 0 <= credit <= 0.54
    assert sum(scores[0] >= bound for bound in CREDIT_BOUNDS) == sum(
        scores[0] + credit >= bound for bound in CREDIT_BOUNDS
    )


def test_copies_gain_nothing_and_stay_on_top() -> None:
    result = grouped(("a", "copy", 9.0), ("b", "many", 8.9), *[(str(n), "many", 8.9) for n in range(5)])
    assert [(match.match.entity, round(match.match.score, 2)) for match in result.matches] == [
        ("copy", 9.0),
        ("many", 8.94),
    ]
    assert agreement_credit([9.2, 9.2]) == 0


def test_weaker_matches_are_counted_by_entity() -> None:
    result = grouped(("a", "valve", 6.0), ("b", "pump", 4.0), ("c", "pump", 3.0), ("d", "valve", 2.0))
    assert [image.match.entity for image in result.weaker] == ["pump"]


def test_images_can_be_judged_one_by_one() -> None:
    result = each_image(found(("a", "valve", 9.5), ("b", "valve", 9.2), ("c", "valve", 3.0)), 9)
    assert [(match.rank, match.match.data_id, match.photos) for match in result.matches] == [(1, "a", 1), (2, "b", 1)]
    assert len(result.weaker) == 1


@pytest.mark.parametrize(
    ("score", "verdict", "word"),
    [
        (5.0, Verdict.SIMILAR, "similar"),
        (4.99, Verdict.SIMILAR, "unlikely"),
        (6.0, Verdict.UNLIKELY, "similar"),
        (4.0, Verdict.EDITED, "edited copy"),
    ],
)
def test_nothing_weak_is_called_similar(score: float, verdict: Verdict, word: str) -> None:
    assert Match(DataId("a"), EntityId("valve"), Note(), score, verdict).verdict == word

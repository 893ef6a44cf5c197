"""Scores are from 0 to 10, rise with the evidence, and reach 9 only for proven copies."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bot.adapters.embedded.ports import FINGERPRINT_RADIUS, MAX_SIMILARITY_SCORE
from bot.adapters.embedded.verification import scoring
from bot.images.features.comparison.fine_print import Change

COSINES = st.floats(-1, 1)
SHARES = st.floats(0, 1)


@given(COSINES, COSINES)
def test_similarity_score_rises_and_stays_below_9(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert 0 <= scoring.similarity_score(low) <= scoring.similarity_score(high) <= MAX_SIMILARITY_SCORE < 9


@pytest.mark.parametrize("cosine", [-2.0, 1.0000004, 1.5, float("inf"), float("-inf")])
def test_similarity_score_of_cosines_beyond_one_stays_on_the_curve(cosine: float) -> None:
    assert 0 <= scoring.similarity_score(cosine) <= MAX_SIMILARITY_SCORE


def test_default_curve_is_valid() -> None:
    _assert_rises(scoring.DEFAULT_CALIBRATION)


@given(
    arrays.arrays(
        np.float32,
        st.integers(1, 200),
        elements=st.floats(-1, 1, width=32),
        fill=st.floats(-1, 1, width=32),
    )
)
def test_fitted_curve_rises_for_any_cosines(cosines: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    _assert_rises(scoring.fit_calibration(cosines))


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.5, 0.985, 0.9999, 1.0, 1.0001])
def test_equally_similar_pictures_have_a_curve(value: float) -> None:
    curve = scoring.fit_calibration(np.full(1000, value, np.float32))
    _assert_rises(curve)
    assert scoring.similarity_score(1.0, curve) == pytest.approx(MAX_SIMILARITY_SCORE)


def test_fitted_curve_reflects_the_quantiles_of_unrelated_pairs() -> None:
    cosines = np.random.default_rng(0).normal(0.5, 0.08, 200_000).astype(np.float32)
    curve = scoring.fit_calibration(cosines)
    for score, beyond in ((4.0, 0.01), (6.0, 0.001)):
        related = np.interp(cosines, [knot[0] for knot in curve], [knot[1] for knot in curve]) >= score
        assert float(related.mean()) == pytest.approx(beyond, rel=0.1)
    assert scoring.similarity_score(float(np.median(cosines)) - 0.001, curve) == 0


def test_similar_images_lower_the_score_of_a_cosine() -> None:
    """After calibration, the same cosine scores less in a database of similar images."""
    chance = np.random.default_rng(1)
    alike = scoring.fit_calibration(chance.normal(0.7, 0.05, 10_000).astype(np.float32))
    varied = scoring.fit_calibration(chance.normal(0.3, 0.05, 10_000).astype(np.float32))
    assert scoring.similarity_score(0.7, alike) < scoring.similarity_score(0.7, varied)


@given(SHARES, SHARES, SHARES)
def test_geometry_raises_the_score_and_only_proof_reaches_9(first: float, second: float, cosine: float) -> None:
    low, high = sorted((first, second))
    likeness = scoring.similarity_score(cosine)
    lower, higher = scoring.geometry_score(low, likeness), scoring.geometry_score(high, likeness)
    assert likeness <= lower <= higher + 1e-9 <= 10
    assert (lower >= 9) is (low >= scoring.PROOF)


@given(
    st.floats(-1, 1),
    st.one_of(st.floats(0, 10), st.just(math.inf), st.just(math.nan)),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_copy_probability_is_from_0_to_1(correlation: float, typical: float, inliers: int, extra: int) -> None:
    assert 0 <= scoring.copy_probability(correlation, typical, inliers, inliers + extra) <= 1


def test_more_agreement_raises_the_copy_probability() -> None:
    for correlations in itertools.pairwise(np.linspace(-1, 1, 21)):
        low, high = (scoring.copy_probability(float(value), 0.2, 40, 60) for value in correlations)
        assert low <= high
    for typicals in itertools.pairwise(np.linspace(0, 2, 21)):
        high, low = (scoring.copy_probability(0.9, float(value), 40, 60) for value in typicals)
        assert low <= high
    for inliers in itertools.pairwise(range(10, 61, 10)):
        low, high = (scoring.copy_probability(0.9, 0.2, 40, 40 + 60 - value) for value in inliers)
        assert low <= high


def test_copy_probability_without_matches_is_0() -> None:
    assert scoring.copy_probability(1.0, 0.0, 0, 0) == 0
    assert scoring.copy_probability(1.0, math.inf, 50, 50) == 0


@given(st.integers(0, FINGERPRINT_RADIUS), st.integers(0, FINGERPRINT_RADIUS))
def test_nearer_fingerprint_scores_higher_and_at_least_9(first: int, second: int) -> None:
    near, far = sorted((first, second))
    assert 9 <= scoring.fingerprint_score(far) <= scoring.fingerprint_score(near) <= 10


def test_equal_fingerprints_score_10() -> None:
    assert scoring.fingerprint_score(0) == 10


@given(st.integers(0, 256), st.floats(-1, 1), st.floats(-1, 1))
def test_fingerprint_proves_only_with_correlated_luminances(distance: int, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert scoring.fingerprint_proves(distance, low) <= scoring.fingerprint_proves(distance, high)
    assert not scoring.fingerprint_proves(distance, 0.5)
    assert distance <= FINGERPRINT_RADIUS or not scoring.fingerprint_proves(distance, 1.0)


def _assert_rises(curve: tuple[tuple[float, float], ...]) -> None:
    cosines, scores = zip(*curve, strict=True)
    assert all(low < high for low, high in itertools.pairwise(cosines))
    assert all(low < high for low, high in itertools.pairwise(scores))
    assert cosines[0] >= -1
    assert (cosines[-1], scores[0], scores[-1]) == (1.0, 0.0, MAX_SIMILARITY_SCORE)


@pytest.mark.parametrize("outliers", [0, 1, 10, 100])
def test_another_agreeing_point_never_lowers_the_copy_probability(outliers: int) -> None:
    for correlation, typical in ((0.5, 0.05), (0.9, 0.2)):
        found = [
            scoring.copy_probability(correlation, typical, inliers, inliers + outliers) for inliers in range(8, 400)
        ]
        assert found == sorted(found)


def test_all_of_many_points_prove_a_copy_under_a_logo() -> None:
    assert scoring.copy_probability(0.51, 0.05, 281, 281, 0.99) >= scoring.PROOF


def test_few_points_prove_a_copy_only_if_the_luminances_agree_well() -> None:
    assert scoring.copy_probability(0.9, 0.2, 9, 9, 0.96) < scoring.PROOF
    assert scoring.copy_probability(0.9, 0.05, 9, 9, 0.99) >= scoring.PROOF
    assert scoring.copy_probability(0.9, 0.2, 12, 12, 0.96) >= scoring.PROOF


def test_fingerprint_proves_a_copy_that_agrees_exactly_beside_a_caption() -> None:
    assert not scoring.fingerprint_proves(40, 0.7)
    assert scoring.fingerprint_proves(40, 0.7, trimmed=0.99, typical=0.02)
    assert not scoring.fingerprint_proves(FINGERPRINT_RADIUS + 1, 0.7, trimmed=0.99, typical=0.02)


def test_photograph_is_proved_by_half_of_the_points_and_equal_detail() -> None:
    assert scoring.proves_in_perspective(30, 50, 0.9, 0.01)
    assert not scoring.proves_in_perspective(30, 80, 0.9, 0.01)
    assert not scoring.proves_in_perspective(30, 50, 0.9, 0.2)
    assert not scoring.proves_in_perspective(19, 20, 0.9, 0.0)


def change(area: float = 0.01, **values: float) -> Change:
    usual = {"stored_detail": 0.9, "query_detail": 0.9, "ground": 0.01, "contrast": 150.0, "flatness": 0.6}
    return Change(side=9.0, area=area, **{**usual, **values})


def test_words_are_replaced_where_both_have_print_on_one_ground() -> None:
    assert scoring.has_other_words([change()])
    assert not scoring.has_other_words([])
    for values in ({"stored_detail": 0.1}, {"ground": 0.4}, {"flatness": 0.2}, {"contrast": 10.0}):
        assert not scoring.has_other_words([change(**values)])
    assert not scoring.has_other_words([change(0.01), change(0.1, ground=0.5)])


def test_additions_lie_on_the_plain_ground() -> None:
    assert scoring.is_added([change(0.1, stored_detail=0.05, ground=2.0)], 0.5)
    assert scoring.is_added([change(0.1, stored_detail=0.8, ground=0.5, flatness=0.2)], 0.95)
    assert not scoring.is_added([change(0.1, stored_detail=0.8, ground=0.5, flatness=0.2)], 0.8)
    assert not scoring.is_added([change(0.1, stored_detail=0.05, query_detail=0.1)], 0.95)
    assert not scoring.is_added([change(0.1, stored_detail=0.05, ground=2.0), change(0.02)], 0.95)
    assert not scoring.is_added([change(0.5, stored_detail=0.05)], 0.95)
    assert not scoring.is_added([], 0.95)


def test_two_shots_of_a_scene_change_too_much() -> None:
    assert scoring.changed_too_much([change(0.4)], 0.18)
    assert not scoring.changed_too_much([change(0.25)], 0.11)
    assert not scoring.changed_too_much([change(0.05)], 0.4)

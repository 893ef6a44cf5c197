"""Scores: within 0 and 10, rising with the evidence, and 9 only by proof."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bot.adapters.embedded import scoring
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS

COSINES = st.floats(-1, 1)
SHARES = st.floats(0, 1)


@given(COSINES, COSINES)
def test_likeness_rises_and_never_reaches_9(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert 0 <= scoring.similarity_score(low) <= scoring.similarity_score(high) <= scoring.MAX_SIMILARITY_SCORE < 9


@pytest.mark.parametrize("cosine", [-2.0, 1.0000004, 1.5, float("inf"), float("-inf")])
def test_likeness_of_cosines_beyond_one_stays_on_the_curve(cosine: float) -> None:
    assert 0 <= scoring.similarity_score(cosine) <= scoring.MAX_SIMILARITY_SCORE


def test_the_default_curve_is_one_that_fitting_could_give() -> None:
    _assert_rises(scoring.DEFAULT_CALIBRATION)


@given(
    arrays.arrays(
        np.float32,
        st.integers(1, 200),
        elements=st.floats(-1, 1, width=32),
        fill=st.floats(-1, 1, width=32),
    )
)
def test_a_fitted_curve_rises_whatever_the_cosines(cosines: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    _assert_rises(scoring.fit_calibration(cosines))


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.5, 0.985, 0.9999, 1.0, 1.0001])
def test_pictures_that_are_all_equally_alike_have_a_curve(value: float) -> None:
    curve = scoring.fit_calibration(np.full(1000, value, np.float32))
    _assert_rises(curve)
    assert scoring.similarity_score(1.0, curve) == pytest.approx(scoring.MAX_SIMILARITY_SCORE)


def test_a_fitted_curve_says_how_rare_a_cosine_is_among_unrelated_pairs() -> None:
    cosines = np.random.default_rng(0).normal(0.5, 0.08, 200_000).astype(np.float32)
    curve = scoring.fit_calibration(cosines)
    for score, beyond in ((4.0, 0.01), (6.0, 0.001)):
        related = np.interp(cosines, [knot[0] for knot in curve], [knot[1] for knot in curve]) >= score
        assert float(related.mean()) == pytest.approx(beyond, rel=0.1)
    assert scoring.similarity_score(float(np.median(cosines)) - 0.001, curve) == 0


def test_a_database_of_look_alikes_asks_for_more() -> None:
    """After calibration the same cosine means less among cartons of one brand."""
    chance = np.random.default_rng(1)
    alike = scoring.fit_calibration(chance.normal(0.7, 0.05, 10_000).astype(np.float32))
    varied = scoring.fit_calibration(chance.normal(0.3, 0.05, 10_000).astype(np.float32))
    assert scoring.similarity_score(0.7, alike) < scoring.similarity_score(0.7, varied)


@given(SHARES, SHARES, SHARES)
def test_geometry_lifts_likeness_and_only_proof_reaches_9(first: float, second: float, cosine: float) -> None:
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
def test_the_probability_of_a_copy_is_one(correlation: float, typical: float, inliers: int, extra: int) -> None:
    assert 0 <= scoring.copy_probability(correlation, typical, inliers, inliers + extra) <= 1


def test_more_agreement_makes_a_copy_likelier() -> None:
    for correlations in itertools.pairwise(np.linspace(-1, 1, 21)):
        low, high = (scoring.copy_probability(float(value), 0.2, 40, 60) for value in correlations)
        assert low <= high
    for typicals in itertools.pairwise(np.linspace(0, 2, 21)):
        high, low = (scoring.copy_probability(0.9, float(value), 40, 60) for value in typicals)
        assert low <= high
    for inliers in itertools.pairwise(range(10, 61, 10)):
        low, high = (scoring.copy_probability(0.9, 0.2, 40, 40 + 60 - value) for value in inliers)
        assert low <= high


def test_nothing_matched_proves_nothing() -> None:
    assert scoring.copy_probability(1.0, 0.0, 0, 0) == 0
    assert scoring.copy_probability(1.0, math.inf, 50, 50) == 0


@given(st.integers(0, FINGERPRINT_RADIUS), st.integers(0, FINGERPRINT_RADIUS))
def test_a_nearer_fingerprint_scores_higher_and_each_at_least_9(first: int, second: int) -> None:
    near, far = sorted((first, second))
    assert 9 <= scoring.fingerprint_score(far) <= scoring.fingerprint_score(near) <= 10


def test_the_same_fingerprint_scores_10() -> None:
    assert scoring.fingerprint_score(0) == 10


@given(st.integers(0, 256), st.floats(-1, 1), st.floats(-1, 1))
def test_a_fingerprint_needs_luminances_that_agree(distance: int, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert scoring.fingerprint_proves(distance, low) <= scoring.fingerprint_proves(distance, high)
    assert not scoring.fingerprint_proves(distance, 0.5)
    assert distance <= FINGERPRINT_RADIUS or not scoring.fingerprint_proves(distance, 1.0)


def _assert_rises(curve: tuple[tuple[float, float], ...]) -> None:
    cosines, scores = zip(*curve, strict=True)
    assert all(low < high for low, high in itertools.pairwise(cosines))
    assert all(low < high for low, high in itertools.pairwise(scores))
    assert cosines[0] >= -1
    assert (cosines[-1], scores[0], scores[-1]) == (1.0, 0.0, scoring.MAX_SIMILARITY_SCORE)

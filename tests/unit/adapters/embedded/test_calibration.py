"""Calibration: scores keep their meaning as a database grows, and follow its own pictures where they must."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.embedded.calibration import curves
from bot.adapters.embedded.calibration.curves import curve_for, default_curve, is_due, measure
from bot.adapters.embedded.calibration.stored import Calibration, ManualCurve, OwnPairs, dump, parse
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.retrieval.index import Floats
from bot.adapters.embedded.verification.scoring import similarity_score
from bot.domain.catalogue import ScoreFit
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
BUILT_IN, CUSTOM = "lite2-gem-int8-1-exact", "custom-1"


def unit_vectors(count: int, *, centre: float, seed: int = 0, dimensions: int = 128) -> Floats:
    """Return random vectors of norm 1 whose cosines lie around ``centre``."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, dimensions)) / np.sqrt(dimensions)
    shared = np.zeros(dimensions)
    shared[0] = np.sqrt(centre / (1 - centre))
    vectors = own + shared
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def names(count: int) -> list[str]:
    return [f"part_{number}" for number in range(count)]


@pytest.mark.parametrize("images", [80, 300, 1000, 5000, 50_000])
def test_unrelated_pictures_find_nothing_whatever_the_size(images: int) -> None:
    # The cosines of pictures whose kind isn't in the database, as measured (docs/scores.md): each picture has a mean of
    # its own, and the best of many unrelated images is far out in the tail.
    rng = np.random.default_rng(images)
    means = rng.normal(0.344, 0.03, 400)
    nearest = [rng.normal(mean, 0.056, images).max() for mean in means]
    curve = default_curve(images)
    nothing = np.mean([similarity_score(cosine, curve) < 5 for cosine in nearest])
    assert nothing >= 0.9
    # With a curve for a hundred times as many images, related pictures would be hidden for no reason.
    assert similarity_score(0.66, default_curve(80)) > 6


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_images_never_raise_a_score(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    for cosine in np.linspace(0, 1, 30).tolist():
        assert similarity_score(cosine, default_curve(more)) <= similarity_score(cosine, default_curve(fewer)) + 1e-9


@given(
    st.builds(
        OwnPairs,
        st.integers(1, 10**6),
        st.integers(1, 2000),
        st.floats(-0.2, 1),
        st.floats(-0.2, 1),
        st.tuples(st.floats(-0.2, 1), st.floats(-0.2, 1)),
    ),
    st.integers(0, 10**7),
    st.sampled_from([BUILT_IN, CUSTOM]),
)
def test_every_curve_rises(own: OwnPairs, images: int, model: str) -> None:
    curve = curve_for(own, images, model)
    assert [score for _, score in curve] == [0, 4, 5, 6, 8, 8.9]
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(curve))


def test_one_kind_of_goods_keeps_the_default() -> None:
    # Packages of one shelf have a lower quartile of 0.65. The right one must still be shown.
    goods = measure(names(150), unit_vectors(150, centre=0.65), 150)
    assert 0.6 < goods.typical < curves.ALL_ALIKE
    assert curve_for(goods, 150, BUILT_IN) == default_curve(150)


def test_pages_that_are_all_alike_are_not_called_similar() -> None:
    pages = unit_vectors(150, centre=0.93)
    own = measure(names(150), pages, 150)
    nearest = curves.nearest_others(names(150), pages)
    curve = curve_for(own, 150, BUILT_IN)
    assert np.mean([similarity_score(cosine, curve) < 5 for cosine in nearest]) >= 0.85
    assert all(similarity_score(cosine, default_curve(150)) > 8 for cosine in nearest)


@pytest.mark.parametrize("centre", [0.05, 0.6])
def test_another_models_cosines_get_the_usual_scores(centre: float) -> None:
    own = measure(names(200), unit_vectors(200, centre=centre), 200)
    curve = curve_for(own, 200, CUSTOM)
    assert similarity_score(own.median, curve) < 3
    assert similarity_score(1 - (1 - own.typical) * 0.2, curve) > 7


def test_images_of_one_id_are_not_compared() -> None:
    vectors = np.repeat(unit_vectors(60, centre=0.4), 2, axis=0)
    pairs = [name for name in names(60) for _ in range(2)]
    assert measure(pairs, vectors, 120).top[1] < 0.9
    assert measure(["one"] * 120, vectors, 120) == OwnPairs(120)


@pytest.mark.parametrize(
    ("stored", "images", "due"),
    [
        (None, 99, False),
        (None, 100, True),
        (OwnPairs(100, 100), 199, False),
        (OwnPairs(100, 100), 200, True),
        (OwnPairs(1000, 100), 500, True),
        (OwnPairs(150), 200, False),
        (ManualCurve(((0.3, 0.0), (1.0, 8.9))), 10**6, False),
    ],
)
def test_database_calibrates_itself_when_it_has_doubled(stored: Calibration, images: int, due: bool) -> None:
    assert is_due(stored, images) is due


@pytest.mark.parametrize(
    "stored", [None, OwnPairs(7), OwnPairs(9, 8, 0.1, 0.2, (0.3, 0.4)), ManualCurve(((0.1, 2.0),))]
)
def test_stored_calibration_is_read_back(stored: Calibration) -> None:
    assert parse(dump(stored)) == stored


async def fill(visual: EmbeddedSearch, storage: SqlStorage, seeds: Sequence[int]) -> None:
    async with storage.unit():
        for seed in seeds:
            await visual.add_image(PARTS, random_picture(seed), EntityId(f"part_{seed}"), Note())


async def test_engine_calibrates_a_grown_database_and_leaves_manual_curves_alone(storage: SqlStorage) -> None:
    visual = EmbeddedSearch(storage.vectors, FakeFeatureExtractor("custom-1"), FakeVerifier(), index_memory_bytes=2**20)
    await visual.create_database(PARTS)
    await fill(visual, storage, range(99))
    assert await visual.self_calibrate(PARTS) is None
    await fill(visual, storage, [99])
    assert await visual.calibrator.current_curve(PARTS) == default_curve(100)
    assert await visual.score_fits(PARTS.workspace) == {}
    assert await visual.self_calibrate(PARTS) == 100
    assert await visual.score_fits(PARTS.workspace) == {PARTS.name: ScoreFit(100)}
    assert await visual.score_fits(WorkspaceId("T0OTHER")) == {}
    own = await visual.calibrator.current_curve(PARTS)
    assert own != default_curve(100)
    assert await visual.self_calibrate(PARTS) is None
    # It isn't an operator's.
    assert await visual.calibrator.manual_curve(PARTS) is None
    # A reset holds until the database has doubled.
    await visual.calibrator.set_manual_curve(PARTS, None)
    assert await visual.calibrator.current_curve(PARTS) == default_curve(100)
    assert await visual.self_calibrate(PARTS) is None
    assert await visual.score_fits(PARTS.workspace) == {}
    await visual.calibrator.set_manual_curve(PARTS, ((0.2, 0.0), (1.0, 8.9)))
    assert await visual.score_fits(PARTS.workspace) == {PARTS.name: ScoreFit()}
    await fill(visual, storage, range(100, 200))
    assert await visual.self_calibrate(PARTS) is None
    assert await visual.calibrator.manual_curve(PARTS) == ((0.2, 0.0), (1.0, 8.9))

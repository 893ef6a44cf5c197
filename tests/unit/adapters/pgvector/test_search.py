"""Pgvector search finds the same as the in-memory index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Connection, bindparam, text

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import ImageFeatures
from bot.domain.catalogue import ScoreFit
from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import EntityId, Note
from bot.domain.pictures import Picture
from bot.storage.sql.schema.halfvec import Halfvec
from bot.storage.vectors.embedded import SqlVectorRows
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, noisy_copy, random_picture
from tests.unit.adapters.pgvector.harness import BRAND, MODEL, PARTS, Harness, are_same_matches, engine, fill


async def test_finds_the_same_as_the_in_memory_index(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(80))
    await fill(harness.pgvector, BRAND, range(40, 120))
    for seed in (0, 7, 19, 41, 99, 500):
        for limit in (1, 10, 1000):
            picture = noisy_copy(random_picture(seed), seed)
            found = await harness.pgvector.search(PARTS, picture, limit)
            assert are_same_matches(found, await harness.embedded.search(PARTS, picture, limit))


async def test_images_added_by_the_embedded_engine_are_found_after_filling(harness: Harness) -> None:
    await fill(harness.embedded, PARTS, range(30))
    assert await harness.pgvector.search(PARTS, random_picture(3)) == ()
    await harness.upkeep.open()
    assert (await harness.pgvector.search(PARTS, random_picture(3)))[0].entity == "part_3"
    found = await harness.pgvector.search(PARTS, random_picture(3))
    assert are_same_matches(found, await harness.embedded.search(PARTS, random_picture(3)))
    assert await harness.upkeep.fill_missing() == 0


async def test_point_features_are_stored_with_the_vector(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(3))

    def stored(rows: SqlVectorRows) -> set[bytes]:
        return set(rows.point_features(rows.vector_ids(rows.state(PARTS).id, MODEL)).values())

    assert await harness.rows.read(stored) == {random_picture(seed).digest.encode() for seed in range(3)}


async def test_pending_points_are_stored_with_the_vector_and_completed(harness: Harness) -> None:
    class Leaving(FakeFeatureExtractor):
        async def extract(self, picture: Picture) -> ImageFeatures:
            return replace(await super().extract(picture), point_features=b"", pending_points=b"later")

    visual = EmbeddedSearch(harness.rows, Leaving(MODEL), FakeVerifier(), name="pgvector")
    await visual.create_database(PARTS)
    await visual.add_image(PARTS, random_picture(1), EntityId("part_1"), Note())
    assert await visual.pending_points() == 1
    assert (await visual.complete_points(5), await visual.pending_points()) == (1, 0)


async def test_vectors_of_two_models_never_mix(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(5))
    other = engine(harness.rows, "another")
    with pytest.raises(ModelMismatch):
        await other.search(PARTS, random_picture(1))
    with pytest.raises(ModelMismatch):
        await other.add_image(PARTS, random_picture(9), EntityId("new"), Note())


async def test_half_precision_values_round_trip(harness: Harness) -> None:
    numbers = np.random.default_rng(0).normal(0, 0.03, 2_000).astype(np.float16)
    sent = text("SELECT CAST(CAST(:numbers AS halfvec) AS real[])").bindparams(bindparam("numbers", type_=Halfvec()))

    def work(connection: Connection) -> list[float]:
        return list(connection.execute(sent, {"numbers": numbers}).scalar_one())

    assert (np.array(await harness.storage._database.read(work), np.float16) == numbers).all()


async def test_fitted_scores_are_listed(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(2))
    assert await harness.pgvector.score_fits(PARTS.workspace) == {}
    await harness.pgvector.calibrator.set_manual_curve(PARTS, ((0.2, 0.0), (1.0, 8.9)))
    assert await harness.pgvector.score_fits(PARTS.workspace) == {PARTS.name: ScoreFit()}

"""The same item through the engine, with the real features: stored, found, and added to old databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from sqlalchemy import delete, select

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.reindexer import Reindexer
from bot.adapters.embedded.verification.point_completion import PointCompletion
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Verdict
from bot.domain.pictures import Picture
from bot.images.features import pending_points
from bot.storage.sql.schema.tables import embedded_pending_points, embedded_point_features
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.embedded import SqlVectorRows
from tests.fixtures.scenes import picture, scene
from tests.unit.adapters.embedded.verification.test_item_evidence import photographed, pixels_of

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
COUNT = 4


@pytest.fixture
async def extractor() -> AsyncIterator[PictureFeatureExtractor]:
    made = PictureFeatureExtractor(BuiltInModel(), 1)
    yield made
    await made.close()


@pytest.fixture
async def visual(storage: SqlStorage, extractor: PictureFeatureExtractor) -> EmbeddedSearch:
    made = EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=2**26)
    await made.create_database(PARTS)
    for seed in range(COUNT):
        await made.add_image(PARTS, stored(seed), EntityId(f"item_{seed}"), Note(), DataId(f"image_{seed}"))
    return made


def stored(seed: int) -> Picture:
    return picture(scene(seed))


def seen_in_side_light(seed: int) -> Picture:
    """Return a photo of a print whose left side lies in the dark, so that it is no copy of the picture."""
    pixels = photographed(pixels_of(seed)).astype(np.float32)
    light = 1.2 / (1 + np.exp(-8 * np.linspace(-1, 1, pixels.shape[1])))[None, :, None]
    return picture((pixels * light + 60 * (1 - light)).clip(0, 255).astype(np.uint8))


async def test_another_photo_of_an_item_is_called_the_same_item(visual: EmbeddedSearch) -> None:
    best, *others = await visual.search(PARTS, seen_in_side_light(2))
    assert (best.entity, best.verdict) == ("item_2", Verdict.SAME_ITEM)
    assert 8 <= best.score < 9
    assert {match.verdict for match in others} == {Verdict.SIMILAR}


async def test_copies_are_found_without_reading_point_features(
    visual: EmbeddedSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("point features were read")

    monkeypatch.setattr(SqlVectorRows, "point_features", fail)
    best = (await visual.search(PARTS, stored(2)))[0]
    assert (best.entity, best.verdict) == ("item_2", Verdict.SAME)


async def test_reindexing_adds_point_features_to_an_old_database(
    visual: EmbeddedSearch, storage: SqlStorage, extractor: PictureFeatureExtractor
) -> None:
    await storage._database.write(lambda connection: connection.execute(delete(embedded_point_features)))
    await storage._database.write(lambda connection: connection.execute(delete(embedded_pending_points)))
    query = seen_in_side_light(2)
    before = (await visual.search(PARTS, query))[0]
    assert (before.entity, before.verdict) == ("item_2", Verdict.SIMILAR)
    assert await storage.vectors.read(lambda rows: rows.lacking_points(extractor.model_id)) == [PARTS]

    async def picture_of(data_id: DataId) -> Picture:
        return stored(int(data_id.removeprefix("image_")))

    assert (await Reindexer(storage.vectors, extractor).reindex(PARTS, picture_of)).done == COUNT
    assert (await visual.search(PARTS, query))[0].verdict is Verdict.SAME_ITEM
    assert await storage.vectors.read(lambda rows: rows.lacking_points(extractor.model_id)) == []
    assert (await Reindexer(storage.vectors, extractor).reindex(PARTS, picture_of)).done == 0


async def test_search_answers_the_same_while_points_are_pending(visual: EmbeddedSearch, storage: SqlStorage) -> None:
    query = seen_in_side_light(2)
    assert await visual.pending_points() == COUNT
    early = await visual.search(PARTS, query)
    assert early[0].verdict is Verdict.SAME_ITEM
    assert await visual.pending_points() == COUNT, "a search only reads"
    while await visual.complete_points(3):
        pass
    assert await visual.pending_points() == 0
    assert await visual.search(PARTS, query) == early
    assert len(await point_rows(storage)) == COUNT


async def test_points_that_a_search_computed_are_saved_and_not_computed_again(
    visual: EmbeddedSearch, storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visual.search(PARTS, seen_in_side_light(2))
    monkeypatch.setattr(pending_points, "complete", None)
    assert (await visual.search(PARTS, seen_in_side_light(1)))[0].verdict is Verdict.SAME_ITEM
    await visual.delete_images(PARTS, EntityId("item_3"))
    await visual.points.save()
    assert await visual.pending_points() == 0
    assert len(await point_rows(storage)) == COUNT - 1, "of a deleted image, nothing is saved"


async def test_reindexing_leaves_no_points_pending(
    visual: EmbeddedSearch, storage: SqlStorage, extractor: PictureFeatureExtractor
) -> None:
    async def fail(_: DataId) -> Picture:
        raise AssertionError("a picture was read")

    assert (await Reindexer(storage.vectors, extractor).reindex(PARTS, fail)).done == 0
    assert await visual.pending_points() == 0


async def test_several_processes_complete_pending_points_once(visual: EmbeddedSearch, storage: SqlStorage) -> None:
    async def complete_all(points: PointCompletion) -> None:
        while await points.complete_some(2):
            pass

    await asyncio.gather(complete_all(visual.points), complete_all(PointCompletion(storage.vectors)))
    assert await visual.pending_points() == 0
    assert len(await point_rows(storage)) == COUNT


async def point_rows(storage: SqlStorage) -> list[int]:
    return list(
        await storage._database.read(
            lambda connection: connection.execute(select(embedded_point_features.c.vector_id)).scalars().all()
        )
    )

"""Reindexing a database: it switches completely or not at all, and runs can be resumed."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.reindexer import CONCURRENCY, Reindexer
from bot.domain.errors import ModelMismatch, PictureRefused, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pictures import Picture
from bot.storage.sql.schema.tables import embedded_local_features, embedded_vectors
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
OLD, NEW = "thumbnails-1", "thumbnails-2"
COUNT = 3 * CONCURRENCY + 3


class PowerCutError(Exception):
    pass


class PictureSource:
    """A source of pictures that can fail in several ways."""

    def __init__(self) -> None:
        self.pictures: dict[DataId, Picture] = {}
        self.asked = 0
        self.power_cut_after = 10_000

    async def picture_of(self, data_id: DataId) -> Picture:
        self.asked += 1
        if self.asked > self.power_cut_after:
            raise PowerCutError
        return self.pictures[data_id]


def engine(storage: SqlStorage, model: str) -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(model), FakeVerifier(), index_memory_bytes=2**26)


@pytest.fixture
async def picture_source(storage: SqlStorage) -> PictureSource:
    """The pictures of a database that the old model has embedded."""
    made = PictureSource()
    visual = engine(storage, OLD)
    await visual.create_database(PARTS)
    async with storage.unit():
        for seed in range(COUNT):
            data_id = await visual.add_image(PARTS, random_picture(seed), EntityId(f"part_{seed}"), Note())
            made.pictures[data_id] = random_picture(seed)
    return made


async def count(storage: SqlStorage) -> tuple[int, int]:
    """Return the numbers of vectors and of local features in the tables."""

    def rows(connection: Connection) -> tuple[int, int]:
        vectors = connection.execute(select(func.count()).select_from(embedded_vectors)).scalar_one()
        return vectors, connection.execute(select(func.count()).select_from(embedded_local_features)).scalar_one()

    return await storage._database.read(rows)


async def test_reindexed_database_works_only_with_the_new_model(
    storage: SqlStorage, picture_source: PictureSource
) -> None:
    new = engine(storage, NEW)
    with pytest.raises(ModelMismatch):
        await new.search(PARTS, random_picture(1))
    progress: list[int] = []
    result = await Reindexer(storage.vectors, FakeFeatureExtractor(NEW)).reindex(
        PARTS, picture_source.picture_of, progress.append
    )

    assert (result.done, result.unreadable, sum(progress)) == (COUNT, (), COUNT)
    assert len(await new.search(PARTS, random_picture(1), 1000)) == COUNT
    assert (await new.search(PARTS, random_picture(1)))[0].entity == "part_1"
    assert await count(storage) == (COUNT, COUNT)
    with pytest.raises(ModelMismatch):
        await engine(storage, OLD).search(PARTS, random_picture(1))


async def test_calibration_of_the_old_model_is_dropped_and_reported(
    storage: SqlStorage, picture_source: PictureSource
) -> None:
    await engine(storage, OLD).calibrator.set_manual_curve(PARTS, ((0.1, 0.0), (1.0, 8.9)))
    reindexer = Reindexer(storage.vectors, FakeFeatureExtractor(NEW))
    assert (await reindexer.reindex(PARTS, picture_source.picture_of)).uncalibrated
    assert await engine(storage, NEW).calibrator.manual_curve(PARTS) is None
    await engine(storage, NEW).calibrator.set_manual_curve(PARTS, ((0.1, 0.0), (1.0, 8.9)))
    assert not (await reindexer.reindex(PARTS, picture_source.picture_of)).uncalibrated
    assert await engine(storage, NEW).calibrator.manual_curve(PARTS) is not None


async def test_stopped_run_is_resumed(storage: SqlStorage, picture_source: PictureSource) -> None:
    old = engine(storage, OLD)
    reindexer = Reindexer(storage.vectors, FakeFeatureExtractor(NEW))
    picture_source.power_cut_after = 2 * CONCURRENCY + 1
    with pytest.raises(PowerCutError):
        await reindexer.reindex(PARTS, picture_source.picture_of)

    assert len(await old.search(PARTS, random_picture(1), 1000)) == COUNT
    picture_source.asked, picture_source.power_cut_after = 0, 10_000
    assert (await reindexer.reindex(PARTS, picture_source.picture_of)).done == COUNT - 2 * CONCURRENCY
    assert picture_source.asked == COUNT - 2 * CONCURRENCY
    assert len(await engine(storage, NEW).search(PARTS, random_picture(1), 1000)) == COUNT


async def test_images_may_be_added_and_deleted_meanwhile(storage: SqlStorage, picture_source: PictureSource) -> None:
    old = engine(storage, OLD)
    added = False

    async def load_picture(data_id: DataId) -> Picture:
        nonlocal added
        if not added:
            added = True
            late = await old.add_image(PARTS, random_picture(900), EntityId("late"), Note())
            picture_source.pictures[late] = random_picture(900)
            await old.delete_images(PARTS, EntityId("part_0"))
        return picture_source.pictures[data_id]

    await Reindexer(storage.vectors, FakeFeatureExtractor(NEW)).reindex(PARTS, load_picture)
    entities = {match.entity for match in await engine(storage, NEW).search(PARTS, random_picture(900), 1000)}
    assert "late" in entities
    assert "part_0" not in entities
    assert len(entities) == COUNT
    assert await count(storage) == (COUNT, COUNT)


async def test_missing_picture_keeps_the_old_model(storage: SqlStorage, picture_source: PictureSource) -> None:
    lost, broken = sorted(picture_source.pictures)[3:5]

    async def load_picture(data_id: DataId) -> Picture:
        if data_id == lost:
            raise KeyError(data_id)
        if data_id == broken:
            raise PictureRefused("It is damaged.")
        return picture_source.pictures[data_id]

    reindexer = Reindexer(storage.vectors, FakeFeatureExtractor(NEW))
    result = await reindexer.reindex(PARTS, load_picture)
    assert result.done == COUNT - 2
    assert set(result.unreadable) == {lost, broken}
    old = engine(storage, OLD)
    matches = await old.search(PARTS, random_picture(1), 1000)
    assert len(matches) == COUNT

    for match in matches:
        if match.data_id in result.unreadable:
            await old.delete_images(PARTS, match.entity, match.data_id)
    assert (await reindexer.reindex(PARTS, load_picture)).unreadable == ()
    assert len(await engine(storage, NEW).search(PARTS, random_picture(1), 1000)) == COUNT - 2


async def test_calibration_of_the_old_model_is_dropped(storage: SqlStorage, picture_source: PictureSource) -> None:
    await engine(storage, OLD).calibrator.set_manual_curve(PARTS, ((0.0, 0.0), (1.0, 8.9)))
    await Reindexer(storage.vectors, FakeFeatureExtractor(NEW)).reindex(PARTS, picture_source.picture_of)
    assert await engine(storage, NEW).calibrator.manual_curve(PARTS) is None


async def test_same_model_changes_nothing(storage: SqlStorage, picture_source: PictureSource) -> None:
    await engine(storage, OLD).calibrator.set_manual_curve(PARTS, ((0.0, 0.0), (1.0, 8.9)))
    assert (
        await Reindexer(storage.vectors, FakeFeatureExtractor(OLD)).reindex(PARTS, picture_source.picture_of)
    ).done == 0
    assert picture_source.asked == 0
    assert await engine(storage, OLD).calibrator.manual_curve(PARTS) is not None


async def test_missing_database_raises_unknown_database(storage: SqlStorage, picture_source: PictureSource) -> None:
    absent = DatabaseKey(PARTS.workspace, DatabaseName("absent"))
    with pytest.raises(UnknownDatabase):
        await Reindexer(storage.vectors, FakeFeatureExtractor(NEW)).reindex(absent, picture_source.picture_of)

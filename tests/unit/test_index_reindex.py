"""Moving a database to another model: all or nothing, and resumable."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.reindex import AT_ONCE, Reindexer
from bot.errors import ModelMismatch, PictureRefused, UnknownDatabase
from bot.models import DatabaseKey, DatabaseName, DataId, EntityId, Note, Picture, WorkspaceId
from bot.storage.schema import embedded_sketches, embedded_vectors
from bot.storage.sql import SqlStorage
from tests.fakes.analyser import FakeAnalyser, FakeJudge, painted

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
OLD, NEW = "thumbnails-1", "thumbnails-2"
COUNT = 3 * AT_ONCE + 3


class PowerCutError(Exception):
    pass


class Shelf:
    """Where the pictures are; it can fail in several ways."""

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
    return EmbeddedSearch(storage.vectors, FakeAnalyser(model), FakeJudge(), index_memory_bytes=2**26)


@pytest.fixture
async def shelf(storage: SqlStorage) -> Shelf:
    """The pictures of a database that the old model has seen."""
    made = Shelf()
    visual = engine(storage, OLD)
    await visual.create_database(PARTS)
    async with storage.unit():
        for seed in range(COUNT):
            data_id = await visual.add_image(PARTS, painted(seed), EntityId(f"part_{seed}"), Note())
            made.pictures[data_id] = painted(seed)
    return made


async def count(storage: SqlStorage) -> tuple[int, int]:
    """Vectors and sketches in the file."""

    def rows(connection: Connection) -> tuple[int, int]:
        vectors = connection.execute(select(func.count()).select_from(embedded_vectors)).scalar_one()
        return vectors, connection.execute(select(func.count()).select_from(embedded_sketches)).scalar_one()

    return await storage._database.read(rows)


async def test_afterwards_the_new_model_searches_and_the_old_one_is_refused(storage: SqlStorage, shelf: Shelf) -> None:
    new = engine(storage, NEW)
    with pytest.raises(ModelMismatch):
        await new.search(PARTS, painted(1))
    progress: list[int] = []
    result = await Reindexer(storage.vectors, FakeAnalyser(NEW)).reindex(PARTS, shelf.picture_of, progress.append)

    assert (result.done, result.unreadable, sum(progress)) == (COUNT, (), COUNT)
    assert len(await new.search(PARTS, painted(1), 1000)) == COUNT
    assert (await new.search(PARTS, painted(1)))[0].entity == "part_1"
    assert await count(storage) == (COUNT, COUNT)
    with pytest.raises(ModelMismatch):
        await engine(storage, OLD).search(PARTS, painted(1))


async def test_a_score_curve_that_belonged_to_the_old_model_is_dropped_and_reported(
    storage: SqlStorage, shelf: Shelf
) -> None:
    await engine(storage, OLD).set_calibration(PARTS, ((0.1, 0.0), (1.0, 8.9)))
    reindexer = Reindexer(storage.vectors, FakeAnalyser(NEW))
    assert (await reindexer.reindex(PARTS, shelf.picture_of)).uncalibrated
    assert await engine(storage, NEW).calibration(PARTS) is None
    await engine(storage, NEW).set_calibration(PARTS, ((0.1, 0.0), (1.0, 8.9)))
    assert not (await reindexer.reindex(PARTS, shelf.picture_of)).uncalibrated
    assert await engine(storage, NEW).calibration(PARTS) is not None


async def test_it_goes_on_where_it_was_stopped(storage: SqlStorage, shelf: Shelf) -> None:
    old = engine(storage, OLD)
    reindexer = Reindexer(storage.vectors, FakeAnalyser(NEW))
    shelf.power_cut_after = 2 * AT_ONCE + 1
    with pytest.raises(PowerCutError):
        await reindexer.reindex(PARTS, shelf.picture_of)

    assert len(await old.search(PARTS, painted(1), 1000)) == COUNT
    shelf.asked, shelf.power_cut_after = 0, 10_000
    assert (await reindexer.reindex(PARTS, shelf.picture_of)).done == COUNT - 2 * AT_ONCE
    assert shelf.asked == COUNT - 2 * AT_ONCE
    assert len(await engine(storage, NEW).search(PARTS, painted(1), 1000)) == COUNT


async def test_images_that_are_added_and_deleted_meanwhile(storage: SqlStorage, shelf: Shelf) -> None:
    old = engine(storage, OLD)
    added = False

    async def picture_of(data_id: DataId) -> Picture:
        nonlocal added
        if not added:
            added = True
            late = await old.add_image(PARTS, painted(900), EntityId("late"), Note())
            shelf.pictures[late] = painted(900)
            await old.delete_images(PARTS, EntityId("part_0"))
        return shelf.pictures[data_id]

    await Reindexer(storage.vectors, FakeAnalyser(NEW)).reindex(PARTS, picture_of)
    entities = {match.entity for match in await engine(storage, NEW).search(PARTS, painted(900), 1000)}
    assert "late" in entities
    assert "part_0" not in entities
    assert len(entities) == COUNT
    assert await count(storage) == (COUNT, COUNT)


async def test_with_a_picture_missing_the_old_model_stays(storage: SqlStorage, shelf: Shelf) -> None:
    lost, broken = sorted(shelf.pictures)[3:5]

    async def picture_of(data_id: DataId) -> Picture:
        if data_id == lost:
            raise KeyError(data_id)
        if data_id == broken:
            raise PictureRefused("It is damaged.")
        return shelf.pictures[data_id]

    reindexer = Reindexer(storage.vectors, FakeAnalyser(NEW))
    result = await reindexer.reindex(PARTS, picture_of)
    assert result.done == COUNT - 2
    assert set(result.unreadable) == {lost, broken}
    old = engine(storage, OLD)
    matches = await old.search(PARTS, painted(1), 1000)
    assert len(matches) == COUNT

    for match in matches:
        if match.data_id in result.unreadable:
            await old.delete_images(PARTS, match.entity, match.data_id)
    assert (await reindexer.reindex(PARTS, picture_of)).unreadable == ()
    assert len(await engine(storage, NEW).search(PARTS, painted(1), 1000)) == COUNT - 2


async def test_the_curve_of_the_old_model_does_not_outlive_it(storage: SqlStorage, shelf: Shelf) -> None:
    await engine(storage, OLD).set_calibration(PARTS, ((0.0, 0.0), (1.0, 8.9)))
    await Reindexer(storage.vectors, FakeAnalyser(NEW)).reindex(PARTS, shelf.picture_of)
    assert await engine(storage, NEW).calibration(PARTS) is None


async def test_with_the_same_model_nothing_is_done(storage: SqlStorage, shelf: Shelf) -> None:
    await engine(storage, OLD).set_calibration(PARTS, ((0.0, 0.0), (1.0, 8.9)))
    assert (await Reindexer(storage.vectors, FakeAnalyser(OLD)).reindex(PARTS, shelf.picture_of)).done == 0
    assert shelf.asked == 0
    assert await engine(storage, OLD).calibration(PARTS) is not None


async def test_an_unknown_database(storage: SqlStorage, shelf: Shelf) -> None:
    absent = DatabaseKey(PARTS.workspace, DatabaseName("absent"))
    with pytest.raises(UnknownDatabase):
        await Reindexer(storage.vectors, FakeAnalyser(NEW)).reindex(absent, shelf.picture_of)

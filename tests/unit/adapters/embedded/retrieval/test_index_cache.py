"""IndexCache: the memory budget, updates after writes, and the same results from disk."""

from __future__ import annotations

import asyncio
import errno
import threading

import numpy as np
import pytest
from sqlalchemy import Connection, func, select, update

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.retrieval import index
from bot.adapters.embedded.retrieval.half_rows import HalfRows
from bot.adapters.embedded.retrieval.index import memory_for
from bot.domain.errors import BackendDown, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import Match
from bot.storage.sql.schema.tables import embedded_vectors
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import DIMENSIONS, FakeFeatureExtractor, FakeVerifier, noisy_copy, random_picture

ROOMY = 64 * 2**20
ONE = memory_for(DIMENSIONS, 20)


def engine(storage: SqlStorage, budget: int = ROOMY) -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=budget)


def key(number: int = 0) -> DatabaseKey:
    return DatabaseKey(WorkspaceId("T1"), DatabaseName(f"db_{number}"))


async def fill(storage: SqlStorage, database: DatabaseKey, seeds: range) -> None:
    visual = engine(storage)
    if database.name not in await visual.list_databases(database.workspace):
        await visual.create_database(database)
    async with storage.unit():
        for seed in seeds:
            await visual.add_image(database, random_picture(seed), EntityId(f"part_{seed}"), Note())


async def answers(visual: EmbeddedSearch, database: DatabaseKey, seeds: range) -> list[tuple[Match, ...]]:
    return [await visual.search(database, noisy_copy(random_picture(seed)), 30) for seed in seeds]


async def test_small_budget_gives_the_same_matches_as_a_large_one(storage: SqlStorage) -> None:
    for number in range(8):
        await fill(storage, key(number), range(number * 20, number * 20 + 20))
    tight, roomy = engine(storage, 3 * ONE), engine(storage)
    for number in [*range(8), 0, 7, 3, 3, 1]:
        seeds = range(number * 20, number * 20 + 3)
        assert await answers(tight, key(number), seeds) == await answers(roomy, key(number), seeds)
        assert 0 < tight.index_memory <= 3 * ONE
    assert roomy.index_memory > 3 * ONE


async def test_full_disk_costs_time_and_no_match(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index, "CODED_BYTES", 0)
    await fill(storage, key(), range(60))
    visual, usual = engine(storage), engine(storage)
    expected = await answers(usual, key(), range(5))
    with monkeypatch.context() as patches:

        def full(*given: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patches.setattr(HalfRows, "append", full)
        assert await answers(visual, key(), range(5)) == expected
        assert visual.index_memory == 0
    assert "No space left" in caplog.text
    assert await answers(visual, key(), range(5)) == expected
    assert visual.index_memory > 0
    with monkeypatch.context() as patches:
        patches.setattr(HalfRows, "read", full)
        assert await answers(visual, key(), range(5)) == expected


async def test_database_beyond_the_budget_is_searched_from_disk(storage: SqlStorage) -> None:
    await fill(storage, key(), range(60))
    streamed, resident = engine(storage, ONE), engine(storage)
    assert await answers(streamed, key(), range(5)) == await answers(resident, key(), range(5))
    assert streamed.index_memory == 0


async def test_streamed_database_does_not_evict_a_small_one(storage: SqlStorage) -> None:
    await fill(storage, key(0), range(200))
    await fill(storage, key(1), range(5))
    visual = engine(storage, ONE)
    await visual.search(key(1), random_picture(1))
    held = visual.index_memory
    await visual.search(key(0), random_picture(1))
    assert visual.index_memory == held > 0


async def test_database_that_outgrows_the_budget_is_streamed(storage: SqlStorage) -> None:
    visual = engine(storage, 2 * ONE)
    for start in range(0, 400, 50):
        await fill(storage, key(), range(start, start + 50))
        assert (await visual.search(key(), random_picture(start + 49), 1))[0].entity == f"part_{start + 49}"
        assert visual.index_memory <= 2 * ONE
    assert visual.index_memory == 0


async def test_next_search_sees_writes_of_another_engine(storage: SqlStorage) -> None:
    await fill(storage, key(), range(30))
    here, there = engine(storage), engine(storage)
    assert len(await here.search(key(), random_picture(1), 1000)) == 30

    await there.add_image(key(), random_picture(500), EntityId("new"), Note())
    assert (await here.search(key(), random_picture(500)))[0].entity == "new"

    await there.delete_images(key(), EntityId("part_3"))
    await there.add_image(key(), random_picture(501), EntityId("newer"), Note())
    found = {match.entity for match in await here.search(key(), random_picture(3), 1000)}
    assert len(found) == 31
    assert "part_3" not in found
    assert "newer" in found

    await there.delete_database(key())
    await there.create_database(key())
    assert await here.search(key(), random_picture(1)) == ()
    await there.add_image(key(), random_picture(2), EntityId("fresh"), Note())
    assert [match.entity for match in await here.search(key(), random_picture(1), 1000)] == ["fresh"]

    await there.delete_database(key())
    with pytest.raises(UnknownDatabase):
        await here.search(key(), random_picture(1))


async def test_deleting_most_images_frees_memory(storage: SqlStorage) -> None:
    await fill(storage, key(), range(600))
    visual = engine(storage)
    await visual.search(key(), random_picture(1))
    before = visual.index_memory
    async with storage.unit():
        for seed in range(20, 600):
            await visual.delete_images(key(), EntityId(f"part_{seed}"))
    assert len(await visual.search(key(), random_picture(1), 1000)) == 20
    assert visual.index_memory < before / 4


async def test_database_can_be_emptied_and_refilled(storage: SqlStorage) -> None:
    await fill(storage, key(), range(3))
    visual = engine(storage)
    assert len(await visual.search(key(), random_picture(1))) == 3
    for seed in range(3):
        await visual.delete_images(key(), EntityId(f"part_{seed}"))
    assert await visual.search(key(), random_picture(1)) == ()
    await visual.add_image(key(), random_picture(9), EntityId("again"), Note())
    assert [match.entity for match in await visual.search(key(), random_picture(1))] == ["again"]


async def test_deleting_a_database_frees_its_memory(storage: SqlStorage) -> None:
    await fill(storage, key(), range(3))
    visual = engine(storage)
    await visual.search(key(), random_picture(1))
    assert visual.index_memory > 0
    await visual.delete_database(key())
    assert visual.index_memory == 0


class GaveUpError(Exception):
    pass


async def test_rolled_back_images_are_not_cached(storage: SqlStorage) -> None:
    await fill(storage, key(), range(5))
    visual = engine(storage)

    async def give_up() -> None:
        async with storage.unit():
            await visual.add_image(key(), random_picture(70), EntityId("ghost"), Note())
            await visual.search(key(), random_picture(70))
            raise GaveUpError

    with pytest.raises(GaveUpError):
        await give_up()
    await visual.add_image(key(), random_picture(80), EntityId("real"), Note())
    assert (await visual.search(key(), random_picture(80)))[0].entity == "real"
    assert "ghost" not in {match.entity for match in await visual.search(key(), random_picture(70), 1000)}


async def test_damaged_row_affects_only_its_database(storage: SqlStorage) -> None:
    await fill(storage, key(0), range(3))
    await fill(storage, key(1), range(3))
    visual = engine(storage)

    def spoil(connection: Connection) -> None:
        first = connection.execute(select(func.min(embedded_vectors.c.id))).scalar_one()
        change = update(embedded_vectors).where(embedded_vectors.c.id == first)
        connection.execute(change.values(embedding=b"0"))

    await storage._database.write(spoil)
    with pytest.raises(BackendDown):
        await visual.search(key(0), random_picture(1))
    assert len(await visual.search(key(1), random_picture(1))) == 3
    assert visual.index_memory <= memory_for(DIMENSIONS, 3)


async def test_concurrent_searches_agree(storage: SqlStorage) -> None:
    for number in range(3):
        await fill(storage, key(number), range(40))
    visual = engine(storage, 2 * memory_for(DIMENSIONS, 40))
    expected = await engine(storage).search(key(0), noisy_copy(random_picture(5)), 40)

    async def look(number: int) -> tuple[str, ...]:
        found = await visual.search(key(number % 3), noisy_copy(random_picture(5)), 40)
        return tuple(match.entity for match in found)

    every = await asyncio.gather(*(look(number) for number in range(60)))
    assert set(every) == {tuple(match.entity for match in expected)}
    assert visual.index_memory <= 2 * memory_for(DIMENSIONS, 40)
    assert threading.active_count() < 20
    assert np.isfinite([match.score for match in expected]).all()

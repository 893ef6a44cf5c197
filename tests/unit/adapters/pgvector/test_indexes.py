"""Large databases get an index of their own. It finds the same as an exact search."""

from __future__ import annotations

import asyncio
from functools import partial

import numpy as np
import pytest
from sqlalchemy import bindparam, text

from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.storage.removals.tombstones import INLINE_ROWS
from bot.storage.sql.schema.halfvec import Halfvec
from bot.storage.vectors.embedded import SqlVectorRows
from bot.storage.vectors.pgvector import PgvectorRows, index_name
from tests.fakes.features import noisy_copy, random_picture
from tests.unit.adapters.pgvector.harness import BRAND, LARGE, MODEL, PARTS, Harness, are_same_matches, engine, fill

LONGEST_S = 10


def is_indexed(key: DatabaseKey, rows: SqlVectorRows) -> bool:
    assert isinstance(rows, PgvectorRows)
    return rows.is_indexed(rows.state(key).id, MODEL)


async def row_id(harness: Harness, key: DatabaseKey) -> int:
    return (await harness.rows.snapshot(lambda rows: rows.state(key))).id


async def plan(harness: Harness, key: DatabaseKey, *, by_index: bool) -> str:
    """Return PostgreSQL's query plan for the nearest rows."""

    def work(rows: SqlVectorRows) -> str:
        assert isinstance(rows, PgvectorRows)
        state = rows.state(key)
        plans: list[str] = []
        execute = rows._connection.execute

        class Explaining:
            def execute(self, statement: object, given: object) -> list[tuple[int, float]]:
                probed = text(f"EXPLAIN {statement}").bindparams(bindparam("probe", type_=Halfvec()))
                explained = execute(probed, given)  # type: ignore[call-overload]
                plans.extend(row[0] for row in explained)
                return []

        rows._connection = Explaining()  # type: ignore[assignment]
        embedding = np.ones(192, np.float32)
        rows.nearest(state.id, MODEL, embedding, 10, by_index=by_index)
        return "\n".join(plans)

    return await harness.rows.snapshot(work)


async def test_only_large_databases_get_an_index(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(200))
    await fill(harness.pgvector, BRAND, range(LARGE - 1))
    assert await harness.upkeep.index_large() == 1
    assert await harness.upkeep.index_large() == 0
    for key, expected in ((PARTS, True), (BRAND, False)):
        assert await harness.rows.snapshot(partial(is_indexed, key)) is expected
    by_index = await plan(harness, PARTS, by_index=True)
    assert index_name(await row_id(harness, PARTS), MODEL) in by_index
    assert "ix_pgvector_" not in (await plan(harness, PARTS, by_index=False)).replace("ix_pgvector_rows_", "")


async def test_index_finds_the_same_as_an_exact_search(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(200))
    await harness.upkeep.index_large()
    # The engine caches for a while which databases have an index.
    searching = engine(harness.rows)
    for seed in range(0, 200, 9):
        picture = noisy_copy(random_picture(seed), seed)
        found = await searching.search(PARTS, picture)
        assert are_same_matches(found, await harness.embedded.search(PARTS, picture))
    assert len(await searching.search(PARTS, random_picture(1), 1000)) == 200


async def test_index_returns_as_many_rows_as_requested(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(200))
    await harness.upkeep.index_large()

    def found(rows: SqlVectorRows) -> int:
        assert isinstance(rows, PgvectorRows)
        return len(rows.nearest(rows.state(PARTS).id, MODEL, np.ones(192, np.float32), 150, by_index=True))

    # By default, an HNSW scan returns 40 rows (hnsw.ef_search).
    assert await harness.rows.snapshot(found) == 150


async def test_index_follows_adds_and_deletions(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(100))
    await harness.upkeep.index_large()
    searching = engine(harness.rows)
    await searching.add_image(PARTS, random_picture(700), EntityId("late"), Note())
    assert (await searching.search(PARTS, random_picture(700)))[0].entity == "late"
    for seed in range(0, 100, 2):
        await searching.delete_images(PARTS, EntityId(f"part_{seed}"))
    found = await searching.search(PARTS, random_picture(3), 40)
    assert len(found) == 40
    assert not {match.entity for match in found} & {f"part_{seed}" for seed in range(0, 100, 2)}
    await searching.delete_database(PARTS)
    with pytest.raises(UnknownDatabase):
        await searching.search(PARTS, random_picture(3))


async def test_database_that_is_being_deleted_loses_its_index_and_gets_none(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(LARGE + INLINE_ROWS))
    assert await harness.upkeep.index_large() == 1
    named = {"name": index_name(await row_id(harness, PARTS), MODEL)}
    await harness.pgvector.delete_database(PARTS)
    assert await harness.upkeep.index_large() == 0
    exists = text("SELECT to_regclass(:name) IS NOT NULL")
    assert not await harness.storage._database.read(lambda connection: connection.execute(exists, named).scalar())


async def test_half_built_index_is_rebuilt(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(LARGE))
    await harness.upkeep.index_large()
    state = await harness.rows.snapshot(lambda rows: rows.state(PARTS))
    name = index_name(state.id, MODEL)
    half = text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)")
    await harness.storage._database.write(lambda connection: connection.execute(half, {"name": name}).rowcount)
    assert await harness.upkeep.index_large() == 1
    assert (await engine(harness.rows).search(PARTS, random_picture(3)))[0].entity == "part_3"


async def test_cancellation_stops_building_an_index(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(LARGE))
    named = {"name": index_name(await row_id(harness, PARTS), MODEL)}
    half = text("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")
    database = harness.storage._database

    async def half_built() -> int:
        return await database.snapshot(lambda connection: connection.execute(half, named).scalar_one())

    async with asyncio.timeout(LONGEST_S), harness.storage.unit():
        # CREATE INDEX CONCURRENTLY waits for open write transactions before it builds.
        lock = text("LOCK pgvector_rows IN ROW EXCLUSIVE MODE")
        await database.write(lambda connection: connection.execute(lock).close())
        building = asyncio.create_task(harness.upkeep.index_large())
        while not await half_built():  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.01)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        assert await half_built()
    assert await harness.upkeep.index_large() == 1
    assert await harness.rows.snapshot(partial(is_indexed, PARTS))

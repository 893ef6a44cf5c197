"""Pgvector search finds the same as the in-memory index, with and without a database index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, bindparam, text

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import ImageFeatures
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.adapters.pgvector.fingerprint_cache import BYTES_PER_IMAGE
from bot.config.settings import Settings
from bot.domain.catalogue import ScoreFit
from bot.domain.errors import BackendRefused, ModelMismatch, SettingsError, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Match
from bot.domain.pictures import Picture
from bot.storage.removals.tombstones import INLINE_ROWS
from bot.storage.sql.schema.halfvec import Halfvec
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.embedded import SqlVectorRows
from bot.storage.vectors.pgvector import PgvectorRows, PgvectorVectorStore, index_name
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, flat_picture, noisy_copy, random_picture

PARTS, BRAND = (DatabaseKey(WorkspaceId("T1"), DatabaseName(name)) for name in ("parts", "brand"))
LARGE = 60
LONGEST_S = 10
MODEL = "thumbnails: it's 1"
"""A model name with characters that need quoting."""


@dataclass(frozen=True, slots=True)
class Harness:
    storage: SqlStorage
    rows: PgvectorVectorStore
    upkeep: PgvectorMaintenance
    pgvector: EmbeddedSearch
    embedded: EmbeddedSearch


@pytest.fixture
async def harness(tmp_path: Path, postgres_address: str) -> AsyncIterator[Harness]:
    storage = await SqlStorage.open(tmp_path, postgres_address)
    rows, _ = await storage.open_pgvector()
    pgvector = engine(rows)
    embedded = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(MODEL), FakeVerifier(), index_memory_bytes=2**24)
    yield Harness(storage, rows, PgvectorMaintenance(storage._database, LARGE), pgvector, embedded)
    drop = "SELECT 'DROP INDEX ' || indexname FROM pg_indexes WHERE indexdef LIKE '%hnsw%'"

    def clean_up(connection: Connection) -> None:
        for (statement,) in connection.execute(text(drop)).all():
            connection.execute(text(statement))

    await storage._database.write(clean_up)
    await storage.close()


def engine(rows: PgvectorVectorStore, model: str = MODEL, memory: int = 2**20) -> EmbeddedSearch:
    return EmbeddedSearch(
        rows,
        FakeFeatureExtractor(model),
        FakeVerifier(),
        neighbours=PgvectorNeighbourSearch(model, memory),
        name="pgvector",
    )


async def fill(visual: EmbeddedSearch, key: DatabaseKey, seeds: range) -> None:
    await visual.create_database(key)
    for seed in seeds:
        picture = flat_picture(seed) if seed % 20 == 19 else random_picture(seed)
        await visual.add_image(key, picture, EntityId(f"part_{seed}"), Note(), DataId(f"{key.name}-{seed}"))


def are_same_matches(one: Sequence[Match], other: Sequence[Match]) -> bool:
    """Return whether two results are the same. PostgreSQL rounds the query too, so scores differ slightly."""
    verdicts = [{match.data_id: match.verdict for match in matches} for matches in (one, other)]
    scores = [[match.score for match in matches] for matches in (one, other)]
    return verdicts[0] == verdicts[1] and scores[0] == pytest.approx(scores[1], abs=0.01)


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


async def test_cached_fingerprints_follow_writes_of_other_engines(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(40))
    here, there = engine(harness.rows), engine(harness.rows)
    assert (await here.search(PARTS, noisy_copy(random_picture(3))))[0].score > 9
    await there.add_image(PARTS, random_picture(500), EntityId("new"), Note())
    assert (await here.search(PARTS, noisy_copy(random_picture(500))))[0].score > 9
    held = here.index_memory
    for seed in range(10):
        await there.delete_images(PARTS, EntityId(f"part_{seed}"))
    assert (await here.search(PARTS, noisy_copy(random_picture(3))))[0].score < 9
    assert (await here.search(PARTS, noisy_copy(random_picture(500))))[0].score > 9
    assert here.index_memory < held


async def test_fingerprints_beyond_the_cache_are_still_searched(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(40))
    await fill(harness.pgvector, BRAND, range(40))
    searching = engine(harness.rows, memory=50 * BYTES_PER_IMAGE)
    for key in (PARTS, BRAND, PARTS):
        assert (await searching.search(key, noisy_copy(random_picture(3))))[0].score > 9
        assert 0 < searching.index_memory <= 50 * BYTES_PER_IMAGE
    tiny = engine(harness.rows, memory=0)
    assert (await tiny.search(PARTS, noisy_copy(random_picture(3))))[0].score > 9
    assert tiny.index_memory == 0


async def test_two_processes_can_open_at_once(tmp_path: Path, postgres_address: str) -> None:
    opened = [await SqlStorage.open(tmp_path, postgres_address) for _ in range(4)]
    try:
        await opened[0]._database.write(lambda connection: connection.execute(text("DROP TABLE pgvector_rows")))
        await asyncio.gather(*(storage.open_pgvector() for storage in opened))
    finally:
        for storage in opened:
            await storage.close()


async def test_vectors_of_two_models_never_mix(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(5))
    other = engine(harness.rows, "another")
    with pytest.raises(ModelMismatch):
        await other.search(PARTS, random_picture(1))
    with pytest.raises(ModelMismatch):
        await other.add_image(PARTS, random_picture(9), EntityId("new"), Note())


async def test_opening_without_postgresql_raises_an_error(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    try:
        with pytest.raises(BackendRefused, match="DATABASE_URL"):
            await storage.open_pgvector()
    finally:
        await storage.close()
    with pytest.raises(SettingsError, match="pgvector needs a DATABASE_URL"):
        Settings.from_mapping({"VSEARCH_BACKEND": "pgvector"})
    url = "postgresql://me@host/vsearch"
    assert Settings.from_mapping({"VSEARCH_BACKEND": "pgvector", "DATABASE_URL": url}).backend == "pgvector"


async def test_half_precision_values_round_trip(harness: Harness) -> None:
    numbers = np.random.default_rng(0).normal(0, 0.03, 2_000).astype(np.float16)
    sent = text("SELECT CAST(CAST(:numbers AS halfvec) AS real[])").bindparams(bindparam("numbers", type_=Halfvec()))

    def work(connection: Connection) -> list[float]:
        return list(connection.execute(sent, {"numbers": numbers}).scalar_one())

    assert (np.array(await harness.storage._database.read(work), np.float16) == numbers).all()


async def test_fitted_scores_are_listed(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(2))
    assert await harness.pgvector.score_fits(PARTS.workspace) == {}
    await harness.pgvector.set_calibration(PARTS, ((0.2, 0.0), (1.0, 8.9)))
    assert await harness.pgvector.score_fits(PARTS.workspace) == {PARTS.name: ScoreFit()}

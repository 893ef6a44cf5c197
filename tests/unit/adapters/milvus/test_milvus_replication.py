"""The queue of changes for Milvus, on both kinds of databases, with an engine in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.reindexer import Reindexer
from bot.adapters.milvus.engine import MilvusSearch
from bot.adapters.milvus.replication import Replicator
from bot.domain.errors import BackendDown, BackendRefused
from bot.domain.identifiers import DataId, EntityId
from bot.domain.pictures import Picture
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.milvus_queue import CLAIM, COMPACT_AGAIN, COMPACT_EVERY, SqlMilvusQueue
from tests.fakes.features import DIMENSIONS, FakeFeatureExtractor, FakeVerifier, random_picture
from tests.fixtures.milvus import composed
from tests.unit.adapters.milvus.harness import BRAND, PARTS, RecordingEngine, add, best, fill, stray_vector

MODEL = "thumbnails-1"


@dataclass(frozen=True)
class Harness:
    storage: SqlStorage
    queue: SqlMilvusQueue
    engine: RecordingEngine
    replicator: Replicator
    visual: MilvusSearch
    embedded: EmbeddedSearch

    @property
    def stored(self) -> set[int]:
        return set(self.engine.vectors.get(MODEL, {}))


async def opened(storage: SqlStorage, engine: RecordingEngine, model: str = MODEL) -> Harness:
    visual, queue, replicator = await composed(storage, engine, model)
    embedded = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(model), FakeVerifier(), index_memory_bytes=2**24)
    return Harness(storage, queue, engine, replicator, visual, embedded)


@pytest.fixture
async def harness(storage: SqlStorage) -> AsyncIterator[Harness]:
    yield await opened(storage, RecordingEngine())
    await storage.milvus_queue().drop()


async def test_adds_and_deletions_reach_milvus_before_they_return(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(3))
    assert len(harness.stored) == 3
    assert await harness.visual.delete_images(PARTS, EntityId("part_1")) == 1
    assert len(harness.stored) == 2
    await harness.visual.delete_database(PARTS)
    assert harness.stored == set()
    assert await harness.queue.pending() == 0


async def test_refused_changes_wait_and_searches_find_them_meanwhile(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(3))
    refused = BackendRefused("Milvus is full")
    harness.engine.error = refused
    await harness.visual.delete_images(PARTS, EntityId("part_0"))
    await add(harness.visual, PARTS, 7)
    with pytest.raises(BackendRefused):
        await harness.visual.ping()
    harness.engine.error = None
    with pytest.raises(BackendRefused, match="full"):
        await harness.visual.ping()
    assert [await best(harness.visual, PARTS, seed) for seed in (0, 1, 7)] == ["", "part_1", "part_7"]
    assert len(harness.stored) == 3
    await harness.replicator.drain()
    await harness.visual.ping()
    assert (len(harness.stored), await harness.queue.pending()) == (3, 0)
    assert await best(harness.visual, PARTS, 7) == "part_7"


async def test_new_database_is_searched_while_milvus_is_away(harness: Harness) -> None:
    harness.engine.error = BackendDown("away")
    await fill(harness.visual, PARTS, range(3))
    assert await best(harness.visual, PARTS, 2) == "part_2"
    assert await harness.queue.pending() == 3


async def test_image_deleted_while_it_is_written_leaves_milvus(harness: Harness) -> None:
    await harness.visual.create_database(PARTS)

    async def delete() -> None:
        harness.engine.before_insert = None
        await harness.embedded.delete_images(PARTS, EntityId("part_1"))

    harness.engine.before_insert = delete
    await add(harness.visual, PARTS, 1)
    assert harness.engine.inserted
    await harness.replicator.drain()
    assert (harness.stored, await harness.queue.pending()) == (set(), 0)


async def test_claims_of_a_dead_process_are_taken_over(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.engine.error = BackendDown("away")
    await fill(harness.visual, PARTS, range(2))
    harness.engine.error = None
    [first, _] = await harness.queue.claim(10)
    # It wrote one of them, and died.
    await harness.engine.create(MODEL, DIMENSIONS)
    await harness.engine.insert(MODEL, [replace(stray_vector(first.vector_id, DIMENSIONS), database_id=7)])
    await harness.replicator.drain()
    assert await harness.queue.claim(10) == ()
    monkeypatch.setattr(harness.queue, "_clock", lambda: datetime.now(UTC) + CLAIM + timedelta(seconds=9))
    await harness.replicator.drain()
    assert await harness.queue.pending() == 0
    assert {vector.database_id for vector in harness.engine.vectors[MODEL].values()} == {first.database_id}
    assert await best(harness.visual, PARTS, 0) == "part_0"


async def test_images_of_the_embedded_engine_are_copied(harness: Harness) -> None:
    await harness.queue.drop()
    await fill(harness.embedded, PARTS, range(5))
    again = await opened(harness.storage, harness.engine)
    assert await best(again.visual, PARTS, 3) == "part_3"
    await again.replicator.drain()
    assert len(again.stored) == 5
    # Another process uses the embedded engine still.
    await add(harness.embedded, PARTS, 8)
    await harness.embedded.delete_images(PARTS, EntityId("part_3"))
    assert [await best(again.visual, PARTS, seed) for seed in (3, 8)] == ["", "part_8"]
    await again.replicator.drain()
    assert len(again.stored) == 5


async def test_lost_collection_is_written_again(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(4))
    harness.engine.vectors.clear()
    assert await best(harness.visual, PARTS, 2) == "part_2"
    await harness.replicator.drain()
    assert len(harness.stored) == 4


async def test_missing_and_orphaned_vectors_are_found_and_repaired(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(4))
    await fill(harness.visual, BRAND, range(2))
    stored = harness.engine.vectors[MODEL]
    stored.pop(max(stored))
    stored[10**15] = stray_vector(10**15, DIMENSIONS)
    missing = await harness.embedded.inventory(BRAND) - await harness.visual.inventory(BRAND)
    assert missing == {DataId("brand-1")}
    assert len(await harness.visual.inventory(PARTS)) == 4
    assert await harness.visual.describe_orphans(()) == ("Milvus has 1 orphaned vector.",)
    await add(harness.visual, BRAND, 1)
    assert await harness.visual.inventory(BRAND) == await harness.embedded.inventory(BRAND)
    assert (await harness.visual.delete_orphans(()), await harness.visual.describe_orphans(())) == (1, ())


async def test_reindexed_database_moves_to_the_new_models_collection(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(3))
    other = await opened(harness.storage, harness.engine, "another")

    async def picture(data_id: DataId) -> Picture:
        return random_picture(int(data_id.rpartition("-")[2]))

    store, _ = await harness.storage.open_milvus()
    store.on_commit = other.replicator.after_commit

    reindexer = Reindexer(store, FakeFeatureExtractor("another"))

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reindexer.reindex(PARTS, picture, interrupt)
    # The collections of both models are needed.
    assert await other.replicator.drop_unused() == 0
    assert {model: len(vectors) for model, vectors in harness.engine.vectors.items()} == {MODEL: 3, "another": 3}
    await reindexer.reindex(PARTS, picture)
    assert await best(other.visual, PARTS, 2) == "part_2"
    await other.replicator.drain()
    assert {model: len(vectors) for model, vectors in harness.engine.vectors.items()} == {MODEL: 0, "another": 3}
    assert await other.replicator.drop_unused() == 1
    assert await best(other.visual, PARTS, 2) == "part_2"
    assert list(harness.engine.vectors) == ["another"]


async def test_deleted_vectors_leave_the_files_after_a_day(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(harness.visual, PARTS, range(3))
    await harness.visual.delete_images(PARTS, EntityId("part_1"))
    assert await harness.replicator.compact() == 0
    now = datetime.now(UTC)
    monkeypatch.setattr(harness.queue, "_clock", lambda: now + COMPACT_EVERY + timedelta(minutes=1))
    harness.engine.error = BackendDown("away")
    with pytest.raises(BackendDown):
        await harness.replicator.compact()
    harness.engine.error = None
    monkeypatch.setattr(harness.queue, "_clock", lambda: now + COMPACT_EVERY + 2 * COMPACT_AGAIN)
    assert (await harness.replicator.compact(), harness.engine.compacted) == (1, [MODEL])
    monkeypatch.setattr(harness.queue, "_clock", lambda: now + 9 * COMPACT_EVERY)
    assert await harness.replicator.compact() == 0


async def test_search_names_workspace_and_hidden_images(harness: Harness) -> None:
    await fill(harness.visual, PARTS, range(3))
    found = await harness.visual.search(PARTS, random_picture(1), 5, [DataId("parts-1")])
    query = harness.engine.searched[-1]
    assert "part_1" not in {match.entity for match in found}
    assert (query.workspace, len(query.hidden), query.written_until) == ("T1", 1, harness.engine.timestamp)

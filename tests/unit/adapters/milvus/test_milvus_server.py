"""The Milvus back end with a real server: results, other processes' writes, outages and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.errors import BackendDown, BackendError
from bot.domain.identifiers import EntityId
from bot.domain.matches import Match, Matches
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, noisy_copy, random_picture
from tests.fixtures.milvus import MilvusServer, milvus_search
from tests.unit.adapters.milvus.harness import BRAND, PARTS, Gate, add, best, fill, recovered

TIMEOUT_S = 2.0


@pytest.fixture
async def own_storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    storage = await SqlStorage.open(tmp_path)
    yield storage
    await storage.close()


def rounded(matches: Matches) -> list[tuple[str, float]]:
    return [(match.data_id, round(match.score, 3)) for match in matches]


def verdicts(matches: Matches) -> dict[str, Match]:
    return {match.data_id: match for match in matches}


async def test_finds_the_same_as_the_in_memory_index(own_storage: SqlStorage, milvus: MilvusServer) -> None:
    embedded = EmbeddedSearch(own_storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**24)
    async with milvus_search(own_storage, milvus) as opened:
        await fill(embedded, PARTS, range(80))
        await fill(embedded, BRAND, range(40, 120))
        await opened.replicator.drain()
        for seed in (0, 41, 500):
            for limit in (1, 10, 1000):
                picture = noisy_copy(random_picture(seed), seed)
                found = await opened.visual.search(PARTS, picture, limit)
                expected = await embedded.search(PARTS, picture, limit)
                assert verdicts(found).keys() == verdicts(expected).keys()
                assert [score for _, score in rounded(found)] == pytest.approx(
                    [score for _, score in rounded(expected)], abs=0.002
                )


async def test_other_processes_writes_are_seen_at_once(tmp_path: Path, milvus: MilvusServer) -> None:
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            storage = await SqlStorage.open(tmp_path)
            stack.push_async_callback(storage.close)
            opened.append(await stack.enter_async_context(milvus_search(storage, milvus)))
        writer, reader = opened
        await fill(writer.visual, PARTS, range(3))
        for seed in range(10, 20):
            await add(writer.visual, PARTS, seed)
            # So the answer comes from Milvus.
            assert await reader.queue.pending() == 0
            assert await best(reader.visual, PARTS, seed) == f"part_{seed}"
            await writer.visual.delete_images(PARTS, EntityId(f"part_{seed}"))
            assert await best(reader.visual, PARTS, seed) == ""


async def test_lost_connection_is_survived(own_storage: SqlStorage, milvus: MilvusServer) -> None:
    gate = Gate(milvus.port)
    await gate.open()
    account = milvus.account(TIMEOUT_S, gate.address)
    async with milvus_search(own_storage, milvus, account) as opened:
        await fill(opened.visual, PARTS, range(3))
        await gate.close()
        async with asyncio.timeout(4 * TIMEOUT_S):
            with pytest.raises(BackendError):
                await opened.visual.search(PARTS, random_picture(1))
        # Later calls don't wait, and what is added is kept.
        async with asyncio.timeout(TIMEOUT_S):
            with pytest.raises(BackendDown):
                await opened.visual.ping()
            await add(opened.visual, PARTS, 9)
        assert await opened.queue.pending() == 1
        await gate.open()
        await recovered(opened.replicator.drain)
        assert [await best(opened.visual, PARTS, seed) for seed in (1, 9)] == ["part_1", "part_9"]
        await opened.visual.ping()
    await gate.close()


async def test_restart_of_milvus_loses_nothing(own_storage: SqlStorage, shared_milvus: MilvusServer) -> None:
    with shared_milvus.alone():
        async with milvus_search(own_storage, shared_milvus, shared_milvus.account(TIMEOUT_S)) as opened:
            await fill(opened.visual, PARTS, range(5))
            await asyncio.to_thread(shared_milvus.kill)
            await add(opened.visual, PARTS, 9)
            await asyncio.to_thread(shared_milvus.start)
            await recovered(opened.replicator.drain)
            await recovered(lambda: best(opened.visual, PARTS, 1))
            assert [await best(opened.visual, PARTS, seed) for seed in (0, 4, 9)] == ["part_0", "part_4", "part_9"]
            assert len(await opened.visual.inventory(PARTS)) == 6

"""Measure the nearest-neighbour search of the Milvus back end against pymilvus with the same consistency.

    python -m bench milvus

Searches the largest of 200 databases, a twentieth of the vectors. A million vectors of 1,280 dimensions need 15 GB of
memory and half an hour of loading and indexing; set VSEARCH_BENCH_ROWS for fewer.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pymilvus import MilvusClient
from sqlalchemy import Connection, insert

from bench.engines.nearest import COMPARED, DATABASES, DIMENSIONS, MODEL, PROBES, WANTED, recall, vectors
from bench.report import Row, TargetSide
from bench.timing import medians, time_alternately
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery
from bot.adapters.milvus.client import MIN_EF, MilvusAccount, PyMilvusEngine
from bot.adapters.milvus.finder import MilvusNeighbourSearch
from bot.adapters.milvus.ports import NewVector
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql.schema.tables import embedded_databases, embedded_images, embedded_vectors
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.milvus import MilvusVectorStore
from bot.storage.vectors.milvus_tables import STORED, milvus_databases, milvus_rows
from tests.fixtures.milvus import MilvusServer, milvus_server
from tests.fixtures.postgres import running

ROWS, ROUNDS, AT_ONCE = 1_000_000, 150, 1000
SEARCHED = DatabaseKey(WorkspaceId("T1"), DatabaseName("large"))
INDEXED_WITHIN_S = 3600.0

Floats = npt.NDArray[np.float32]


async def run() -> list[Row]:
    """Run the benchmark on servers of its own."""
    count = int(os.environ.get("VSEARCH_BENCH_ROWS", ROWS))
    with (
        milvus_server() as server,
        running() as cluster,
        tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder,
    ):
        storage = await SqlStorage.open(Path(folder), cluster.address(cluster.database()))
        engine = PyMilvusEngine(MilvusAccount(server.address, "bench", timeout_s=60))
        try:
            store, _ = await storage.open_milvus()
            started = time.monotonic()
            stored, written_until = await _load(engine, count)
            await storage._database.write(  # noqa: SLF001 - there is no other way in
                lambda connection: _record(connection, stored, written_until)
            )
            print(f"milvus: {count:,} vectors loaded in {time.monotonic() - started:.0f} s", flush=True)
            started = time.monotonic()
            await asyncio.to_thread(_index, server, engine.collection_of(MODEL))
            print(f"milvus: indexed in {time.monotonic() - started:.0f} s", flush=True)
            return await _measured(store, engine, server, stored, written_until)
        finally:
            await engine.close()
            await storage.close()


async def _measured(
    store: MilvusVectorStore, engine: PyMilvusEngine, server: MilvusServer, stored: Floats, written_until: int
) -> list[Row]:
    probes = list(vectors(np.random.default_rng(7), PROBES))
    ours_next, bare_next = cycle(probes), cycle([*probes[PROBES // 2 :], *probes[: PROBES // 2]])
    finder = MilvusNeighbourSearch(MODEL, engine, _never_lost, 2**20)
    client = MilvusClient(uri=server.address, timeout=60, dedicated=True)
    name = engine.collection_of(MODEL)

    async def nearest(probe: Floats) -> list[int]:
        query = NeighbourQuery(probe[np.newaxis], np.zeros((0, 32), np.uint8), WANTED)
        fetched = await finder.fetch(store, SEARCHED, query, ())
        _, found = await store.snapshot(lambda rows: finder.search(rows, SEARCHED, fetched))
        return list(found.cosines)

    async def ours() -> None:
        await nearest(next(ours_next))

    def bare() -> None:
        client.search(
            name,
            data=[next(bare_next)],
            filter='workspace == "T1" and database == 1',
            limit=WANTED,
            search_params={"metric_type": "IP", "params": {"ef": MIN_EF}},
            consistency_level="Customized",
            guarantee_timestamp=written_until,
            timeout=60,
        )

    try:
        times = medians(await time_alternately({"ours": ours, "bare": bare}, ROUNDS))
        found = [[row_id - 1 for row_id in await nearest(probe)] for probe in probes]
    finally:
        client.close()
    exact = [np.argsort(-(stored @ probe))[:COMPARED].tolist() for probe in probes]
    note = f"{len(stored) * 20:,} images, {DATABASES} databases"
    title = f"nearest {WANTED} of {len(stored):,} in Milvus"
    return [
        Row(title, times["ours"], "ms", times["bare"], "bare pymilvus", 1.3, TargetSide.AT_MOST, note),
        Row(
            f"{title}: recall@{COMPARED}",
            recall(found, exact),
            "",
            limit=0.98,
            side=TargetSide.AT_LEAST,
            note="against exact search",
        ),
    ]


async def _load(engine: PyMilvusEngine, count: int) -> tuple[Floats, int]:
    """Write the vectors. Return those of the searched database, whose row ids begin with 1, and the last timestamp."""
    await engine.create(MODEL, DIMENSIONS)
    rng = np.random.default_rng(3)
    large = count // 20
    owners = np.concatenate([np.ones(large, np.int64), rng.integers(2, DATABASES + 1, count - large)])
    rng.shuffle(owners)
    searched: list[Floats] = []
    written_until = 0
    for start in range(0, count, AT_ONCE):
        some = owners[start : start + AT_ONCE].tolist()
        batch = list(_new_vectors(some, vectors(rng, len(some)), start, searched))
        written_until = await engine.insert(MODEL, batch)
    return np.stack(searched), written_until


def _new_vectors(owners: list[int], some: Floats, start: int, searched: list[Floats]) -> Iterator[NewVector]:
    for place, (owner, vector) in enumerate(zip(owners, some, strict=True)):
        row_id = 10**9 + start + place
        if owner == 1:
            searched.append(vector)
            row_id = len(searched)
        yield NewVector(row_id, f"T{owner}", owner, vector)


def _record(connection: Connection, stored: Floats, written_until: int) -> None:
    """Insert the rows of the searched database, as if Milvus had been given them."""
    now = datetime.now(UTC)
    database = {"id": 1, "workspace": SEARCHED.workspace, "name": str(SEARCHED.name), "model_id": MODEL}
    connection.execute(insert(embedded_databases), database | {"revision": 1, "removals": 0})
    ids = range(1, len(stored) + 1)
    image = {"database_id": 1, "entity": "part", "entity_key": "part", "note": "", "created_at": now, "updated_at": now}
    connection.execute(
        insert(embedded_images), [image | {"id": row_id, "data_id": f"image-{row_id}"} for row_id in ids]
    )
    vector = {"database_id": 1, "model_id": MODEL, "fingerprint": b""}
    halves = stored.astype("<f2")
    connection.execute(
        insert(embedded_vectors),
        [
            vector | {"id": row_id, "image_id": row_id, "embedding": half.tobytes()}
            for row_id, half in zip(ids, halves, strict=True)
        ],
    )
    connection.execute(milvus_rows.update().values(state=STORED))
    connection.execute(insert(milvus_databases), {"database_id": 1, "written_until": written_until})


def _index(server: MilvusServer, name: str) -> None:
    """Seal the vectors, and wait for their index."""
    client = MilvusClient(uri=server.address, timeout=60, dedicated=True)
    client.flush(name, timeout=600)
    deadline = time.monotonic() + INDEXED_WITHIN_S
    while time.monotonic() < deadline:
        index = client.describe_index(name, "embedding")
        if index.get("pending_index_rows", 0) == 0 and index.get("indexed_rows", 0) == index.get("total_rows", -1):
            break
        time.sleep(2)
    # The query node replaces the growing segments by the indexed ones.
    time.sleep(10)
    client.close()


async def _never_lost(_model_id: str) -> None:
    raise RuntimeError("Milvus lost the collection")

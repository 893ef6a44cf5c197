"""Measure the nearest-neighbour search of pgvector against plain SQL through psycopg.

    python -m bench nearest

Searches a database of 50,000 vectors among a million in 200 databases. Loading a million vectors of 1,280 dimensions
takes minutes and 3 GB of disk; set VSEARCH_BENCH_ROWS for fewer.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg

from bench.report import Row, TargetSide
from bench.timing import medians, time_alternately
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.pgvector import EF_SEARCH, PgvectorRows, PgvectorVectorStore, rows_of
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance
from tests.fixtures.postgres import running

ROWS, DATABASES, LARGE = 1_000_000, 200, 50_000
DIMENSIONS, MODEL = 1280, "synthetic"
WANTED, COMPARED, PROBES, ROUNDS = 32, 10, 40, 80
CLUSTERS, SPREAD = 3000, 0.9
"""Vectors are clustered. Without clusters all neighbours would be equally far, and no index would find them."""

AT_ONCE = 5000
SERVER = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=2GB", "max_wal_size=8GB")

Floats = npt.NDArray[np.float32]
_COPY = "COPY pgvector_rows (vector_id, database_id, model_id, embedding) FROM STDIN (FORMAT binary)"
_HEADER, _END = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0), struct.pack("!h", -1)


async def run() -> list[Row]:
    """Run the benchmark on a PostgreSQL server of its own."""
    count = int(os.environ.get("VSEARCH_BENCH_ROWS", ROWS))
    with running(SERVER) as cluster, tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        url = cluster.address(cluster.database())
        storage = await SqlStorage.open(Path(folder), url)
        try:
            rows, _ = await storage.open_pgvector()
            started = time.monotonic()
            with psycopg.connect(url, autocommit=True) as connection:
                _load(connection, count)
            print(f"nearest: {count:,} vectors loaded in {time.monotonic() - started:.0f} s", flush=True)
            started = time.monotonic()
            built = await PgvectorMaintenance(storage._database).index_large()  # noqa: SLF001 - there is no other way in
            print(f"nearest: {built} index built in {time.monotonic() - started:.0f} s", flush=True)
            return await _measured(rows, url, count)
        finally:
            await storage.close()


async def _measured(rows: PgvectorVectorStore, url: str, count: int) -> list[Row]:
    probes = list(vectors(np.random.default_rng(7), PROBES))
    ours_next, bare_next = _offset_cycles(probes)

    async def nearest(query_features: Floats, *, by_index: bool) -> list[int]:
        def work(inside: PgvectorRows) -> list[int]:
            found = inside.nearest(1, MODEL, query_features, WANTED, by_index=by_index)
            return sorted(found, key=lambda row_id: -found[row_id])

        return await rows.snapshot(work)  # type: ignore[arg-type]  # these rows can do more than the port says

    async def ours() -> None:
        await nearest(next(ours_next), by_index=True)

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET hnsw.ef_search = {EF_SEARCH}")
        connection.execute("SET hnsw.iterative_scan = relaxed_order")
        place = f"embedding::halfvec({DIMENSIONS}) <#> %s::halfvec({DIMENSIONS})"
        query = f"SELECT vector_id FROM pgvector_rows WHERE {rows_of(1, MODEL)} ORDER BY {place} LIMIT {WANTED}"

        def bare() -> None:
            connection.execute(query.encode(), [_as_text(next(bare_next))]).fetchall()

        times = medians(await time_alternately({"ours": ours, "bare": bare}, ROUNDS))
    found = [await nearest(query_features, by_index=True) for query_features in probes]
    exact = [await nearest(query_features, by_index=False) for query_features in probes]
    share = recall(found, exact)
    note = f"{count:,} images, {DATABASES} databases"
    name = f"nearest {WANTED} of {LARGE:,} by index"
    return [
        Row(name, times["ours"], "ms", times["bare"], "bare SQL", 1.3, TargetSide.AT_MOST, note),
        Row(f"{name}: recall@{COMPARED}", share, "", limit=0.98, side=TargetSide.AT_LEAST, note="against exact search"),
    ]


def _offset_cycles(probes: Sequence[Floats]) -> tuple[Iterator[Floats], Iterator[Floats]]:
    """Return two endless iterators over the probes, offset by half.

    If both measurements used the same probe one after the other, the second would find warm caches.
    """
    half = len(probes) // 2
    return cycle(probes), cycle([*probes[half:], *probes[:half]])


def _as_text(embedding: Floats) -> str:
    """Format a vector as text, as in pgvector's own examples."""
    return "[" + ",".join([f"{number:.5g}" for number in embedding.tolist()]) + "]"


def recall(found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    """Return the mean share of the exact COMPARED nearest that were found."""
    shares = (len({*some[:COMPARED]} & {*all_of[:COMPARED]}) for some, all_of in zip(found, exact, strict=True))
    return sum(shares) / (COMPARED * len(exact))


def vectors(rng: np.random.Generator, count: int) -> Floats:
    """Return clustered vectors of norm 1."""
    centres = np.random.default_rng(1).standard_normal((CLUSTERS, DIMENSIONS), np.float32)
    chosen = centres[rng.integers(0, CLUSTERS, count)]
    chosen += SPREAD * rng.standard_normal((count, DIMENSIONS), np.float32)
    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
    return chosen


def _load(connection: psycopg.Connection, count: int) -> None:
    """Load the rows in random order, so that the large database's rows are scattered as in real use."""
    # The benchmark needs no rows in the referenced table.
    connection.execute("ALTER TABLE pgvector_rows DROP CONSTRAINT pgvector_rows_vector_id_fkey")
    rng = np.random.default_rng(3)
    others = rng.integers(2, DATABASES + 1, max(count - LARGE, 0))
    owners = np.concatenate([np.ones(min(LARGE, count), np.int64), others])
    rng.shuffle(owners)
    for start in range(0, count, AT_ONCE):
        some = owners[start : start + AT_ONCE]
        with connection.cursor().copy(_COPY) as copy:
            copy.write(_HEADER + b"".join(_binary(start, some, vectors(rng, len(some)))) + _END)
    connection.execute("VACUUM ANALYZE pgvector_rows")


def _binary(start: int, owners: npt.NDArray[np.int64], vectors: Floats) -> Iterator[bytes]:
    """Encode rows for binary COPY: a field count, then each field with its length. pgvector's halves are big-endian."""
    model = struct.pack("!i", len(MODEL)) + MODEL.encode()
    for place, (owner, half) in enumerate(zip(owners.tolist(), vectors.astype(">f2"), strict=True)):
        embedding = struct.pack("!HH", DIMENSIONS, 0) + half.tobytes()
        yield struct.pack("!hiqiq", 4, 8, start + place + 1, 8, owner)
        yield model + struct.pack("!i", len(embedding)) + embedding

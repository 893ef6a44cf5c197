"""Adds that are on disk when they return, embedding excluded: through the port, and with picture and catalogue."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from bench import specimens, synthetic
from bench.report import Row
from bench.synthetic import KEY
from bench.timing import in_turns, medians
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import ImageFeatures, QueryFeatures
from bot.adapters.embedded.verifier import GeometricVerifier
from bot.domain.identifiers import EntityId, Note
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import encode_jpeg
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.storage.sql_storage import SqlStorage

ROUNDS = 100
BAR_MS = 15.0


@dataclass(frozen=True, slots=True)
class PrecomputedFeatures:
    """An analyser whose work is done: embedding costs nothing."""

    ready: ImageFeatures
    model_id: str
    dimensions: int

    async def extract(self, picture: Picture) -> ImageFeatures:
        """The ones that are ready."""
        del picture
        return self.ready

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """Never asked."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to let go of."""


async def run() -> list[Row]:
    """The median of each, beside one bare transaction of SQLite with as many bytes."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        folder = Path(name)
        storage = await SqlStorage.open(folder)
        try:
            taken = medians(await _measure(storage, folder))
        finally:
            await storage.close()
    bare = "one bare SQLite commit"
    return [
        Row("add through the port", taken["port"], "ms", limit=BAR_MS),
        Row("add with picture and catalogue", taken["service"], "ms", limit=BAR_MS),
        Row("add through the port, against its disk", taken["port"], "ms", taken["bare"], bare),
        Row("add with picture and catalogue, against its disk", taken["service"], "ms", taken["bare"], bare),
    ]


async def _measure(storage: SqlStorage, folder: Path) -> dict[str, list[float]]:
    kept = specimens.sketches()[0]
    chance = np.random.default_rng(1)
    vector = chance.standard_normal(synthetic.model().dimensions).astype(np.float32)
    extractor = PrecomputedFeatures(
        ImageFeatures(vector, chance.bytes(32), kept), synthetic.model().model_id, len(vector)
    )
    engine = EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=500_000_000)
    await DatabaseService(engine, storage).create(KEY)
    adding, pictures = AddService(engine, storage), _different(specimens.query())
    jpeg = encode_jpeg(specimens.query())

    async def by_service() -> None:
        await adding.add(KEY, next(pictures), jpeg, EntityId("part"), Note("a note"))

    async def by_port() -> None:
        await engine.add_image(KEY, next(pictures), EntityId("part"), Note("a note"))

    with closing(_connection(folder / "bare.db")) as connection:
        row = (vector.astype("<f2").tobytes() + kept,)

        def bare() -> None:
            connection.execute("INSERT INTO rows (content) VALUES (?)", row)

        return await in_turns({"bare": bare, "port": by_port, "service": by_service}, ROUNDS)


def _different(picture: Picture) -> Iterator[Picture]:
    """The same pixels again and again, each as if it were another picture."""
    for number in count(1):
        yield replace(picture, digest=f"{number * 2654435761 % 2**32:08x}{number:056x}")


def _connection(path: Path) -> sqlite3.Connection:
    """As durable as the engine's own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB NOT NULL)")
    return connection

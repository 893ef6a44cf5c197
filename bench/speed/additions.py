"""Measure adds that are on disk when they return, without the embedding: by the engine alone and by the service."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from bench.report import Row
from bench.samples import sample_pictures, synthetic
from bench.samples.prepared_features import PreparedExtractor
from bench.samples.synthetic import KEY
from bench.timing import medians, time_alternately
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import ImageFeatures
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.identifiers import EntityId, Note
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import encode_jpeg
from bot.images.features import fingerprint, pending_points
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.storage.sql_storage import SqlStorage

ROUNDS = 100
TARGET_MS = 15.0


async def run() -> list[Row]:
    """Return the median of each way to add, next to one bare SQLite transaction of as many bytes."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        folder = Path(name)
        storage = await SqlStorage.open(folder)
        try:
            taken = medians(await _measure(storage, folder))
        finally:
            await storage.close()
    bare = "one bare SQLite commit"
    return [
        Row("add through the port", taken["port"], "ms", limit=TARGET_MS),
        Row("add with picture and catalogue", taken["service"], "ms", limit=TARGET_MS),
        Row("add through the port, against its disk", taken["port"], "ms", taken["bare"], bare),
        Row("add with picture and catalogue, against its disk", taken["service"], "ms", taken["bare"], bare),
    ]


async def _measure(storage: SqlStorage, folder: Path) -> dict[str, list[float]]:
    kept = sample_pictures.packed_features()[0]
    pending = pending_points.pack(fingerprint.luminance(sample_pictures.query().pixels))
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(synthetic.model().dimensions).astype(np.float32)
    features = ImageFeatures(vector, rng.bytes(32), kept, pending_points=pending)
    extractor = PreparedExtractor(synthetic.model().model_id, len(vector), image=features)
    engine = EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=500_000_000)
    await DatabaseService(engine, storage).create(KEY)
    adding, pictures = AddService(engine, storage), _different(sample_pictures.query())
    jpeg = encode_jpeg(sample_pictures.query())

    async def by_service() -> None:
        await adding.add(KEY, next(pictures), jpeg, EntityId("part"), Note("a note"))

    async def by_port() -> None:
        await engine.add_image(KEY, next(pictures), EntityId("part"), Note("a note"))

    with closing(_connection(folder / "bare.db")) as connection:
        row = (vector.astype("<f2").tobytes() + kept + pending,)

        def bare() -> None:
            connection.execute("INSERT INTO rows (content) VALUES (?)", row)

        return await time_alternately({"bare": bare, "port": by_port, "service": by_service}, ROUNDS)


def _different(picture: Picture) -> Iterator[Picture]:
    """Yield the same pixels repeatedly, each time with another digest."""
    for number in count(1):
        yield replace(picture, digest=f"{number * 2654435761 % 2**32:08x}{number:056x}")


def _connection(path: Path) -> sqlite3.Connection:
    """Open a connection with the same durability settings as the engine's."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB NOT NULL)")
    return connection

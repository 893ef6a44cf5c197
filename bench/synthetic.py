"""Databases of any size without embedding as many pictures: rows written straight into the tables.

Vectors stand as real ones do: unrelated ones at a cosine of about 0.36, those of one cluster at 0.5 to 0.8.
Fingerprints are random, as those of unrelated pictures nearly are; sketches are real ones, again and again.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Table, insert, select, update

from bench.specimens import sketches
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName
from bot.storage.sql import sqlite
from bot.storage.sql.schema.tables import (
    databases,
    embedded_databases,
    embedded_images,
    embedded_local_features,
    embedded_vectors,
    images,
)

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Bytes = npt.NDArray[np.uint8]

KEY = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("synthetic"))
"""The first database; others have a number after the name."""
CLUSTER = 25
"""Rows that resemble each other."""

_CHUNK = 4096
_COMMON = 0.6  # its square is the cosine of unrelated pictures
_NEAR, _NEAREST = 0.38, 0.66  # of the cluster's own direction: cosines of 0.5 to 0.8
_SEED = 11
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filled:
    """A data directory with databases of the same rows, and what those are."""

    data_dir: Path
    names: tuple[str, ...]
    vectors: Halves
    fingerprints: Bytes
    _owner: tempfile.TemporaryDirectory[str] = field(repr=False)

    @property
    def size(self) -> int:
        """Rows of each database."""
        return len(self.vectors)


@cache
def model() -> BuiltInModel:
    """The model whose vectors these stand for."""
    return BuiltInModel()


@cache
def filled(size: int, *, sketched: bool = True, databases: int = 1) -> Filled:
    """Databases of ``size`` rows, with sketches if wanted; row ids count from 1. Blocks: call it in a thread.

    Made once a run; its directory goes away with the process.
    """
    owner = tempfile.TemporaryDirectory(prefix="vsearch-bench-")
    data_dir = Path(owner.name)
    names = (str(KEY.name), *(f"{KEY.name}_{number}" for number in range(2, databases + 1)))
    asyncio.run(_create(data_dir, names))
    vectors = make_vectors(size)
    marks = np.random.default_rng(_SEED).integers(0, 256, (size, 32), np.uint8)
    engine = sqlite.create(sqlite.address(data_dir), 1)
    with engine.execution_options(immediate=True).begin() as connection:
        for number, name in enumerate(names):
            _fill(connection, name, number * size, _Rows(vectors, marks, sketches() if sketched else ()))
    engine.dispose()
    return Filled(data_dir, names, vectors, marks, owner)


def make_vectors(size: int, seed: int = _SEED) -> Halves:
    """Clustered directions of length 1, as the store keeps them."""
    chance = np.random.default_rng(seed)
    dimensions = model().dimensions
    common = _direction(chance, 1, dimensions)
    centres = _direction(chance, size // CLUSTER + 1, dimensions)
    vectors = np.empty((size, dimensions), np.float16)
    for start in range(0, size, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, size))
        own = chance.uniform(_NEAR, _NEAREST, (len(rows), 1)).astype(np.float32)
        rest = np.sqrt(1 - _COMMON**2 - own**2)
        some = _COMMON * common + own * centres[rows % len(centres)] + rest * _direction(chance, len(rows), dimensions)
        vectors[rows] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def query_near(vectors: Halves, row: int, seed: int = 5) -> Floats:
    """A new member of a row's cluster: near it, and a copy of nothing. 1 × dimensions."""
    members = vectors[row :: len(vectors) // CLUSTER + 1].astype(np.float32)
    centre = members.mean(axis=0, keepdims=True)
    mixed = centre / np.linalg.norm(centre) + 0.8 * _direction(np.random.default_rng(seed), 1, vectors.shape[1])
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def _direction(chance: np.random.Generator, rows: int, dimensions: int) -> Floats:
    drawn = chance.standard_normal((rows, dimensions), np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


async def _create(data_dir: Path, names: Sequence[str]) -> None:
    async with build_services(Settings(data_dir=data_dir)) as services:
        for name in names:
            await services.databases.create(DatabaseKey(LOCAL_WORKSPACE, DatabaseName(name)))


def sketched_by(row_id: int) -> int:
    """Which of ``specimens.sketches`` a row has."""
    return row_id % len(sketches())


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    vectors: Halves
    fingerprints: Bytes
    sketches: Sequence[bytes]


def _fill(connection: Connection, name: str, above: int, rows: _Rows) -> None:
    """The one place that writes rows past the store, for speed: a tenth of the time of as many adds."""
    engine_id = connection.execute(select(embedded_databases.c.id).filter_by(name=name)).scalar_one()
    catalogue_id = connection.execute(select(databases.c.id).filter_by(name=name)).scalar_one()
    for start in range(0, len(rows.vectors), _CHUNK):
        tables: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (embedded_images, embedded_vectors, embedded_local_features, images)
        }
        for number in range(start, min(start + _CHUNK, len(rows.vectors))):
            row_id, mark = above + number + 1, rows.fingerprints[number].tobytes()
            said = {"data_id": f"{row_id:032x}", "entity": f"entity_{row_id}", "note": "", "created_at": _NOW}
            tables[embedded_images].append(said | {"id": row_id, "database_id": engine_id, "updated_at": _NOW})
            tables[embedded_vectors].append(
                {
                    "id": row_id,
                    "image_id": row_id,
                    "database_id": engine_id,
                    "model_id": model().model_id,
                    "embedding": rows.vectors[number].astype("<f2").tobytes(),
                    "fingerprint": mark,
                }
            )
            if rows.sketches:
                sketch = rows.sketches[row_id % len(rows.sketches)]
                tables[embedded_local_features].append({"vector_id": row_id, "features": sketch})
            tables[images].append(said | {"database_id": catalogue_id, **_catalogued(mark)})
        for table, values in tables.items():
            if values:
                connection.execute(insert(table), values)
    connection.execute(update(embedded_databases).values(model_id=model().model_id, revision=1))


def _catalogued(mark: bytes) -> dict[str, Any]:
    return {
        "digest": secrets.token_hex(32),
        "source_digest": secrets.token_hex(32),
        "fingerprint": mark,
        "width": 640,
        "height": 480,
        "added_by": "",
        "source_name": "synthetic.jpg",
    }

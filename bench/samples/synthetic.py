"""Create databases of any size without embedding pictures, by writing rows straight into the tables.

Vectors are distributed like real ones: unrelated ones have a cosine of about 0.36, those of one cluster 0.5 to 0.8.
Fingerprints are random, much like those of unrelated pictures. Local features are those of real pictures, repeated.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Table, insert, select, update

from bench.samples.sample_pictures import packed_features, packed_points
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.domain.catalogue import OriginSource
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName
from bot.storage.sql import sqlite
from bot.storage.sql.schema.tables import (
    databases,
    embedded_databases,
    embedded_images,
    embedded_local_features,
    embedded_point_features,
    embedded_vectors,
    image_origins,
    images,
)

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Bytes = npt.NDArray[np.uint8]
_Row = tuple[Table, dict[str, Any]]

KEY = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("synthetic"))
"""The first database. Others have a number after the name."""
CLUSTER = 25
"""Number of similar rows in a cluster."""

_CHUNK = 4096
_COMMON = 0.6  # square root of the cosine of unrelated pictures
_NEAR, _NEAREST = 0.38, 0.66  # share of the cluster's own direction: cosines of 0.5 to 0.8
_SEED = 11
_SOURCE_NAME = "synthetic.jpg"
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SyntheticDatabases:
    """A data directory with databases of the same rows, and the vectors and fingerprints of these rows."""

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
    """Return the model that the vectors belong to."""
    return BuiltInModel()


@cache
def create_databases(size: int, *, with_features: bool = True, databases: int = 1) -> SyntheticDatabases:
    """Create databases of ``size`` rows; row ids count from 1. Blocks: call it in a thread.

    Cached for the whole run. The directory is removed when the process ends.
    """
    owner = tempfile.TemporaryDirectory(prefix="vsearch-bench-")
    data_dir = Path(owner.name)
    names = (str(KEY.name), *(f"{KEY.name}_{number}" for number in range(2, databases + 1)))
    asyncio.run(_create(data_dir, names))
    vectors = make_vectors(size)
    fingerprints = np.random.default_rng(_SEED).integers(0, 256, (size, 32), np.uint8)
    engine = sqlite.create(sqlite.address(data_dir), 1)
    with engine.execution_options(immediate=True).begin() as connection:
        for number, name in enumerate(names):
            _fill(
                connection,
                name,
                number * size,
                _Rows(vectors, fingerprints, *((packed_features(), packed_points()) if with_features else ((), ()))),
            )
    engine.dispose()
    return SyntheticDatabases(data_dir, names, vectors, fingerprints, owner)


def make_vectors(size: int, seed: int = _SEED) -> Halves:
    """Return clustered vectors of norm 1 in float16, as the store keeps them (size × dimensions)."""
    rng = np.random.default_rng(seed)
    dimensions = model().dimensions
    common = _direction(rng, 1, dimensions)
    centres = _direction(rng, size // CLUSTER + 1, dimensions)
    vectors = np.empty((size, dimensions), np.float16)
    for start in range(0, size, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, size))
        own = rng.uniform(_NEAR, _NEAREST, (len(rows), 1)).astype(np.float32)
        rest = np.sqrt(1 - _COMMON**2 - own**2)
        some = _COMMON * common + own * centres[rows % len(centres)] + rest * _direction(rng, len(rows), dimensions)
        vectors[rows] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def query_near(vectors: Halves, row: int, seed: int = 5) -> Floats:
    """Return a new member of a row's cluster that is near it but a copy of nothing (1 × dimensions)."""
    members = vectors[row :: len(vectors) // CLUSTER + 1].astype(np.float32)
    centre = members.mean(axis=0, keepdims=True)
    mixed = centre / np.linalg.norm(centre) + 0.8 * _direction(np.random.default_rng(seed), 1, vectors.shape[1])
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def _direction(rng: np.random.Generator, rows: int, dimensions: int) -> Floats:
    drawn = rng.standard_normal((rows, dimensions), np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


async def _create(data_dir: Path, names: Sequence[str]) -> None:
    async with build_services(Settings(data_dir=data_dir)) as services:
        for name in names:
            await services.databases.create(DatabaseKey(LOCAL_WORKSPACE, DatabaseName(name)))


def features_index(row_id: int) -> int:
    """Return the index into ``sample_pictures.packed_features()`` for a row."""
    return row_id % len(packed_features())


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    vectors: Halves
    fingerprints: Bytes
    local_features: Sequence[bytes]
    point_features: Sequence[bytes]


def _fill(connection: Connection, name: str, above: int, rows: _Rows) -> None:
    """Write rows past the store: it takes a tenth of the time of as many adds."""
    engine_id = connection.execute(select(embedded_databases.c.id).filter_by(name=name)).scalar_one()
    catalogue_id = connection.execute(select(databases.c.id).filter_by(name=name)).scalar_one()
    for start in range(0, len(rows.vectors), _CHUNK):
        tables: defaultdict[Table, list[dict[str, Any]]] = defaultdict(list)
        for number in range(start, min(start + _CHUNK, len(rows.vectors))):
            row_id, fingerprint = above + number + 1, rows.fingerprints[number].tobytes()
            for table, values in (
                *_engine_rows(row_id, engine_id, rows.vectors[number].astype("<f2").tobytes(), fingerprint),
                *_features_rows(row_id, rows),
                *_catalogue_rows(row_id, catalogue_id, fingerprint),
            ):
                tables[table].append(values)
        for table, chunk in tables.items():
            connection.execute(insert(table), chunk)
    connection.execute(update(embedded_databases).values(model_id=model().model_id, revision=1))


def _named(row_id: int) -> dict[str, Any]:
    return {"data_id": f"{row_id:032x}", "entity": f"entity_{row_id}", "note": "", "created_at": _NOW}


def _engine_rows(row_id: int, database_id: int, embedding: bytes, fingerprint: bytes) -> Iterator[_Row]:
    yield embedded_images, {**_named(row_id), "id": row_id, "database_id": database_id, "updated_at": _NOW}
    yield (
        embedded_vectors,
        {
            "id": row_id,
            "image_id": row_id,
            "database_id": database_id,
            "model_id": model().model_id,
            "embedding": embedding,
            "fingerprint": fingerprint,
        },
    )


def _features_rows(row_id: int, rows: _Rows) -> Iterator[_Row]:
    if rows.local_features:
        sketch = rows.local_features[row_id % len(rows.local_features)]
        points = rows.point_features[row_id % len(rows.point_features)]
        yield embedded_local_features, {"vector_id": row_id, "features": sketch}
        yield embedded_point_features, {"vector_id": row_id, "features": points}


def _catalogue_rows(row_id: int, database_id: int, fingerprint: bytes) -> Iterator[_Row]:
    image = {**_named(row_id), "id": row_id, "database_id": database_id}
    yield images, image | _catalogue_columns(fingerprint)
    origin = {"image_id": row_id, "created_at": _NOW, "author": "", "note": "", "source_name": _SOURCE_NAME}
    yield image_origins, origin | {"source": OriginSource.COMMAND_LINE.value}


def _catalogue_columns(fingerprint: bytes) -> dict[str, Any]:
    return {
        "digest": secrets.token_hex(32),
        "source_digest": secrets.token_hex(32),
        "fingerprint": fingerprint,
        "width": 640,
        "height": 480,
        "added_by": "",
        "source_name": _SOURCE_NAME,
    }

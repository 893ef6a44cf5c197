"""Vectors that PostgreSQL searches with pgvector. Implements ``adapters.pgvector.ports``.

The vectors are stored in ``embedded_vectors``, as for the embedded engine. ``pgvector_rows`` is derived from it, like
an in-memory index. ``pgvector_indexes`` creates and fills it, so that users can switch between the two engines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import LargeBinary, String, TextClause, bindparam, text

from bot.domain.identifiers import DataId
from bot.storage.sql.schema.columns import ROW_ID
from bot.storage.sql.schema.halfvec import Halfvec
from bot.storage.vectors.additions import NewImageRow, PackedFeatures, vector_values
from bot.storage.vectors.embedded import SqlVectorRows
from bot.storage.vectors.store import SqlVectorStore

Floats = npt.NDArray[np.float32]

EF_SEARCH = 100
MAX_EF_SEARCH = 1000
"""Limits of pgvector's ``hnsw.ef_search``, the number of candidates of a search by index."""

_STATEMENTS_KEPT = 1024

ADD_ROW = text(
    "INSERT INTO pgvector_rows (vector_id, database_id, model_id, embedding)"
    " VALUES (:vector_id, :database_id, :model_id, CAST(:embedding AS halfvec))"
    " ON CONFLICT DO NOTHING"
).bindparams(bindparam("embedding", type_=Halfvec()))
# One statement each, because adds to a database wait for each other, so every round trip of an add delays the others.
_NEW_IMAGES = text(
    "WITH image AS (INSERT INTO embedded_images (database_id, data_id, entity, entity_key, note, created_at,"
    "  updated_at) SELECT :database, data_id, entity, entity_key, note, at, at FROM unnest("
    "  CAST(:data_ids AS text[]), CAST(:entities AS text[]), CAST(:entity_keys AS text[]), CAST(:notes AS text[]),"
    "  CAST(:times AS timestamptz[])) WITH ORDINALITY AS new (data_id, entity, entity_key, note, at, place)"
    "  ORDER BY place RETURNING id, data_id),"
    " touched AS (UPDATE embedded_databases SET revision = revision + (SELECT count(*) FROM image)"
    "  WHERE id = :database)"
    " SELECT id, data_id FROM image"
).bindparams(bindparam("database", type_=ROW_ID))
_NEW_VECTOR = text(
    "WITH vector AS (INSERT INTO embedded_vectors (image_id, database_id, model_id, embedding, fingerprint)"
    "  SELECT id, :database_id, :model_id, :embedding, :fingerprint FROM embedded_images WHERE id = :image_id"
    "  AND NOT EXISTS (SELECT 1 FROM embedded_vectors WHERE image_id = :image_id AND model_id = :model_id)"
    "  RETURNING id, database_id, model_id),"
    " stored AS (INSERT INTO embedded_local_features (vector_id, features)"
    "  SELECT id, :local_features FROM vector WHERE length(:local_features) > 0),"
    " pointed AS (INSERT INTO embedded_point_features (vector_id, features)"
    "  SELECT id, :point_features FROM vector WHERE length(:point_features) > 0),"
    " pending AS (INSERT INTO embedded_pending_points (vector_id, luminance)"
    "  SELECT id, :pending_points FROM vector WHERE length(:pending_points) > 0)"
    " INSERT INTO pgvector_rows (vector_id, database_id, model_id, embedding)"
    " SELECT id, database_id, model_id, CAST(:halves AS halfvec) FROM vector"
).bindparams(
    *(bindparam(name, type_=ROW_ID) for name in ("image_id", "database_id")),
    *(
        bindparam(name, type_=LargeBinary())
        for name in ("embedding", "fingerprint", "local_features", "point_features", "pending_points")
    ),
    bindparam("model_id", type_=String()),
    bindparam("halves", type_=Halfvec()),
)
_FINGERPRINTS = text(
    "SELECT id, fingerprint FROM embedded_vectors"
    " WHERE database_id = :database AND model_id = :model AND id > :after ORDER BY id"
)
_IS_INDEXED = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND indisvalid")

_COSINES = """
    SELECT vector_id, -(embedding::halfvec({size}) <#> CAST(:probe AS halfvec({size}))) FROM pgvector_rows
    WHERE vector_id = ANY(CAST(:some AS bigint[]))
"""
_NEAREST = """
    SELECT vector_id, -({distance}) FROM pgvector_rows WHERE {of} ORDER BY {order} LIMIT {most:d}
"""
# Sets the options of the index search without a round trip of its own. The condition depends on no row, so PostgreSQL
# evaluates it before it searches the index.
_ITERATIVE_SCAN = """ AND (
    SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true) || set_config('hnsw.ef_search', '{ef:d}', true)
) IS NOT NULL
"""
_DISTANCE = "embedding::halfvec({size}) <#> CAST(:probe AS halfvec({size}))"
_PROBE = bindparam("probe", type_=Halfvec())


class PgvectorRows(SqlVectorRows):
    """The embedded engine's rows, and the search for the nearest of them."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Return whether the database has an HNSW index. Otherwise a search compares all its vectors."""
        name = index_name(database_id, model_id)
        return self._connection.execute(_IS_INDEXED, {"name": name}).scalar() is not None

    def nearest(
        self, database_id: int, model_id: str, embedding: Floats, count: int, *, by_index: bool
    ) -> Mapping[int, float]:
        """Return the cosine similarities of the ``count`` nearest vectors, by row id."""
        query = _nearest(len(embedding), rows_of(database_id, model_id), count, by_index)
        rows = self._connection.execute(query, {"probe": embedding})
        return {row[0]: row[1] for row in rows}

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Return row id and fingerprint of vectors with a row id above ``after``, in ascending order."""
        rows = self._connection.execute(_FINGERPRINTS, {"database": database_id, "model": model_id, "after": after})
        return [(row[0], row[1]) for row in rows]

    def cosines(self, row_ids: Iterable[int], embedding: Floats) -> Mapping[int, float]:
        """Return the cosine similarities of these vectors, by row id."""
        query = _cosines(len(embedding))
        rows = self._connection.execute(query, {"probe": embedding, "some": list(row_ids)})
        return {row[0]: row[1] for row in rows}

    def add_vector(self, database_id: int, image_id: int, model_id: str, features: PackedFeatures) -> None:
        """Insert a model's features of an image. Does nothing if the image was deleted or has them already."""
        # The statement checks that itself.
        self._insert_vectors(database_id, model_id, {image_id: features})

    def _insert_images(self, database_id: int, images: Sequence[NewImageRow]) -> Mapping[DataId, int]:
        values = {
            "database": database_id,
            "data_ids": [data_id for data_id, *_ in images],
            "entities": [str(entity) for _, entity, *_ in images],
            "entity_keys": [entity.key for _, entity, *_ in images],
            "notes": [str(note) for _, _, note, *_ in images],
            "times": [at for *_, at, _ in images],
        }
        return {data_id: image_id for image_id, data_id in self._connection.execute(_NEW_IMAGES, values)}

    def _insert_vectors(self, database_id: int, model_id: str, features: Mapping[int, PackedFeatures]) -> None:
        rows = [
            vector_values(database_id, image_id, model_id, packed)
            | {"halves": _to_half(packed[0])}
            | dict(zip(("local_features", "point_features", "pending_points"), packed[2:], strict=True))
            for image_id, packed in features.items()
        ]
        # The driver sends them together, and waits once.
        self._connection.execute(_NEW_VECTOR, rows if len(rows) > 1 else rows[0])


class PgvectorVectorStore(SqlVectorStore):
    """Implements ``adapters.embedded.store.VectorStore`` with rows that PostgreSQL can search."""

    _rows = PgvectorRows


def pgvector_row(vector_id: int, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the row of ``pgvector_rows`` that is derived from a row of ``embedded_vectors``."""
    return {
        "vector_id": vector_id,
        "database_id": values["database_id"],
        "model_id": values["model_id"],
        "embedding": _to_half(values["embedding"]),
    }


def rows_of(database_id: int, model_id: str) -> str:
    """Return the condition for a database's rows as SQL without parameters.

    PostgreSQL uses a partial index only for queries that contain the index's condition literally.
    """
    # SQLAlchemy would take an unescaped colon for the start of a parameter.
    quoted = model_id.replace("'", "''").replace(":", r"\:")
    return f"database_id = {database_id:d} AND model_id = '{quoted}'"


def index_name(database_id: int, model_id: str) -> str:
    """Return the name of a large database's index."""
    model = hashlib.blake2b(model_id.encode(), digest_size=4).hexdigest()
    return f"ix_pgvector_{database_id}_{model}"


# Cached, because a prebuilt statement costs little more than the work of the driver.
@lru_cache(_STATEMENTS_KEPT)
def _nearest(size: int, where: str, count: int, by_index: bool) -> TextClause:
    order = distance = _DISTANCE.format(size=size)
    if by_index:
        where += _ITERATIVE_SCAN.format(ef=max(EF_SEARCH, min(2 * count, MAX_EF_SEARCH)))
    else:
        # An index can't order by a sum, so PostgreSQL compares every vector.
        order = f"({distance}) + 0"
    return text(_NEAREST.format(distance=distance, order=order, of=where, most=count)).bindparams(_PROBE)


@lru_cache
def _cosines(size: int) -> TextClause:
    return text(_COSINES.format(size=size)).bindparams(_PROBE)


def _to_half(embedding: bytes) -> npt.NDArray[np.float16]:
    return np.frombuffer(embedding, "<f2")

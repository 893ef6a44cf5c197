"""Vectors that PostgreSQL searches by itself, with pgvector: satisfies ``adapters.pgvector.ports``.

``embedded_vectors`` stays the truth, as for the embedded engine. ``pgvector_rows`` is derived from it, as an index in
memory would be; ``nearest_upkeep`` makes it and fills it, so one may go from one engine to the other and back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import text

from bot.storage.vectors import SqlRows, SqlVectors

Floats = npt.NDArray[np.float32]

EF_SEARCH = 100
LARGEST_EF_SEARCH = 1000

ADD_ROW = text(
    "INSERT INTO pgvector_rows (vector_id, database_id, model_id, embedding)"
    " VALUES (:vector_id, :database_id, :model_id, CAST(:embedding AS halfvec))"
    " ON CONFLICT DO NOTHING"
)
_BY_INDEX = text(
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', :ef, true)"
)
_PRINTS = text(
    "SELECT id, fingerprint FROM embedded_vectors"
    " WHERE database_id = :database AND model_id = :model AND id > :after ORDER BY id"
)
_IS_INDEXED = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND indisvalid")

_COSINES = """
    SELECT vector_id, -(embedding::halfvec({size}) <#> CAST(:probe AS halfvec({size}))) FROM pgvector_rows
    WHERE vector_id = ANY(CAST(:some AS bigint[]))
"""
_NEAREST = """
    SELECT vector_id, -({distance}) FROM pgvector_rows WHERE {of} ORDER BY {order} LIMIT :most
"""
_DISTANCE = "embedding::halfvec({size}) <#> CAST(:probe AS halfvec({size}))"


class NearestRows(SqlRows):
    """The embedded engine's rows, and the search for the nearest of them."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Whether the database has an index of its own; otherwise each of its vectors is compared."""
        name = index_name(database_id, model_id)
        return self._connection.execute(_IS_INDEXED, {"name": name}).scalar() is not None

    def search_by_index(self, count: int) -> None:
        """Be thorough enough for so many results, in this transaction."""
        self._connection.execute(_BY_INDEX, {"ef": str(max(EF_SEARCH, min(2 * count, LARGEST_EF_SEARCH)))})

    def nearest(
        self, database_id: int, model_id: str, embedding: Floats, count: int, *, by_index: bool
    ) -> Mapping[int, float]:
        """Cosines by row id."""
        distance = _DISTANCE.format(size=len(embedding))
        # A sum is in no index: each is compared.
        order = distance if by_index else f"({distance}) + 0"
        query = _NEAREST.format(distance=distance, order=order, of=rows_of(database_id, model_id))
        rows = self._connection.execute(text(query), {"probe": text_of(embedding), "most": count})
        return {row[0]: row[1] for row in rows}

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Those of row ids beyond ``after``, ascending."""
        rows = self._connection.execute(_PRINTS, {"database": database_id, "model": model_id, "after": after})
        return [(row[0], row[1]) for row in rows]

    def cosines(self, row_ids: Iterable[int], embedding: Floats) -> Mapping[int, float]:
        """By row id."""
        query = text(_COSINES.format(size=len(embedding)))
        rows = self._connection.execute(query, {"probe": text_of(embedding), "some": list(row_ids)})
        return {row[0]: row[1] for row in rows}

    def _derive(self, vector_id: int, values: Mapping[str, Any]) -> None:
        self._connection.execute(ADD_ROW, derived(vector_id, values))


class SqlNearest(SqlVectors):
    """Satisfies ``adapters.embedded.store.Store`` with rows that can be searched."""

    _rows = NearestRows


def derived(vector_id: int, values: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of ``pgvector_rows`` for one of ``embedded_vectors``."""
    return {
        "vector_id": vector_id,
        "database_id": values["database_id"],
        "model_id": values["model_id"],
        "embedding": text_of(np.frombuffer(values["embedding"], "<f2").astype(np.float32)),
    }


def rows_of(database_id: int, model_id: str) -> str:
    """The condition of a database's rows, written out: an index of some rows is used for the very same words only."""
    # Colons would begin parameters.
    quoted = model_id.replace("'", "''").replace(":", r"\:")
    return f"database_id = {database_id:d} AND model_id = '{quoted}'"


def index_name(database_id: int, model_id: str) -> str:
    """Of a large database's own index."""
    model = hashlib.blake2b(model_id.encode(), digest_size=4).hexdigest()
    return f"ix_pgvector_{database_id}_{model}"


def text_of(embedding: Floats) -> str:
    """Five digits tell all numbers of half precision apart."""
    return "[" + ",".join([f"{number:.5g}" for number in embedding.tolist()]) + "]"

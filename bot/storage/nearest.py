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

EF_SEARCH = 200
LARGEST_EF_SEARCH = 1000
FINGERPRINT_BYTES = 32

ADD_ROW = text(
    "INSERT INTO pgvector_rows (vector_id, database_id, model_id, embedding, fingerprint)"
    " VALUES (:vector_id, :database_id, :model_id, CAST(:embedding AS halfvec), CAST(:fingerprint AS bit(256)))"
    " ON CONFLICT DO NOTHING"
)
_BY_INDEX = text(
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', :ef, true)"
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
_RESEMBLING = """
    SELECT vector_id, distance, number FROM (
        SELECT DISTINCT ON (vector_id) vector_id, CAST(distance AS int) AS distance, CAST(number AS int) - 1 AS number
        FROM unnest(CAST(:prints AS bit(256)[])) WITH ORDINALITY AS prints (bits, number)
        CROSS JOIN LATERAL ({look}) AS seen
        WHERE distance <= :reach
        ORDER BY vector_id, distance, number
    ) AS nearest
    ORDER BY distance, vector_id LIMIT :most
"""
_AT_EACH = "SELECT vector_id, fingerprint <~> bits AS distance FROM pgvector_rows WHERE {of}"
_AT_NEAREST = f"{_AT_EACH} ORDER BY fingerprint <~> bits LIMIT :most"


class NearestRows(SqlRows):
    """The embedded engine's rows, and the search for the nearest of them."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Whether the database has indexes of its own; otherwise each of its vectors is compared."""
        names = index_names(database_id, model_id)
        return all(self._connection.execute(_IS_INDEXED, {"name": name}).scalar() for name in names)

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

    def resembling(
        self, database_id: int, model_id: str, fingerprints: Sequence[bytes], reach: int, count: int, *, by_index: bool
    ) -> Mapping[int, tuple[int, int]]:
        """By row id, nearest first: the distance of the nearest of these fingerprints, and which of them that is."""
        look = (_AT_NEAREST if by_index else _AT_EACH).format(of=rows_of(database_id, model_id))
        prints = "{" + ",".join(str(bits_of(fingerprint)) for fingerprint in fingerprints) + "}"
        given = {"prints": prints, "reach": reach, "most": count}
        rows = self._connection.execute(text(_RESEMBLING.format(look=look)), given)
        return {row[0]: (row[1], row[2]) for row in rows}

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
        "fingerprint": bits_of(values["fingerprint"]),
    }


def rows_of(database_id: int, model_id: str) -> str:
    """The condition of a database's rows, written out: an index of some rows is used for the very same words only."""
    # Colons would begin parameters.
    quoted = model_id.replace("'", "''").replace(":", r"\:")
    return f"database_id = {database_id:d} AND model_id = '{quoted}'"


def index_names(database_id: int, model_id: str) -> tuple[str, str]:
    """Of a large database: that of its embeddings, and that of its fingerprints."""
    model = hashlib.blake2b(model_id.encode(), digest_size=4).hexdigest()
    return f"ix_pgvector_{database_id}_{model}_embedding", f"ix_pgvector_{database_id}_{model}_fingerprint"


def text_of(embedding: Floats) -> str:
    """Five digits tell all numbers of half precision apart."""
    return "[" + ",".join([f"{number:.5g}" for number in embedding.tolist()]) + "]"


def bits_of(fingerprint: bytes) -> str | None:
    """None for a picture that has too little detail for one."""
    if len(fingerprint) != FINGERPRINT_BYTES:
        return None
    return f"{int.from_bytes(fingerprint, 'big'):0256b}"

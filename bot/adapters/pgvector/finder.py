"""Nearest-neighbour search in PostgreSQL. Only fingerprints are kept in memory; searches load them on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import cast

from cachetools import TTLCache

from bot.adapters.embedded.retrieval.fingerprint_cache import BYTES_PER_IMAGE, FingerprintCache
from bot.adapters.embedded.retrieval.neighbours import FingerprintHit, NeighbourQuery, Neighbours
from bot.adapters.embedded.store import DatabaseState, VectorRows, state_for_model
from bot.adapters.pgvector.ports import SearchableVectorRows
from bot.domain.identifiers import DatabaseKey

MAX_INDEX_RESULTS = 400
"""Greatest number of results for which an index is faster than comparing all vectors."""

_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S = 10_000, 30.0


class PgvectorNeighbourSearch:
    """Satisfies ``adapters.embedded.retrieval.index_cache.NeighbourSearch``. Pass it ``SearchableVectorRows`` only."""

    def __init__(self, model_id: str, memory_bytes: int) -> None:
        self._model_id = model_id
        self._fingerprints = FingerprintCache(model_id, memory_bytes // BYTES_PER_IMAGE)
        self._lock = Lock()
        self._known: TTLCache[DatabaseKey, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)
        self._indexed: TTLCache[int, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)

    @property
    def memory(self) -> int:
        """The size of the cached fingerprints, in bytes."""
        return self._fingerprints.memory

    def is_known(self, key: DatabaseKey) -> bool:
        """Return whether a search in the last 30 seconds found the database."""
        with self._lock:
            return key in self._known

    def forget(self, key: DatabaseKey) -> None:
        """Drop the cached state of a deleted database."""
        with self._lock:
            self._known.pop(key, None)

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """Return the nearest rows, and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        self.forget(key)
        state = state_for_model(rows, key, self._model_id)
        if state.model_id is None:
            return state, Neighbours()
        with self._lock:
            self._known[key] = True
        # The pgvector back end is composed with a store of such rows.
        return state, self._neighbours(cast("SearchableVectorRows", rows), state, query)

    def _neighbours(self, rows: SearchableVectorRows, state: DatabaseState, query: NeighbourQuery) -> Neighbours:
        by_index = query.count <= MAX_INDEX_RESULTS and self._is_indexed(rows, state.id)
        results = [
            rows.nearest(state.id, self._model_id, embedding, query.count, by_index=by_index)
            for embedding in query.embeddings
        ]
        cosines = dict(sorted(_top_cosines(results).items(), key=lambda item: (-item[1], item[0]))[: query.count])
        return Neighbours(cosines, self._fingerprint_hits(rows, state, query))

    def _fingerprint_hits(
        self, rows: SearchableVectorRows, state: DatabaseState, query: NeighbourQuery
    ) -> dict[int, FingerprintHit]:
        hits = self._fingerprints.within_radius(rows, state, query)
        if not hits:
            return {}
        cosines = _top_cosines([rows.cosines(hits, embedding) for embedding in query.embeddings])
        # Rows that an embedded engine has just added are not in the pgvector table yet, so they have no cosine.
        return {
            row_id: FingerprintHit(distance, query_row, cosines[row_id])
            for row_id, (distance, query_row) in hits.items()
            if row_id in cosines
        }

    def _is_indexed(self, rows: SearchableVectorRows, database_id: int) -> bool:
        with self._lock:
            indexed = self._indexed.get(database_id)
        if indexed is None:
            indexed = rows.is_indexed(database_id, self._model_id)
            with self._lock:
                self._indexed[database_id] = indexed
        return indexed


def _top_cosines(results: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """Return the greatest cosine of each row over the query's embeddings."""
    greatest: dict[int, float] = {}
    for search in results:
        for row_id, cosine in search.items():
            greatest[row_id] = max(cosine, greatest.get(row_id, cosine))
    return greatest

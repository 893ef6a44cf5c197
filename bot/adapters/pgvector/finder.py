"""Nearest-neighbour search in PostgreSQL. Only fingerprints are kept in memory; searches load them on first use."""

from __future__ import annotations

from typing import cast

from cachetools import TTLCache

from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery, Neighbours
from bot.adapters.embedded.retrieval.recent_databases import (
    STATE_CACHE_SIZE,
    STATE_CACHE_TTL_S,
    RecentDatabases,
    greatest_cosines,
    nearest_first,
)
from bot.adapters.embedded.store import DatabaseState, VectorRows
from bot.adapters.pgvector.ports import SearchableVectorRows
from bot.domain.identifiers import DatabaseKey

MAX_INDEX_RESULTS = 400
"""Greatest number of results for which an index is faster than comparing all vectors."""


class PgvectorNeighbourSearch(RecentDatabases):
    """Satisfies ``adapters.embedded.retrieval.index_cache.NeighbourSearch``. Pass it ``SearchableVectorRows`` only."""

    def __init__(self, model_id: str, memory_bytes: int) -> None:
        super().__init__(model_id, memory_bytes)
        self._indexed: TTLCache[int, bool] = TTLCache(STATE_CACHE_SIZE, STATE_CACHE_TTL_S)

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """Return the nearest rows, and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        state = self._state(rows, key)
        if state.model_id is None:
            return state, Neighbours()
        # The pgvector back end is composed with a store of such rows.
        return state, self._neighbours(cast("SearchableVectorRows", rows), state, query)

    def _neighbours(self, rows: SearchableVectorRows, state: DatabaseState, query: NeighbourQuery) -> Neighbours:
        by_index = query.count <= MAX_INDEX_RESULTS and self._is_indexed(rows, state.id)
        cosines = greatest_cosines(
            rows.nearest(state.id, self._model_id, embedding, query.count, by_index=by_index)
            for embedding in query.embeddings
        )
        hits = self._fingerprint_hits(
            rows,
            state,
            query,
            lambda row_ids: greatest_cosines(rows.cosines(row_ids, embedding) for embedding in query.embeddings),
        )
        return Neighbours(dict(nearest_first(cosines)[: query.count]), hits)

    def _is_indexed(self, rows: SearchableVectorRows, database_id: int) -> bool:
        with self._lock:
            indexed = self._indexed.get(database_id)
        if indexed is None:
            indexed = rows.is_indexed(database_id, self._model_id)
            with self._lock:
                self._indexed[database_id] = indexed
        return indexed

"""Finds the nearest rows by asking PostgreSQL; only fingerprints are held in memory, and loaded by whoever searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import cast

from cachetools import TTLCache

from bot.adapters.embedded.index import FingerprintHit, NeighbourQuery, Neighbours
from bot.adapters.embedded.store import DatabaseState, VectorRows
from bot.adapters.pgvector.fingerprint_cache import BYTES_PER_IMAGE, FingerprintCache
from bot.adapters.pgvector.ports import SearchableVectorRows
from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import DatabaseKey

MAX_INDEX_RESULTS = 400
"""Results from which comparing with each vector costs less than an index."""

_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S = 10_000, 30.0


class PgvectorNeighbourSearch:
    """Satisfies ``adapters.embedded.index_cache.Finder``. Its rows are ``SearchableVectorRows``."""

    def __init__(self, model_id: str, memory_bytes: int) -> None:
        self._model_id = model_id
        self._prints = FingerprintCache(model_id, memory_bytes // BYTES_PER_IMAGE)
        self._lock = Lock()
        self._known: TTLCache[DatabaseKey, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)
        self._indexed: TTLCache[int, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)

    @property
    def memory(self) -> int:
        """Bytes of the fingerprints."""
        return self._prints.memory

    def is_known(self, key: DatabaseKey) -> bool:
        """Whether the database was searched lately, and was there then."""
        with self._lock:
            return key in self._known

    def forget(self, key: DatabaseKey) -> None:
        """The database is gone."""
        with self._lock:
            self._known.pop(key, None)

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        self.forget(key)
        state = rows.state(key)
        if state.model_id is None:
            return state, Neighbours()
        if state.model_id != self._model_id:
            raise ModelMismatch(key.name)
        with self._lock:
            self._known[key] = True
        # The engine is put together with a store of such rows.
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
        near = self._prints.within_radius(rows, state, query)
        if not near:
            return {}
        cosines = _top_cosines([rows.cosines(near, embedding) for embedding in query.embeddings])
        # Those that another engine added a moment ago have no row to be compared with yet.
        return {
            row_id: FingerprintHit(distance, number, cosines[row_id])
            for row_id, (distance, number) in near.items()
            if row_id in cosines
        }

    def _is_indexed(self, rows: SearchableVectorRows, database_id: int) -> bool:
        with self._lock:
            known = self._indexed.get(database_id)
        if known is None:
            known = rows.is_indexed(database_id, self._model_id)
            with self._lock:
                self._indexed[database_id] = known
        return known


def _top_cosines(results: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """Of each row the greatest cosine over the views."""
    greatest: dict[int, float] = {}
    for search in results:
        for row_id, cosine in search.items():
            greatest[row_id] = max(cosine, greatest.get(row_id, cosine))
    return greatest

"""What searches keep of databases whose vectors are elsewhere: that they exist, and their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from threading import Lock

from cachetools import TTLCache

from bot.adapters.embedded.retrieval.fingerprint_cache import BYTES_PER_IMAGE, FingerprintCache, FingerprintRows
from bot.adapters.embedded.retrieval.neighbours import FingerprintHit, NeighbourQuery
from bot.adapters.embedded.store import DatabaseState, VectorRows, state_for_model
from bot.domain.identifiers import DatabaseKey

STATE_CACHE_SIZE, STATE_CACHE_TTL_S = 10_000, 30.0

CosinesOf = Callable[[Collection[int]], Mapping[int, float]]
"""Returns the greatest cosine of rows with a query, as far as they have a vector."""


class RecentDatabases:
    """The part of a ``NeighbourSearch`` that doesn't depend on where the vectors are. Thread-safe."""

    def __init__(self, model_id: str, memory_bytes: int) -> None:
        self._model_id = model_id
        self._fingerprints = FingerprintCache(model_id, memory_bytes // BYTES_PER_IMAGE)
        self._lock = Lock()
        self._known: TTLCache[DatabaseKey, bool] = TTLCache(STATE_CACHE_SIZE, STATE_CACHE_TTL_S)

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

    def _state(self, rows: VectorRows, key: DatabaseKey) -> DatabaseState:
        """Return the state of a database, which is known from now on if it has vectors.

        Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        self.forget(key)
        state = state_for_model(rows, key, self._model_id)
        if state.model_id is not None:
            with self._lock:
                self._known[key] = True
        return state

    def _fingerprint_hits(
        self, rows: FingerprintRows, state: DatabaseState, query: NeighbourQuery, cosines_of: CosinesOf
    ) -> dict[int, FingerprintHit]:
        """Return the fingerprint hits of a query. Rows that were just added may have no vector yet; they are none."""
        hits = self._fingerprints.within_radius(rows, state, query)
        cosines = cosines_of(hits) if hits else {}
        return {
            row_id: FingerprintHit(distance, query_row, cosines[row_id])
            for row_id, (distance, query_row) in hits.items()
            if row_id in cosines
        }


def greatest_cosines(results: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """Return the greatest cosine of each row over several results."""
    greatest: dict[int, float] = {}
    for result in results:
        for row_id, cosine in result.items():
            greatest[row_id] = max(cosine, greatest.get(row_id, cosine))
    return greatest


def nearest_first(cosines: Mapping[int, float]) -> list[tuple[int, float]]:
    """Return rows and cosines, greatest first; rows that are equally far by id."""
    return sorted(cosines.items(), key=lambda item: (-item[1], item[0]))

"""A cache of fingerprints, 40 bytes for each image. Comparing them in memory takes a hundredth of the time in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from cachetools import LRUCache

from bot.adapters.embedded.retrieval.fingerprint_index import FingerprintIndex
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery
from bot.adapters.embedded.store import DatabaseState

BYTES_PER_IMAGE = 80
"""Upper bound of the memory for one image, because faiss doubles its buffer when it is full."""

RadiusHits = dict[int, tuple[int, int]]
"""Row id to (distance in bits, row of the query's nearest fingerprint), nearest first."""


class FingerprintRows(Protocol):
    """The rows of a back end that searches the vectors elsewhere."""

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Return (row id, fingerprint) of all rows with ids greater than ``after``, ascending."""
        ...


@dataclass(slots=True, eq=False)
class _CachedFingerprints:
    """The fingerprints of one database, and the state that they show. ``lock`` guards all fields."""

    lock: Lock = field(default_factory=Lock)
    fingerprints: FingerprintIndex = field(default_factory=FingerprintIndex)
    revision: int = -1
    removals: int = -1
    last_id: int = 0


class FingerprintCache:
    """The fingerprints of recently searched databases, up to ``max_rows`` rows. Thread-safe.

    The least recently used database is evicted first.
    """

    def __init__(self, model_id: str, max_rows: int) -> None:
        self._model_id = model_id
        self._lock = Lock()
        self._known: LRUCache[int, _CachedFingerprints] = LRUCache(
            max_rows, lambda cached: len(cached.fingerprints) + 1
        )

    @property
    def memory(self) -> int:
        """An upper bound of the cache's size, in bytes."""
        with self._lock:
            return int(self._known.currsize) * BYTES_PER_IMAGE

    def within_radius(self, rows: FingerprintRows, state: DatabaseState, query: NeighbourQuery) -> RadiusHits:
        """Return up to ``query.count`` rows of the database, in this state, within the Hamming radius of the query."""
        if not len(query.fingerprints):
            return {}
        with self._lock:
            cached = self._known.get(state.id) or _CachedFingerprints()
        with cached.lock:
            if not self._catch_up(rows, cached, state):
                # Another thread has updated the cached fingerprints to a newer snapshot than this one.
                cached = _CachedFingerprints()
                self._catch_up(rows, cached, state)
            row_ids, distances, query_rows = cached.fingerprints.within_radius(query.fingerprints, query.count)
        self._store(state.id, cached)
        return dict(zip(row_ids.tolist(), zip(distances.tolist(), query_rows.tolist(), strict=True), strict=True))

    def _catch_up(self, rows: FingerprintRows, cached: _CachedFingerprints, state: DatabaseState) -> bool:
        if state.revision < cached.revision:
            return False
        if state.removals != cached.removals:
            cached.fingerprints, cached.last_id = FingerprintIndex(), 0
        if state.revision != cached.revision:
            new = rows.fingerprints(state.id, self._model_id, cached.last_id)
            cached.fingerprints.append(new)
            cached.last_id = new[-1][0] if new else cached.last_id
        cached.revision, cached.removals = state.revision, state.removals
        return True

    def _store(self, database_id: int, cached: _CachedFingerprints) -> None:
        with self._lock:
            other = self._known.get(database_id)
            if other is None or other is cached or other.revision < cached.revision:
                # Insert it again, so that the cache counts its new size. It is dropped if it exceeds the whole cache.
                self._known.pop(database_id, None)
                if len(cached.fingerprints) < self._known.maxsize:
                    self._known[database_id] = cached

"""Fingerprints in memory, 40 bytes an image: comparing them there takes a hundredth of what it takes in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from cachetools import LRUCache

from bot.adapters.embedded.index import FingerprintIndex, NeighbourQuery
from bot.adapters.embedded.store import DatabaseState
from bot.adapters.pgvector.ports import SearchableVectorRows

BYTES_PER_IMAGE = 80
"""Of each, at most: faiss lets its memory grow by doubling."""

RadiusHits = dict[int, tuple[int, int]]
"""By row id, nearest first: the distance of the nearest of the query's fingerprints, and which of them that is."""


@dataclass(slots=True, eq=False)
class _CachedFingerprints:
    """The fingerprints of one database, and which state of it they show. ``lock`` guards them."""

    lock: Lock = field(default_factory=Lock)
    fingerprints: FingerprintIndex = field(default_factory=FingerprintIndex)
    revision: int = -1
    removals: int = -1
    last_id: int = 0


class FingerprintCache:
    """Those of the databases that are searched, the least recently used let go first. For threads."""

    def __init__(self, model_id: str, max_rows: int) -> None:
        self._model_id = model_id
        self._lock = Lock()
        self._known: LRUCache[int, _CachedFingerprints] = LRUCache(
            max_rows, lambda cached: len(cached.fingerprints) + 1
        )

    @property
    def memory(self) -> int:
        """Bytes, at most."""
        with self._lock:
            return int(self._known.currsize) * BYTES_PER_IMAGE

    def within_radius(self, rows: SearchableVectorRows, state: DatabaseState, query: NeighbourQuery) -> RadiusHits:
        """What resembles the query, of the database in this state."""
        if not len(query.fingerprints):
            return {}
        with self._lock:
            cached = self._known.get(state.id) or _CachedFingerprints()
        with cached.lock:
            if not self._catch_up(rows, cached, state):
                # Another thread's snapshot is newer, and has moved these past ours.
                cached = _CachedFingerprints()
                self._catch_up(rows, cached, state)
            row_ids, distances, numbers = cached.fingerprints.within_radius(query.fingerprints, query.count)
        self._store(state.id, cached)
        return dict(zip(row_ids.tolist(), zip(distances.tolist(), numbers.tolist(), strict=True), strict=True))

    def _catch_up(self, rows: SearchableVectorRows, cached: _CachedFingerprints, state: DatabaseState) -> bool:
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
                # Put back, so that its size is counted anew; one that is larger than all the room is not kept.
                self._known.pop(database_id, None)
                if len(cached.fingerprints) < self._known.maxsize:
                    self._known[database_id] = cached

"""Fingerprints in memory, 40 bytes an image: comparing them there takes a hundredth of what it takes in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from cachetools import LRUCache

from bot.adapters.embedded.index import Fingerprints, Query
from bot.adapters.embedded.store import DatabaseState
from bot.adapters.pgvector.ports import NearestRows

BYTES = 80
"""Of each, at most: faiss lets its memory grow by doubling."""

Seen = dict[int, tuple[int, int]]
"""By row id, nearest first: the distance of the nearest of the query's fingerprints, and which of them that is."""


@dataclass(slots=True, eq=False)
class _Known:
    """The fingerprints of one database, and which state of it they show. ``lock`` guards them."""

    lock: Lock = field(default_factory=Lock)
    held: Fingerprints = field(default_factory=Fingerprints)
    revision: int = -1
    removals: int = -1
    last_id: int = 0


class Prints:
    """Those of the databases that are searched, the least recently used let go first. For threads."""

    def __init__(self, model_id: str, most: int) -> None:
        self._model_id = model_id
        self._lock = Lock()
        self._known: LRUCache[int, _Known] = LRUCache(most, lambda known: len(known.held) + 1)

    @property
    def memory(self) -> int:
        """Bytes, at most."""
        with self._lock:
            return int(self._known.currsize) * BYTES

    def within_reach(self, rows: NearestRows, state: DatabaseState, query: Query) -> Seen:
        """What resembles the query, of the database in this state."""
        if not len(query.fingerprints):
            return {}
        with self._lock:
            known = self._known.get(state.id) or _Known()
        with known.lock:
            if not self._bring_up_to_date(rows, known, state):
                # Another thread's snapshot is newer, and has moved these past ours.
                known = _Known()
                self._bring_up_to_date(rows, known, state)
            row_ids, distances, numbers = known.held.within_reach(query.fingerprints, query.count)
        self._keep(state.id, known)
        return dict(zip(row_ids.tolist(), zip(distances.tolist(), numbers.tolist(), strict=True), strict=True))

    def _bring_up_to_date(self, rows: NearestRows, known: _Known, state: DatabaseState) -> bool:
        if state.revision < known.revision:
            return False
        if state.removals != known.removals:
            known.held, known.last_id = Fingerprints(), 0
        if state.revision != known.revision:
            new = rows.fingerprints(state.id, self._model_id, known.last_id)
            known.held.append(new)
            known.last_id = new[-1][0] if new else known.last_id
        known.revision, known.removals = state.revision, state.removals
        return True

    def _keep(self, database_id: int, known: _Known) -> None:
        with self._lock:
            other = self._known.get(database_id)
            if other is None or other is known or other.revision < known.revision:
                # Put back, so that its size is counted anew; one that is larger than all the room is not kept.
                self._known.pop(database_id, None)
                if len(known.held) < self._known.maxsize:
                    self._known[database_id] = known

"""Which indexes are in memory: loaded on first use, kept up to date, within one budget of bytes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from bot.adapters.embedded.index import (
    NeighbourQuery,
    Neighbours,
    SearchThreads,
    Segment,
    VectorIndex,
    memory_for,
    search_segments,
)
from bot.adapters.embedded.store import DatabaseState, VectorRows
from bot.domain.errors import ModelMismatch, UnknownDatabase
from bot.domain.identifiers import DatabaseKey

STREAMED_ROWS = 1024


@dataclass(slots=True, eq=False)
class _CachedIndex:
    """The index of one database, and which state of it that shows. ``lock`` guards all but ``memory``."""

    lock: Lock = field(default_factory=Lock)
    index: VectorIndex | None = None
    database_id: int = 0
    revision: int = -1
    removals: int = -1
    last_id: int = 0
    memory: int = 0

    def can_catch_up_to(self, state: DatabaseState) -> bool:
        """Whether the index can be brought to ``state`` by small changes."""
        return self.index is not None and self.database_id == state.id

    def is_at(self, state: DatabaseState) -> bool:
        """Whether nothing is missing."""
        return (self.revision, self.removals) == (state.revision, state.removals)


class NeighbourSearch(Protocol):
    """Finds the rows nearest to a query. For threads; ``rows`` are those of one snapshot."""

    @property
    def memory(self) -> int:
        """Bytes of all that is held in memory."""
        ...

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        ...

    def is_known(self, key: DatabaseKey) -> bool:
        """Whether the database was searched before, and was there then."""
        ...

    def forget(self, key: DatabaseKey) -> None:
        """The database is gone."""
        ...


class IndexCache:
    """Satisfies ``NeighbourSearch``.

    Indexes by database, the least recently used let go first. Each search has its thread.
    """

    def __init__(self, model_id: str, dimensions: int, budget: int) -> None:
        self._model_id = model_id
        self._dimensions = dimensions
        self._budget = budget
        # One database's segments are searched side by side; more threads than cores would gain nothing.
        self._helpers = SearchThreads((os.cpu_count() or 1) - 1)
        self._lock = Lock()
        self._residents: OrderedDict[DatabaseKey, _CachedIndex] = OrderedDict()

    @property
    def memory(self) -> int:
        """Bytes of all indexes, those being loaded included; never more than the budget."""
        with self._lock:
            return sum(cached.memory for cached in self._residents.values())

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        cached = self._entry(key)
        with cached.lock:
            # Read under the lock: another thread's newer snapshot must not have moved the index past this one.
            try:
                state = rows.state(key)
            except UnknownDatabase:
                self.forget(key)
                raise
            if state.model_id is None:
                return state, Neighbours()
            if state.model_id != self._model_id:
                raise ModelMismatch(key.name)
            if self._catch_up(rows, cached, state):
                assert cached.index is not None
                return state, search_segments(cached.index.segments, query, self._helpers)
        return state, search_segments(self._streamed(rows, state), query)

    def is_known(self, key: DatabaseKey) -> bool:
        """Whether the database was searched before, and was there then."""
        with self._lock:
            return key in self._residents

    def forget(self, key: DatabaseKey) -> None:
        """Let go of a database's index."""
        with self._lock:
            self._residents.pop(key, None)

    def _entry(self, key: DatabaseKey) -> _CachedIndex:
        with self._lock:
            cached = self._residents.setdefault(key, _CachedIndex())
            self._residents.move_to_end(key)
            return cached

    def _catch_up(self, rows: VectorRows, cached: _CachedIndex, state: DatabaseState) -> bool:
        """Make the index show ``state``; False if the budget has no room for it."""
        if cached.can_catch_up_to(state) and cached.is_at(state):
            return True
        try:
            done = self._update(rows, cached, state) if cached.can_catch_up_to(state) else False
            done = done or self._load(rows, cached, state)
        except BaseException:
            # Half of an update is of no use to the next search.
            self._drop(cached)
            raise
        if done:
            cached.revision, cached.removals = state.revision, state.removals
        else:
            self._drop(cached)
        return done

    def _update(self, rows: VectorRows, cached: _CachedIndex, state: DatabaseState) -> bool:
        index = cached.index
        assert index is not None
        for some in rows.vectors(state.id, self._model_id, cached.last_id):
            if not self._reserve(cached, index.memory_with(len(some))):
                return False
            index.append(some)
            cached.last_id = some[-1][0]
        if cached.removals != state.removals:
            index.discard_missing(rows.vector_ids(state.id, self._model_id))
        self._reserve(cached, index.memory)
        return not index.is_sparse

    def _load(self, rows: VectorRows, cached: _CachedIndex, state: DatabaseState) -> bool:
        self._drop(cached)
        expected = rows.count_vectors(state.id, self._model_id)
        if not self._reserve(cached, memory_for(self._dimensions, expected)):
            return False
        index = VectorIndex(self._dimensions, expected)
        for some in rows.vectors(state.id, self._model_id, 0):
            index.append(some)
            cached.last_id = some[-1][0]
        cached.index = index
        cached.database_id = state.id
        return self._reserve(cached, index.memory)

    def _reserve(self, cached: _CachedIndex, memory: int) -> bool:
        """Account for so many bytes, letting go of others as needed; False, and nothing changed, if they don't fit."""
        with self._lock:
            others = [other for other in self._residents.values() if other is not cached]
            if cached not in self._residents.values():
                # Let go of while it was in use: what it holds goes with this search.
                return False
            if memory > self._budget:
                return False
            over = memory + sum(other.memory for other in others) - self._budget
            for other in others:
                if over <= 0:
                    break
                # One that is in use can't give its memory back yet.
                if other.memory and other.lock.acquire(blocking=False):
                    over -= other.memory
                    other.index, other.memory = None, 0
                    other.lock.release()
            if over > 0:
                return False
            cached.memory = memory
            return True

    def _drop(self, cached: _CachedIndex) -> None:
        cached.index = None
        cached.last_id = 0
        with self._lock:
            cached.memory = 0

    def _streamed(self, rows: VectorRows, state: DatabaseState) -> Iterator[Segment]:
        """The rows from disk, a few at a time in one block of memory."""
        segment = Segment(self._dimensions, STREAMED_ROWS)
        for some in rows.vectors(state.id, self._model_id, 0):
            for start in range(0, len(some), STREAMED_ROWS):
                segment.clear()
                segment.append(some[start : start + STREAMED_ROWS])
                yield segment

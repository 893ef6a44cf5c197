"""A cache of in-memory indexes: loads them on first use, keeps them current, and stays within a memory budget."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Protocol

from bot.adapters.embedded.retrieval.index import Segment, VectorIndex, memory_for
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery, Neighbours, SearchThreads, search_segments
from bot.adapters.embedded.store import DatabaseState, VectorRows, state_for_model
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey

log = logging.getLogger(__name__)

STREAMED_ROWS = 1024
"""Rows in memory at a time when a database that doesn't fit the budget is searched."""


@dataclass(slots=True, eq=False)
class _CachedIndex:
    """The index of one database and the state that it shows. ``lock`` guards all fields but ``memory``."""

    lock: Lock = field(default_factory=Lock)
    index: VectorIndex | None = None
    database_id: int = 0
    revision: int = -1
    removals: int = -1
    last_id: int = 0
    memory: int = 0

    def can_catch_up_to(self, state: DatabaseState) -> bool:
        """Return whether the index can be updated to ``state`` without a reload."""
        return self.index is not None and self.database_id == state.id

    def is_at(self, state: DatabaseState) -> bool:
        """Return whether the index shows ``state``."""
        return (self.revision, self.removals) == (state.revision, state.removals)


class NeighbourSearch(Protocol):
    """Finds the nearest neighbours of a query. Implementations are thread-safe; ``rows`` show one snapshot."""

    @property
    def memory(self) -> int:
        """The memory in use, in bytes."""
        ...

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """Return the nearest rows, and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        ...

    def is_known(self, key: DatabaseKey) -> bool:
        """Return whether an earlier search found the database."""
        ...

    def forget(self, key: DatabaseKey) -> None:
        """Drop everything that is cached for a deleted database."""
        ...


class IndexCache:
    """Satisfies ``NeighbourSearch`` with one index for each database.

    ``budget`` is the limit in bytes. The least recently used index is evicted first. A database that doesn't fit is
    streamed from disk for each search, as is one whose embeddings can't be written to a file in ``folder``, because the
    disk is full. Each search runs in a thread of its own.
    """

    def __init__(self, model_id: str, dimensions: int, budget: int, folder: Path | None = None) -> None:
        self._model_id = model_id
        self._folder = folder
        self._dimensions = dimensions
        self._budget = budget
        # The segments of one database are searched in parallel. The calling thread takes part, hence one fewer.
        self._threads = SearchThreads((os.cpu_count() or 1) - 1)
        self._lock = Lock()
        self._entries: OrderedDict[DatabaseKey, _CachedIndex] = OrderedDict()

    @property
    def memory(self) -> int:
        """The size of all indexes, including those being loaded, in bytes. At most the budget."""
        with self._lock:
            return sum(cached.memory for cached in self._entries.values())

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """Return the nearest rows, and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        cached = self._entry(key)
        with cached.lock:
            # Read the state under the lock. Otherwise another thread could first update the index to a newer snapshot.
            try:
                state = state_for_model(rows, key, self._model_id)
            except UnknownDatabase:
                self.forget(key)
                raise
            if state.model_id is None:
                return state, Neighbours()
            if self._catch_up(rows, cached, state):
                assert cached.index is not None
                try:
                    return state, search_segments(cached.index.segments, query, self._threads)
                except OSError as error:
                    log.warning("an index is loaded again, since its file can't be read: %s", error)
                    self._drop(cached)
        return state, search_segments(self._streamed(rows, state), query)

    def is_known(self, key: DatabaseKey) -> bool:
        """Return whether an earlier search found the database."""
        with self._lock:
            return key in self._entries

    def forget(self, key: DatabaseKey) -> None:
        """Drop the index of a database."""
        with self._lock:
            self._entries.pop(key, None)

    def _entry(self, key: DatabaseKey) -> _CachedIndex:
        with self._lock:
            cached = self._entries.setdefault(key, _CachedIndex())
            self._entries.move_to_end(key)
            return cached

    def _catch_up(self, rows: VectorRows, cached: _CachedIndex, state: DatabaseState) -> bool:
        """Update or load the index so that it shows ``state``.

        Returns False if it doesn't fit the budget or the disk.
        """
        if cached.can_catch_up_to(state) and cached.is_at(state):
            return True
        try:
            done = self._update(rows, cached, state) if cached.can_catch_up_to(state) else False
            done = done or self._load(rows, cached, state)
        except OSError as error:
            log.warning("an index is streamed for each search, since its file can't be written: %s", error)
            done = False
        except BaseException:
            # A partial update leaves the index inconsistent.
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
        index = VectorIndex(self._dimensions, expected, self._folder)
        for some in rows.vectors(state.id, self._model_id, 0):
            index.append(some)
            cached.last_id = some[-1][0]
        cached.index = index
        cached.database_id = state.id
        return self._reserve(cached, index.memory)

    def _reserve(self, cached: _CachedIndex, memory: int) -> bool:
        """Set the entry's size in bytes, and evict other indexes as needed. Returns False if it doesn't fit."""
        with self._lock:
            others = [other for other in self._entries.values() if other is not cached]
            if cached not in self._entries.values():
                # It was removed while in use, so its memory must not count after this search.
                return False
            if memory > self._budget:
                return False
            over = memory + sum(other.memory for other in others) - self._budget
            for other in others:
                if over <= 0:
                    break
                # An index in use holds its lock and can't be evicted.
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
        """Yield the rows from disk in groups, each in a segment of its own."""
        for some in rows.vectors(state.id, self._model_id, 0):
            for start in range(0, len(some), STREAMED_ROWS):
                segment = Segment(self._dimensions, STREAMED_ROWS, in_memory=True)
                segment.append(some[start : start + STREAMED_ROWS])
                yield segment

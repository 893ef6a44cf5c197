"""Which indexes are in memory: loaded on first use, kept up to date, within one budget of bytes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from bot.adapters.embedded.index import Found, Helpers, Query, Segment, VectorIndex, bytes_for, find
from bot.adapters.embedded.store import DatabaseState, Rows
from bot.errors import ModelMismatch, UnknownDatabase
from bot.models import DatabaseKey

STREAMED_ROWS = 1024


@dataclass(slots=True, eq=False)
class _Resident:
    """The index of one database, and which state of it that shows. ``lock`` guards all but ``memory``."""

    lock: Lock = field(default_factory=Lock)
    index: VectorIndex | None = None
    database_id: int = 0
    revision: int = -1
    removals: int = -1
    last_id: int = 0
    memory: int = 0

    def shows(self, state: DatabaseState) -> bool:
        """Whether the index can be brought to ``state`` by small changes."""
        return self.index is not None and self.database_id == state.id

    def is_at(self, state: DatabaseState) -> bool:
        """Whether nothing is missing."""
        return (self.revision, self.removals) == (state.revision, state.removals)


class Finder(Protocol):
    """Finds the rows nearest to a query. For threads; ``rows`` are those of one snapshot."""

    @property
    def memory(self) -> int:
        """Bytes of all that is held in memory."""
        ...

    def find(self, rows: Rows, key: DatabaseKey, query: Query) -> tuple[DatabaseState, Found]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        ...

    def knows(self, key: DatabaseKey) -> bool:
        """Whether the database was searched before, and was there then."""
        ...

    def forget(self, key: DatabaseKey) -> None:
        """The database is gone."""
        ...


class Residents:
    """Satisfies ``Finder``: indexes by database, the least recently used let go first. Each search has its thread."""

    def __init__(self, model_id: str, dimensions: int, budget: int) -> None:
        self._model_id = model_id
        self._dimensions = dimensions
        self._budget = budget
        # One database's segments are searched side by side; more threads than cores would gain nothing.
        self._helpers = Helpers((os.cpu_count() or 1) - 1)
        self._lock = Lock()
        self._residents: OrderedDict[DatabaseKey, _Resident] = OrderedDict()

    @property
    def memory(self) -> int:
        """Bytes of all indexes, those being loaded included; never more than the budget."""
        with self._lock:
            return sum(resident.memory for resident in self._residents.values())

    def find(self, rows: Rows, key: DatabaseKey, query: Query) -> tuple[DatabaseState, Found]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        resident = self._use(key)
        with resident.lock:
            # Read under the lock: another thread's newer snapshot must not have moved the index past this one.
            try:
                state = rows.state(key)
            except UnknownDatabase:
                self.forget(key)
                raise
            if state.model_id is None:
                return state, Found()
            if state.model_id != self._model_id:
                raise ModelMismatch(key.name)
            if self._bring_up_to_date(rows, resident, state):
                assert resident.index is not None
                return state, find(resident.index.segments, query, self._helpers)
        return state, find(self._streamed(rows, state), query)

    def knows(self, key: DatabaseKey) -> bool:
        """Whether the database was searched before, and was there then."""
        with self._lock:
            return key in self._residents

    def forget(self, key: DatabaseKey) -> None:
        """Let go of a database's index."""
        with self._lock:
            self._residents.pop(key, None)

    def _use(self, key: DatabaseKey) -> _Resident:
        with self._lock:
            resident = self._residents.setdefault(key, _Resident())
            self._residents.move_to_end(key)
            return resident

    def _bring_up_to_date(self, rows: Rows, resident: _Resident, state: DatabaseState) -> bool:
        """Make the index show ``state``; False if the budget has no room for it."""
        if resident.shows(state) and resident.is_at(state):
            return True
        try:
            done = self._update(rows, resident, state) if resident.shows(state) else False
            done = done or self._load(rows, resident, state)
        except BaseException:
            # Half of an update is of no use to the next search.
            self._drop(resident)
            raise
        if done:
            resident.revision, resident.removals = state.revision, state.removals
        else:
            self._drop(resident)
        return done

    def _update(self, rows: Rows, resident: _Resident, state: DatabaseState) -> bool:
        index = resident.index
        assert index is not None
        for some in rows.vectors(state.id, self._model_id, resident.last_id):
            if not self._reserve(resident, index.memory_with(len(some))):
                return False
            index.append(some)
            resident.last_id = some[-1][0]
        if resident.removals != state.removals:
            index.discard_missing(rows.vector_ids(state.id, self._model_id))
        self._reserve(resident, index.memory)
        return not index.is_sparse

    def _load(self, rows: Rows, resident: _Resident, state: DatabaseState) -> bool:
        self._drop(resident)
        expected = rows.count_vectors(state.id, self._model_id)
        if not self._reserve(resident, bytes_for(self._dimensions, expected)):
            return False
        index = VectorIndex(self._dimensions, expected)
        for some in rows.vectors(state.id, self._model_id, 0):
            index.append(some)
            resident.last_id = some[-1][0]
        resident.index = index
        resident.database_id = state.id
        return self._reserve(resident, index.memory)

    def _reserve(self, resident: _Resident, memory: int) -> bool:
        """Account for so many bytes, letting go of others as needed; False, and nothing changed, if they don't fit."""
        with self._lock:
            others = [other for other in self._residents.values() if other is not resident]
            if resident not in self._residents.values():
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
            resident.memory = memory
            return True

    def _drop(self, resident: _Resident) -> None:
        resident.index = None
        resident.last_id = 0
        with self._lock:
            resident.memory = 0

    def _streamed(self, rows: Rows, state: DatabaseState) -> Iterator[Segment]:
        """The rows from disk, a few at a time in one block of memory."""
        segment = Segment(self._dimensions, STREAMED_ROWS)
        for some in rows.vectors(state.id, self._model_id, 0):
            for start in range(0, len(some), STREAMED_ROWS):
                segment.clear()
                segment.append(some[start : start + STREAMED_ROWS])
                yield segment

"""Nearest-neighbour search in Milvus, completed by what Milvus lacks according to SQL.

A search reads in SQL what Milvus lacks, then asks Milvus, then reads the rows of the results. What was added before the
search is either among the rows that SQL lists or covered by the timestamp that Milvus waits for. What was deleted is
missing from the rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np
from cachetools import TTLCache

from bot.adapters.embedded.retrieval.index import Floats
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery, Neighbours
from bot.adapters.embedded.retrieval.recent_databases import (
    STATE_CACHE_SIZE,
    STATE_CACHE_TTL_S,
    RecentDatabases,
    greatest_cosines,
    nearest_first,
)
from bot.adapters.embedded.store import DatabaseState, VectorRows, VectorStore, state_for_model
from bot.adapters.milvus.ports import MilvusVectorRows, VectorEngine, VectorQuery
from bot.domain.errors import BackendError, BackendLost
from bot.domain.identifiers import DatabaseKey, DataId

MAX_HIDDEN = 50_000
"""Row ids that a search may name to Milvus. With 30,000, a search takes 0.3 s. More are left out afterwards."""

OnLost = Callable[[str], Awaitable[None]]
"""Queues the vectors of a model whose collection Milvus has lost."""


@dataclass(frozen=True, slots=True, eq=False)
class FetchedQuery(NeighbourQuery):
    """A query with the nearest rows of the database ``database_id``."""

    database_id: int = 0
    cosines: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What SQL knows before Milvus is asked. ``cosines`` are of the rows that Milvus may lack."""

    database_id: int
    written_until: int
    cosines: Mapping[int, float]
    hidden: frozenset[int]

    def is_like(self, other: _Plan) -> bool:
        """Return whether Milvus would be asked the same."""
        mine, theirs = ((one.database_id, one.written_until, one.hidden) for one in (self, other))
        return mine == theirs


class MilvusNeighbourSearch(RecentDatabases):
    """Satisfies ``NeighbourSearch`` and ``RemoteNeighbourSearch``. Pass it ``MilvusVectorRows`` only."""

    def __init__(self, model_id: str, engine: VectorEngine, on_lost: OnLost, memory_bytes: int) -> None:
        super().__init__(model_id, memory_bytes)
        self._engine = engine
        self._on_lost = on_lost
        self._plans: TTLCache[DatabaseKey, _Plan] = TTLCache(STATE_CACHE_SIZE, STATE_CACHE_TTL_S)

    async def fetch(
        self, store: VectorStore, key: DatabaseKey, query: NeighbourQuery, exclude: Collection[DataId]
    ) -> NeighbourQuery:
        """Ask Milvus for the nearest rows, and return them with the query.

        Raises UnknownDatabase, ModelMismatch and BackendError.
        """
        try:
            return await self._fetch(store, key, query, exclude)
        except BackendLost:
            # Everything of the model is queued again, so that SQL has it until Milvus has.
            await self._on_lost(self._model_id)
            return await self._fetch(store, key, query, exclude)

    async def _fetch(
        self, store: VectorStore, key: DatabaseKey, query: NeighbourQuery, exclude: Collection[DataId]
    ) -> NeighbourQuery:
        guess = None if exclude else self._guess(key)
        # Milvus is asked while SQL is read, as if nothing had been written since the last search.
        early = None if guess is None else asyncio.ensure_future(self._ask(key, query, guess))
        try:
            plan = await store.snapshot(partial(self._plan, key, query, exclude))
            if plan is None:
                return query
            if early is not None and guess is not None and guess.is_like(plan):
                found = await early
            else:
                found = await self._ask(key, query, plan, len(exclude))
        finally:
            if early is not None:
                early.cancel()
                with suppress(asyncio.CancelledError, BackendError):
                    await early
        with self._lock:
            self._plans[key] = replace(plan, cosines={}, hidden=frozenset())
        cosines = greatest_cosines([found, plan.cosines])
        return FetchedQuery(query.embeddings, query.fingerprints, query.count, plan.database_id, cosines)

    def _guess(self, key: DatabaseKey) -> _Plan | None:
        with self._lock:
            return self._plans.get(key)

    async def _ask(
        self, key: DatabaseKey, query: NeighbourQuery, plan: _Plan, excluded: int = 0
    ) -> Mapping[int, float]:
        if not plan.written_until:
            return {}
        is_short = len(plan.hidden) <= MAX_HIDDEN
        return await self._engine.search(
            self._model_id,
            VectorQuery(
                key.workspace,
                plan.database_id,
                query.embeddings,
                max(query.count - excluded, 1) if is_short else query.count,
                plan.hidden if is_short else frozenset(),
                plan.written_until,
            ),
        )

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        """Return the nearest rows that still exist, and the state of the database that they belong to.

        ``query`` comes from ``fetch``. Raises UnknownDatabase, and ModelMismatch if another model computed the vectors.
        """
        state = self._state(rows, key)
        if state.model_id is None:
            return state, Neighbours()
        if not isinstance(query, FetchedQuery) or query.database_id != state.id:
            # The database was deleted and created again, or was empty when Milvus was asked.
            return state, Neighbours()
        # The Milvus back end is composed with a store of such rows.
        return state, self._neighbours(cast("MilvusVectorRows", rows), state, query)

    def _neighbours(self, rows: MilvusVectorRows, state: DatabaseState, query: FetchedQuery) -> Neighbours:
        existing = rows.existing_vectors(list(query.cosines))
        nearest = nearest_first(query.cosines)
        cosines = dict([(row_id, cosine) for row_id, cosine in nearest if row_id in existing][: query.count])
        hits = self._fingerprint_hits(
            rows, state, query, lambda row_ids: _cosines(query.embeddings, rows.embeddings_of(row_ids))
        )
        return Neighbours(cosines, hits)

    def _plan(
        self, key: DatabaseKey, query: NeighbourQuery, exclude: Collection[DataId], vector_rows: VectorRows
    ) -> _Plan | None:
        state = state_for_model(vector_rows, key, self._model_id)
        if state.model_id is None:
            return None
        rows = cast("MilvusVectorRows", vector_rows)
        excluded = rows.vector_ids_of(state.id, self._model_id, exclude) if exclude else frozenset[int]()
        cosines: dict[int, float] = {}
        hidden = set(excluded)
        after = 0
        while True:
            written_until, waiting, deleting = rows.pending(state.id, self._model_id, after)
            if not waiting and not deleting:
                return _Plan(state.id, written_until, cosines, frozenset(hidden))
            hidden.update(deleting)
            nearest = greatest_cosines([cosines, _cosines(query.embeddings, waiting)])
            kept = [(row_id, cosine) for row_id, cosine in nearest_first(nearest) if row_id not in excluded]
            cosines = dict(kept[: query.count])
            after = max([*waiting, *deleting])


def _cosines(embeddings: Floats, stored: Mapping[int, bytes]) -> dict[int, float]:
    """Return the greatest cosine of each stored embedding over the query's embeddings."""
    if not stored:
        return {}
    matrix = np.frombuffer(b"".join(stored.values()), "<f2").astype(np.float32).reshape(len(stored), -1)
    return dict(zip(stored, (matrix @ embeddings.T).max(axis=1).tolist(), strict=True))

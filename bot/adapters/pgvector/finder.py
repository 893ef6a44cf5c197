"""Finds the nearest rows by asking PostgreSQL; only fingerprints are held in memory, and loaded by whoever searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import cast

from cachetools import TTLCache

from bot.adapters.embedded.index import Found, Query, Resemblance
from bot.adapters.embedded.store import DatabaseState, Rows
from bot.adapters.pgvector.ports import NearestRows
from bot.adapters.pgvector.prints import BYTES, Prints
from bot.errors import ModelMismatch
from bot.models import DatabaseKey

MOST_BY_INDEX = 400
"""Results from which comparing with each vector costs less than an index."""

_DATABASES_REMEMBERED, _REMEMBERED_S = 10_000, 30.0


class PgvectorFinder:
    """Satisfies ``adapters.embedded.residents.Finder``. Its rows are ``NearestRows``."""

    def __init__(self, model_id: str, memory_bytes: int) -> None:
        self._model_id = model_id
        self._prints = Prints(model_id, memory_bytes // BYTES)
        self._lock = Lock()
        self._known: TTLCache[DatabaseKey, bool] = TTLCache(_DATABASES_REMEMBERED, _REMEMBERED_S)
        self._indexed: TTLCache[int, bool] = TTLCache(_DATABASES_REMEMBERED, _REMEMBERED_S)

    @property
    def memory(self) -> int:
        """Bytes of the fingerprints."""
        return self._prints.memory

    def knows(self, key: DatabaseKey) -> bool:
        """Whether the database was searched lately, and was there then."""
        with self._lock:
            return key in self._known

    def forget(self, key: DatabaseKey) -> None:
        """The database is gone."""
        with self._lock:
            self._known.pop(key, None)

    def find(self, rows: Rows, key: DatabaseKey, query: Query) -> tuple[DatabaseState, Found]:
        """The nearest rows and the state of the database that they belong to.

        Raises UnknownDatabase, and ModelMismatch if the vectors are not this model's.
        """
        self.forget(key)
        state = rows.state(key)
        if state.model_id is None:
            return state, Found()
        if state.model_id != self._model_id:
            raise ModelMismatch(key.name)
        with self._lock:
            self._known[key] = True
        # The engine is put together with a store of such rows.
        return state, self._found(cast("NearestRows", rows), state, query)

    def _found(self, rows: NearestRows, state: DatabaseState, query: Query) -> Found:
        by_index = query.count <= MOST_BY_INDEX and self._is_indexed(rows, state.id)
        looks = [
            rows.nearest(state.id, self._model_id, embedding, query.count, by_index=by_index)
            for embedding in query.embeddings
        ]
        cosines = dict(sorted(_greatest(looks).items(), key=lambda item: (-item[1], item[0]))[: query.count])
        return Found(cosines, self._resemblances(rows, state, query))

    def _resemblances(self, rows: NearestRows, state: DatabaseState, query: Query) -> dict[int, Resemblance]:
        near = self._prints.within_reach(rows, state, query)
        if not near:
            return {}
        cosines = _greatest([rows.cosines(near, embedding) for embedding in query.embeddings])
        # Those that another engine added a moment ago have no row to be compared with yet.
        return {
            row_id: Resemblance(distance, number, cosines[row_id])
            for row_id, (distance, number) in near.items()
            if row_id in cosines
        }

    def _is_indexed(self, rows: NearestRows, database_id: int) -> bool:
        with self._lock:
            known = self._indexed.get(database_id)
        if known is None:
            known = rows.is_indexed(database_id, self._model_id)
            with self._lock:
                self._indexed[database_id] = known
        return known


def _greatest(looks: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """Of each row the greatest cosine over the views."""
    greatest: dict[int, float] = {}
    for look in looks:
        for row_id, cosine in look.items():
            greatest[row_id] = max(cosine, greatest.get(row_id, cosine))
    return greatest

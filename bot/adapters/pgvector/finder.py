"""Finds the nearest rows by asking PostgreSQL: nothing is held in memory, so any process answers any search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import cast

from cachetools import TTLCache

from bot.adapters.embedded.index import Found, Query, Resemblance
from bot.adapters.embedded.ports import FINGERPRINT_REACH
from bot.adapters.embedded.store import DatabaseState, Rows
from bot.adapters.pgvector.ports import NearestRows
from bot.errors import ModelMismatch
from bot.models import DatabaseKey

MOST_BY_INDEX = 400
"""Results from which comparing with each vector costs less than an index."""

_DATABASES_REMEMBERED, _REMEMBERED_S = 10_000, 30.0


class PgvectorFinder:
    """Satisfies ``adapters.embedded.residents.Finder``. Its rows are ``NearestRows``."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id
        self._lock = Lock()
        self._known: TTLCache[DatabaseKey, bool] = TTLCache(_DATABASES_REMEMBERED, _REMEMBERED_S)
        self._indexed: TTLCache[int, bool] = TTLCache(_DATABASES_REMEMBERED, _REMEMBERED_S)

    @property
    def memory(self) -> int:
        """Nothing is held."""
        return 0

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
        return state, self._found(cast("NearestRows", rows), state.id, query)

    def _found(self, rows: NearestRows, database_id: int, query: Query) -> Found:
        by_index = query.count <= MOST_BY_INDEX and self._is_indexed(rows, database_id)
        if by_index:
            rows.search_by_index(query.count)
        looks = [
            rows.nearest(database_id, self._model_id, embedding, query.count, by_index=by_index)
            for embedding in query.embeddings
        ]
        cosines = dict(sorted(_greatest(looks).items(), key=lambda item: (-item[1], item[0]))[: query.count])
        return Found(cosines, self._resemblances(rows, database_id, query, by_index=by_index))

    def _resemblances(
        self, rows: NearestRows, database_id: int, query: Query, *, by_index: bool
    ) -> dict[int, Resemblance]:
        prints = [row.tobytes() for row in query.fingerprints]
        if not prints:
            return {}
        near = rows.resembling(database_id, self._model_id, prints, FINGERPRINT_REACH, query.count, by_index=by_index)
        if not near:
            return {}
        cosines = _greatest([rows.cosines(near, embedding) for embedding in query.embeddings])
        return {row_id: Resemblance(distance, number, cosines[row_id]) for row_id, (distance, number) in near.items()}

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

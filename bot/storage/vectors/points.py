"""The rows of point features, computed or pending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select

from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import embedded_pending_points, embedded_point_features, embedded_vectors

_points, _pending = embedded_point_features.c, embedded_pending_points.c

_POINTS = select(_points.vector_id, _points.features).where(_points.vector_id.in_(bindparam("some", expanding=True)))
_PENDING = select(_pending.vector_id, _pending.luminance)
_PENDING_OF = _PENDING.where(_pending.vector_id.in_(bindparam("some", expanding=True)))
# A deletion locks vectors before their points. In another order, PostgreSQL would find a deadlock.
_LOCK = (
    select(embedded_vectors.c.id)
    .where(embedded_vectors.c.id.in_(bindparam("some", expanding=True)))
    .with_for_update(read=True, key_share=True, skip_locked=True)
)
_NO_LONGER_PENDING = delete(embedded_pending_points).where(_pending.vector_id == bindparam("row_id"))


class SqlPointRows:
    """The part of ``SqlVectorRows`` that has to do with points."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def point_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return the stored point features of vectors, by row id. Vectors without any are left out."""
        return self._features(_POINTS, row_ids)

    def pending_points(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return the pending points of vectors, by row id. Vectors without any are left out."""
        return self._features(_PENDING_OF, row_ids)

    def next_pending_points(self, after: int, limit: int) -> Mapping[int, bytes]:
        """Return up to ``limit`` pending points with row ids above ``after``, ascending."""
        query = _PENDING.where(_pending.vector_id > after).order_by(_pending.vector_id).limit(limit)
        return {row.vector_id: row.luminance for row in self._connection.execute(query)}

    def count_pending_points(self) -> int:
        """Return how many vectors have pending points."""
        return self._connection.execute(select(func.count()).select_from(embedded_pending_points)).scalar_one()

    def complete_points(self, computed: Mapping[int, bytes]) -> None:
        """Replace pending points by point features. Only the transaction that finds them pending writes.

        Those of images that are being deleted stay as they are.
        """
        locked = [
            row_id
            for some in in_batches(list(computed))
            for row_id in self._connection.execute(_LOCK, {"some": some}).scalars()
        ]
        for row_id in sorted(locked):
            if self._connection.execute(_NO_LONGER_PENDING, {"row_id": row_id}).rowcount:
                values = {"vector_id": row_id, "features": computed[row_id]}
                self._connection.execute(insert(embedded_point_features), values)

    def _features(self, query: Select[Any], row_ids: Sequence[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for some in in_batches(row_ids):
            rows = self._connection.execute(query, {"some": some})
            found.update((row_id, features) for row_id, features in rows)
        return found

"""The rows that reindexing looks for, fills and deletes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Exists, delete, exists, func, insert, or_, select

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.storage.removals.tombstones import is_tombstone
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import (
    embedded_databases,
    embedded_images,
    embedded_pending_points,
    embedded_point_features,
    embedded_vectors,
)
from bot.storage.vectors.points import SqlPointRows

_databases, _images, _vectors = embedded_databases.c, embedded_images.c, embedded_vectors.c

_HAS_POINTS = or_(
    exists().where(embedded_point_features.c.vector_id == _vectors.id),
    exists().where(embedded_pending_points.c.vector_id == _vectors.id),
)
"""Points are there or pending."""


class SqlReindexRows(SqlPointRows):
    """The part of ``SqlVectorRows`` that reindexing and its checks use."""

    def images_without_vector(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Return row id and data id of images above ``after`` that lack a vector of the model, in ascending order."""
        has_vector = exists().where(_vectors.image_id == _images.id, _vectors.model_id == model_id)
        return self._images_without(has_vector, database_id, after, limit)

    def images_without_points(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Return the same for images that lack a vector of the model, or point features for it."""
        return self._images_without(_has_points(model_id), database_id, after, limit)

    def count_images_without_points(self, database_id: int, model_id: str) -> int:
        """Return how many images ``images_without_points`` returns in all."""
        lacking = (_images.database_id == database_id) & ~_has_points(model_id)
        return self._connection.execute(select(func.count()).select_from(embedded_images).where(lacking)).scalar_one()

    def lacking_points(self, model_id: str) -> list[DatabaseKey]:
        """Return the databases with vectors of the model that have no point features, by workspace and name."""
        lacking = exists().where(_vectors.database_id == _databases.id, _vectors.model_id == model_id, ~_HAS_POINTS)
        query = select(_databases.workspace, _databases.name).where(
            _databases.model_id == model_id, lacking, ~is_tombstone(embedded_databases)
        )
        rows = self._connection.execute(query.order_by(_databases.workspace, _databases.name))
        return [DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name)) for row in rows]

    def _images_without(self, found: Exists, database_id: int, after: int, limit: int) -> Sequence[tuple[int, DataId]]:
        query = (
            select(_images.id, _images.data_id)
            .where(_images.database_id == database_id, _images.id > after, ~found)
            .order_by(_images.id)
            .limit(limit)
        )
        return [(row_id, DataId(data_id)) for row_id, data_id in self._connection.execute(query)]

    def add_point_features(self, image_id: int, model_id: str, features: bytes) -> None:
        """Insert point features for a model's vector of an image that has none. Does nothing without such a vector."""
        query = select(_vectors.id).where(_vectors.image_id == image_id, _vectors.model_id == model_id, ~_HAS_POINTS)
        vector_id = self._connection.execute(query).scalar()
        if vector_id is not None and features:
            self._connection.execute(insert(embedded_point_features), {"vector_id": vector_id, "features": features})

    def drop_other_vectors(self, database_id: int, model_id: str, limit: int) -> int:
        """Delete up to ``limit`` vectors of other models. Return how many."""
        query = select(_vectors.id).where(_vectors.database_id == database_id, _vectors.model_id != model_id)
        ids = self._connection.execute(query.limit(limit)).scalars().all()
        for some in in_batches(ids):
            self._connection.execute(delete(embedded_vectors).where(_vectors.id.in_(some)))
        return len(ids)


def _has_points(model_id: str) -> Exists:
    """Return the condition on images: they have a vector of the model, and point features for it."""
    return exists().where(_vectors.image_id == _images.id, _vectors.model_id == model_id, _HAS_POINTS)

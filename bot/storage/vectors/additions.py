"""The rows that adds and reindexing insert."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, insert, select, update

from bot.domain.identifiers import DataId, EntityId, Note
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import (
    embedded_databases,
    embedded_images,
    embedded_local_features,
    embedded_pending_points,
    embedded_point_features,
    embedded_vectors,
)
from bot.storage.vectors.reindexing import SqlReindexRows

PackedFeatures = tuple[bytes, bytes, bytes, bytes, bytes]
NewImageRow = tuple[DataId, EntityId, Note, datetime, PackedFeatures]

_databases, _images, _vectors = embedded_databases.c, embedded_images.c, embedded_vectors.c

# Every add runs these. Built once, they cost little more than the work of the driver.
_EXISTING = select(_images.data_id).where(
    _images.database_id == bindparam("database"), _images.data_id.in_(bindparam("some", expanding=True))
)
_IMAGE_WITHOUT_VECTOR = select(_images.id).where(
    _images.id == bindparam("image"),
    ~exists().where(_vectors.image_id == bindparam("image"), _vectors.model_id == bindparam("model")),
)
_TOUCH = (
    update(embedded_databases)
    .where(_databases.id == bindparam("database"))
    .values(revision=_databases.revision + bindparam("writes"))
)
# Databases number the rows in their order, but may return them in another one.
_NEW_IMAGES = insert(embedded_images).returning(_images.id, _images.data_id)
_NEW_VECTORS = insert(embedded_vectors).returning(_vectors.id, _vectors.image_id)
_NEW_LOCAL_FEATURES, _NEW_POINT_FEATURES, _NEW_PENDING_POINTS = (
    insert(embedded_local_features),
    insert(embedded_point_features),
    insert(embedded_pending_points),
)


class SqlAddedRows(SqlReindexRows):
    """The part of ``SqlVectorRows`` that inserts images and their features. Each kind of row takes one statement."""

    def existing(self, database_id: int, data_ids: Collection[DataId]) -> frozenset[DataId]:
        """Return those of the data ids that images of the database have."""
        found: set[DataId] = set()
        for some in in_batches(tuple(data_ids)):
            found.update(self._connection.execute(_EXISTING, {"database": database_id, "some": some}).scalars())
        return frozenset(found)

    def add_images(self, database_id: int, model_id: str, images: Sequence[NewImageRow]) -> None:
        """Insert images with a model's features of them. The database has none of them yet.

        Their row ids ascend in their order, and each counts as a write of its own.
        """
        inserted = self._insert_images(database_id, images)
        self._insert_vectors(database_id, model_id, {inserted[data_id]: packed for data_id, *_, packed in images})

    def add_vector(self, database_id: int, image_id: int, model_id: str, features: PackedFeatures) -> None:
        """Insert a model's features of an image. Does nothing if the image was deleted or has them already."""
        if self._connection.execute(_IMAGE_WITHOUT_VECTOR, {"image": image_id, "model": model_id}).first():
            self._insert_vectors(database_id, model_id, {image_id: features})

    def _insert_images(self, database_id: int, images: Sequence[NewImageRow]) -> Mapping[DataId, int]:
        """Insert images and return their row ids by data id."""
        rows = [
            {
                "database_id": database_id,
                "data_id": data_id,
                "entity": str(entity),
                "entity_key": entity.key,
                "note": str(note),
                "created_at": at,
                "updated_at": at,
            }
            for data_id, entity, note, at, _ in images
        ]
        inserted = {data_id: image_id for image_id, data_id in self._connection.execute(_NEW_IMAGES, rows)}
        self._connection.execute(_TOUCH, {"database": database_id, "writes": len(rows)})
        return inserted

    def _insert_vectors(self, database_id: int, model_id: str, features: Mapping[int, PackedFeatures]) -> None:
        """Insert a model's features of images, by the image's row id. The images have none of this model yet."""
        vectors = [vector_values(database_id, image_id, model_id, packed) for image_id, packed in features.items()]
        inserted = {image_id: row_id for row_id, image_id in self._connection.execute(_NEW_VECTORS, vectors)}
        local: list[dict[str, Any]] = []
        computed: list[dict[str, Any]] = []
        pending: list[dict[str, Any]] = []
        for image_id, (_, _, local_features, point_features, luminance) in features.items():
            row_id = inserted[image_id]
            if local_features:
                local.append({"vector_id": row_id, "features": local_features})
            if point_features:
                computed.append({"vector_id": row_id, "features": point_features})
            elif luminance:
                pending.append({"vector_id": row_id, "luminance": luminance})
        for statement, rows in (
            (_NEW_LOCAL_FEATURES, local),
            (_NEW_POINT_FEATURES, computed),
            (_NEW_PENDING_POINTS, pending),
        ):
            if rows:
                self._connection.execute(statement, rows)


def vector_values(database_id: int, image_id: int, model_id: str, features: PackedFeatures) -> dict[str, Any]:
    """Return the columns of a row of ``embedded_vectors``. The last three features are in tables of their own."""
    embedding, fingerprint, *_ = features
    return {
        "image_id": image_id,
        "database_id": database_id,
        "model_id": model_id,
        "embedding": embedding,
        "fingerprint": fingerprint,
    }

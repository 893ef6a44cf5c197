"""Changes of a database's images: add an image or an origin, and take them away.

Each change waits for the others in the same database, so that no image goes while it gets an origin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from bot.domain.catalogue import ImageRecord, Origin, OriginScope, RemovedOrigins
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.storage.catalogue.origins import (
    delete_origins,
    give_entity,
    insert_origins,
    mark_imported,
    read_origins,
    read_records,
)
from bot.storage.catalogue.rows import bump_revision, columns_of, database_id_of, lock_in_back_ends
from bot.storage.catalogue.visibility import record_channels
from bot.storage.removals.rows import queue_pictures, queue_unused_uploads
from bot.storage.sql.schema.tables import images

# Every add runs these. Built once, they cost little more than the work of the driver.
_ENTITY_OF = select(images.c.entity).where(
    images.c.database_id == bindparam("database"), images.c.digest == bindparam("digest")
)
_NEW_IMAGE = insert(images)


def add_image(connection: Connection, record: ImageRecord) -> None:
    """Record an image. Raises AlreadyAdded if the database has the same ``digest``."""
    database_id = bump_revision(connection, record.database)
    entity = connection.execute(_ENTITY_OF, {"database": database_id, "digest": record.digest}).scalar()
    if entity is not None:
        raise AlreadyAdded(record.database.name, entity)
    inserted = connection.execute(_NEW_IMAGE, {"database_id": database_id, **columns_of(record)})
    assert inserted.inserted_primary_key is not None
    insert_origins(connection, inserted.inserted_primary_key[0], record.origins)
    record_channels(connection, database_id, record.origins)


def add_origin(connection: Connection, key: DatabaseKey, digest: str, origin: Origin) -> EntityId | None:
    """Add an origin to the image with exactly these pixels, unless it has this one.

    If the operator imports what came from Slack, the origin that is there becomes the operator's.

    Return the image's entity; None if there is no such image.
    """
    database_id = bump_revision(connection, key)
    wanted = (images.c.database_id == database_id) & (images.c.digest == digest)
    row = connection.execute(select(images.c.id, images.c.entity).where(wanted)).first()
    if row is None:
        return None
    known = [one for one in read_origins(connection, [row.id])[row.id] if origin.is_same_place(one)]
    if not known:
        insert_origins(connection, row.id, [origin])
        record_channels(connection, database_id, [origin])
    elif origin.is_operators and not any(one.is_operators for one in known):
        mark_imported(connection, row.id, origin)
    return EntityId(row.entity)


def remove_origins(
    connection: Connection, key: DatabaseKey, data_id: DataId, scope: OriginScope, now: datetime
) -> RemovedOrigins:
    """Take those of an image's origins away that are in the scope, and the image's record with the last one."""
    # The caller deletes the image in the back end afterwards.
    lock_in_back_ends(connection, key)
    database_id = bump_revision(connection, key)
    wanted = (images.c.database_id == database_id) & (images.c.data_id == data_id)
    image = connection.execute(select(images.c.id, images.c.digest, images.c.entity).where(wanted)).first()
    if image is None:
        return RemovedOrigins(0, 0)
    before = read_origins(connection, [image.id])[image.id]
    removed = delete_origins(connection, image.id, scope)
    after = read_origins(connection, [image.id])[image.id]
    left = len(after)
    if left:
        _keep_entity(connection, image.id, image.entity, [one for one in before if one not in after], after)
    if not left:
        connection.execute(delete(images).where(images.c.id == image.id))
        queue_removals(connection, {image.digest}, now)
    return RemovedOrigins(removed, left)


def _keep_entity(
    connection: Connection, image_id: int, entity: str, removed: Sequence[Origin], left: Sequence[Origin]
) -> None:
    """Let the image keep its id if everybody could read where it was given, and nobody else gave it."""

    def gave_it(origin: Origin) -> bool:
        return origin.entity in {None, entity}

    was_public = any(gave_it(one) and (not one.slack or one.slack.kind is ChannelKind.PUBLIC) for one in removed)
    if was_public and not any(map(gave_it, left)):
        give_entity(connection, image_id, entity)


def remove_images(
    connection: Connection, key: DatabaseKey, entity: EntityId, data_id: DataId | None, now: datetime
) -> tuple[ImageRecord, ...]:
    """Delete the records of an entity's images, or of one of them. Return the deleted records."""
    database_id = database_id_of(connection, key, update_lock=True)
    wanted = [images.c.database_id == database_id, images.c.entity == str(entity)]
    if data_id is not None:
        wanted.append(images.c.data_id == data_id)
    rows = connection.execute(select(images).where(*wanted).order_by(images.c.id)).all()
    records = read_records(connection, key, rows)
    if rows:
        connection.execute(delete(images).where(*wanted))
        bump_revision(connection, key)
        queue_removals(connection, {row.digest for row in rows}, now)
    return records


def queue_removals(connection: Connection, digests: Collection[str], now: datetime) -> None:
    """Queue the removal of what deleted images leave outside SQL."""
    queue_pictures(connection, digests, now)
    queue_unused_uploads(connection, digests, now)

"""Adds to the hosted service in the ledger: begun, taken over, confirmed, doubtful or abandoned."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import AlreadyAdded, BackendTimeout
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.storage.hosted.rows import (
    IS_UNSETTLED,
    AddState,
    columns_of,
    find_hosted_database,
    hosted_database_of,
    is_abandoned,
    is_in,
    new_add_columns,
    queue_deletions,
)
from bot.storage.sql.schema.tables import hosted_deletions, hosted_images

_images, _deletions = hosted_images.c, hosted_deletions.c


def begin_add(connection: Connection, key: DatabaseKey, image: NewHostedImage, now: datetime) -> bool:
    """Record that this process is about to send an image. Return False if the service may already have it.

    Raises AlreadyAdded if the image is confirmed.
    """
    location = hosted_database_of(connection, key, key_share_lock=True)
    values = columns_of(image) | new_add_columns(now)
    # A pending deletion of the earlier image would delete the new one.
    deletion = (_deletions.upstream == location.upstream) & (_deletions.entity == location.prefix + image.data_id)
    deleted = connection.execute(delete(hosted_deletions).where(deletion)).rowcount > 0
    named = is_in(location) & (_images.data_id == image.data_id)
    there = connection.execute(select(hosted_images).where(named).with_for_update()).first()
    if there is None:
        connection.execute(insert(hosted_images).values(database_id=location.id, **values))
    elif there.state == AddState.CONFIRMED:
        raise AlreadyAdded(key.name, there.entity)
    else:
        connection.execute(update(hosted_images).where(_images.id == there.id).values(**values))
    return there is None and not deleted


def take_over_add(
    connection: Connection, key: DatabaseKey, digest: str, entity: EntityId, note: Note, *, now: datetime
) -> DataId | None:
    """Take over an abandoned add of an image with these pixels. Return None if there is none."""
    same = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (_images.digest == digest)
    abandoned = select(_images.id, _images.data_id).where(same, is_abandoned(now)).order_by(_images.id).limit(1)
    # Concurrent callers take over different adds.
    row = connection.execute(abandoned.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    ours = update(hosted_images).where(_images.id == row.id)
    named = {"entity": str(entity), "entity_key": entity.key, "note": str(note)}
    connection.execute(ours.values(**named, **new_add_columns(now)))
    return DataId(row.data_id)


def confirm_add(connection: Connection, key: DatabaseKey, data_id: DataId) -> None:
    """Record that the service has the image. Raises BackendTimeout if the add was taken back meanwhile."""
    named = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (_images.data_id == data_id)
    confirmed = update(hosted_images).where(named).values(state=AddState.CONFIRMED)
    if not connection.execute(confirmed).rowcount:
        raise BackendTimeout(f"the add of image {data_id} took so long that it was taken back")


def take_back(connection: Connection, key: DatabaseKey, data_id: DataId, now: datetime) -> None:
    """Queue the deletion of an unconfirmed image at the service, which has it."""
    if location := find_hosted_database(connection, key, key_share_lock=True):
        the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
        # The service has the image, so it can be deleted at once.
        connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))
        queue_deletions(connection, the_add, now)


def mark_doubtful(connection: Connection, key: DatabaseKey, data_id: DataId) -> None:
    """Record that the service may or may not have the image of an unconfirmed add."""
    if location := find_hosted_database(connection, key, key_share_lock=True):
        the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
        connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))


def abandon_add(connection: Connection, key: DatabaseKey, data_id: DataId) -> None:
    """Delete an unconfirmed add."""
    if location := find_hosted_database(connection, key, key_share_lock=True):
        the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
        connection.execute(delete(hosted_images).where(the_add))

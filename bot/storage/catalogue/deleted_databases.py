"""Delete the catalogue's rows of deleted databases, in batches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from bot.storage.catalogue.image_changes import queue_removals
from bot.storage.removals.tombstones import INLINE_ROWS, find_deleted, finish_batch, is_tombstone, mark_deleted
from bot.storage.sql.schema.tables import channel_bindings, databases, images


def delete_database(connection: Connection, database_id: int, now: datetime) -> None:
    """Hide a database, and delete it at once if it is small."""
    # The foreign key does this only when the row is deleted, but the channel is without a database from now on.
    unbound = update(channel_bindings).where(channel_bindings.c.database_id == database_id)
    connection.execute(unbound.values(database_id=None))
    mark_deleted(connection, databases, database_id)
    _purge(connection, database_id, INLINE_ROWS, now)


def purge_catalogue(connection: Connection, limit: int, now: datetime) -> int:
    """Delete up to ``limit`` images of deleted databases, and queue the removal of their pictures. Return how many.

    An empty database counts as one.
    """
    database_id = find_deleted(connection, databases)
    return 0 if database_id is None else _purge(connection, database_id, limit, now)


def remaining_images(connection: Connection) -> int:
    """Return the number of images in deleted databases."""
    query = select(func.count()).select_from(images).join(databases).where(is_tombstone(databases))
    return connection.execute(query).scalar_one()


def _purge(connection: Connection, database_id: int, limit: int, now: datetime) -> int:
    some = select(images.c.id, images.c.digest).where(images.c.database_id == database_id)
    rows = connection.execute(some.order_by(images.c.id).limit(limit)).all()
    if rows:
        connection.execute(delete(images).where(images.c.id.in_([row.id for row in rows])))
        queue_removals(connection, {row.digest for row in rows}, now)
    return finish_batch(connection, databases, database_id, len(rows), limit)

"""Delete the embedded engine's rows of deleted databases, in batches."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from bot.storage.removals.tombstones import INLINE_ROWS, find_deleted, finish_batch, mark_deleted
from bot.storage.sql.schema.tables import embedded_databases, embedded_images


def delete_database(connection: Connection, database_id: int) -> None:
    """Hide a database, and delete it at once if it is small."""
    mark_deleted(connection, embedded_databases, database_id)
    _purge(connection, database_id, INLINE_ROWS)


def purge_vectors(connection: Connection, limit: int) -> int:
    """Delete up to ``limit`` images of deleted databases with their vectors. Return how many.

    An empty database counts as one.
    """
    database_id = find_deleted(connection, embedded_databases)
    return 0 if database_id is None else _purge(connection, database_id, limit)


def _purge(connection: Connection, database_id: int, limit: int) -> int:
    some = select(embedded_images.c.id).where(embedded_images.c.database_id == database_id)
    ids = connection.execute(some.order_by(embedded_images.c.id).limit(limit)).scalars().all()
    if ids:
        connection.execute(delete(embedded_images).where(embedded_images.c.id.in_(ids)))
    return finish_batch(connection, embedded_databases, database_id, len(ids), limit)

"""Delete the ledger's rows of deleted databases, in batches, and queue their deletion at the hosted service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from bot.storage.hosted.rows import HostedLocation, queue_deletions
from bot.storage.removals.tombstones import INLINE_ROWS, WHOLE_PREFIX, finish_batch, is_tombstone, mark_deleted
from bot.storage.sql.schema.tables import hosted_databases, hosted_images

_databases, _images = hosted_databases.c, hosted_images.c

IS_WHOLE = _databases.workspace.startswith(WHOLE_PREFIX, autoescape=True)
"""The condition for databases that the service deletes as a whole."""


def delete_database(connection: Connection, location: HostedLocation, now: datetime, *, whole: bool) -> None:
    """Hide a database, and delete it at once if it is small."""
    mark_deleted(connection, hosted_databases, location.id, whole=whole)
    _purge(connection, location.id, INLINE_ROWS, now, whole=whole)


def purge_ledger(connection: Connection, limit: int, now: datetime) -> int:
    """Delete up to ``limit`` images of deleted databases. Return how many; an empty database counts as one."""
    query = select(_databases.id, IS_WHOLE).where(is_tombstone(hosted_databases)).limit(1)
    row = connection.execute(query).first()
    return 0 if row is None else _purge(connection, row[0], limit, now, whole=bool(row[1]))


def _purge(connection: Connection, database_id: int, limit: int, now: datetime, *, whole: bool) -> int:
    some = select(_images.id).where(_images.database_id == database_id).order_by(_images.id).limit(limit)
    ids = connection.execute(some).scalars().all()
    if ids and whole:
        connection.execute(delete(hosted_images).where(_images.id.in_(ids)))
    elif ids:
        queue_deletions(connection, _images.id.in_(ids), now)
    return finish_batch(connection, hosted_databases, database_id, len(ids), limit)

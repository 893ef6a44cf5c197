"""Marks: what a database had when somebody was asked whether to delete it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select

from bot.domain.errors import ChangedSince
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.sql.schema.tables import images


def mark_of(connection: Connection, database_id: int) -> str:
    """Return the mark of a database's present state: its row id and that of its newest image."""
    newest = select(func.coalesce(func.max(images.c.id), 0)).where(images.c.database_id == database_id)
    return f"{database_id}-{connection.execute(newest).scalar_one()}"


def images_until(database_id: int, mark: str) -> ColumnElement[bool]:
    """Return the condition for images that a database had at a mark; without a mark, for all of its images."""
    in_database = images.c.database_id == database_id
    if not mark:
        return in_database
    marked_id, newest = _parsed(mark)
    # A database that was created again under the same name had none of its images at that time.
    return in_database & (images.c.id <= (newest if marked_id == database_id else 0))


def ids_until(connection: Connection, key: DatabaseKey, entity: EntityId, limit: int, mark: str) -> tuple[DataId, ...]:
    """Return the data ids of up to ``limit`` images that an entity had at a mark, oldest first."""
    wanted = images_until(database_id_of(connection, key), mark) & (images.c.entity_key == entity.key)
    query = select(images.c.data_id).where(wanted).order_by(images.c.id).limit(limit)
    return tuple(DataId(data_id) for data_id in connection.execute(query).scalars())


def check_unchanged(connection: Connection, key: DatabaseKey, database_id: int, mark: str) -> None:
    """Raise ChangedSince if images were added after the mark, or the database was created after it."""
    if not mark:
        return
    marked_id, newest = _parsed(mark)
    later = (images.c.database_id == database_id) & (images.c.id > newest)
    added = connection.execute(select(func.count()).select_from(images).where(later)).scalar_one()
    if added or marked_id != database_id:
        raise ChangedSince(key.name, added)


def _parsed(mark: str) -> tuple[int, int]:
    database_id, _, newest = mark.partition("-")
    try:
        return int(database_id), int(newest)
    except ValueError:
        # Not a mark that this bot wrote. It matches no database.
        return -1, 0

"""Conversion between rows of the catalogue and domain values, and queries for a database's row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from cachetools import LRUCache
from sqlalchemy import ColumnElement, Connection, Executable, Row, bindparam, func, insert, select, update

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Origin
from bot.domain.errors import DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId, entity_key
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.paging import has_prefix
from bot.storage.sql.schema.tables import databases, embedded_databases, hosted_databases, images

# Every add runs it. Built once, it costs little more than the work of the driver.
_DATABASE_ID = select(databases.c.id).where(
    databases.c.workspace == bindparam("of"), databases.c.name == bindparam("called")
)
_KEY_SHARE_DATABASE_ID = _DATABASE_ID.with_for_update(key_share=True, read=True)
_LOCKED_DATABASE_ID = _DATABASE_ID.with_for_update(key_share=True)
_BUMP_REVISION = (
    update(databases)
    .where(databases.c.workspace == bindparam("of"), databases.c.name == bindparam("called"))
    .values(revision=databases.c.revision + 1)
    .returning(databases.c.id)
)
_LOCKED_IN_BACK_ENDS = tuple(
    select(table.c.id)
    .where(table.c.workspace == bindparam("of"), table.c.name == bindparam("called"))
    .with_for_update(key_share=True)
    for table in (embedded_databases, hosted_databases)
)
_SIZE = select(func.count()).select_from(images).where(images.c.database_id == bindparam("of"))

SIZES_KEPT = 1000
"""Databases whose sizes are remembered."""


def find_database(connection: Connection, key: DatabaseKey) -> int | None:
    """Return the row id of a database; None if there is no such database."""
    return connection.execute(_DATABASE_ID, {"of": key.workspace, "called": str(key.name)}).scalar()


def create_database(connection: Connection, key: DatabaseKey, created_by: str, now: datetime) -> None:
    """Add the row of a database. Raises DatabaseExists."""
    take_advisory_locks(connection, "databases", [f"{key.workspace} {key.name}"])
    if find_database(connection, key) is not None:
        raise DatabaseExists(key.name)
    values = {"workspace": key.workspace, "name": str(key.name), "created_by": created_by, "revision": 0}
    connection.execute(insert(databases).values(**values, created_at=now))


def database_id_of(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> int:
    """Return the row id of a database. Raises UnknownDatabase.

    Until the transaction ends, ``key_share_lock`` keeps others from deleting the database, and ``update_lock`` from
    changing anything in it.
    """
    return _found(
        connection,
        _LOCKED_DATABASE_ID if update_lock else _KEY_SHARE_DATABASE_ID if key_share_lock else _DATABASE_ID,
        key,
    )


def lock_in_back_ends(connection: Connection, key: DatabaseKey) -> None:
    """Lock a database's rows in the back ends until the transaction ends.

    Adds and deletions take these locks before the catalogue's. Call this first where a transaction changes the
    catalogue before a back end, or PostgreSQL finds deadlocks. With SQLite, only one transaction writes at a time.
    """
    if connection.dialect.name == "postgresql":
        for locked in _LOCKED_IN_BACK_ENDS:
            connection.execute(locked, {"of": key.workspace, "called": str(key.name)})


def bump_revision(connection: Connection, key: DatabaseKey) -> int:
    """Increment the revision of a database and return its row id. Raises UnknownDatabase.

    Call this before changing the database's images. Concurrent writers wait here for each other, and then see the
    changes of those before them.
    """
    return _found(connection, _BUMP_REVISION, key)


def _found(connection: Connection, statement: Executable, key: DatabaseKey) -> int:
    database_id = connection.execute(statement, {"of": key.workspace, "called": str(key.name)}).scalar()
    if database_id is None:
        raise UnknownDatabase(key.name)
    return int(database_id)


class KnownSizes:
    """How many images databases had at their present revision. Counting 50,000 takes several milliseconds."""

    def __init__(self) -> None:
        self._sizes: LRUCache[tuple[int, int], int] = LRUCache(SIZES_KEPT)
        self._lock = Lock()

    def size(self, connection: Connection, database_id: int, revision: int) -> int:
        """Return the number of a database's images. Every change of them increments the revision."""
        with self._lock:
            known = self._sizes.get((database_id, revision))
        if known is not None:
            return known
        counted = connection.execute(_SIZE, {"of": database_id}).scalar_one()
        with self._lock:
            self._sizes[database_id, revision] = counted
        return counted


def database_infos(connection: Connection, wanted: ColumnElement[bool], sizes: KnownSizes) -> Iterator[DatabaseInfo]:
    """Yield the databases that match a condition, with their sizes, by name."""
    rows = connection.execute(select(databases).where(wanted)).all()
    # Sorted here, because the order of texts in SQL depends on the database's collation.
    for row in sorted(rows, key=lambda row: str(row.name)):
        key = DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name))
        size = sizes.size(connection, row.id, row.revision)
        yield DatabaseInfo(key, size, row.created_at, row.created_by, row.revision, row.hints_at_hidden, row.link)


def count_entities(connection: Connection, key: DatabaseKey, prefix: str) -> int:
    """Return how many ids a database's images have, or how many that begin with a prefix."""
    wanted = [images.c.database_id == database_id_of(connection, key)]
    if prefix:
        wanted += has_prefix(images.c.entity_key, entity_key(prefix))
    query = select(func.count(images.c.entity_key.distinct())).where(*wanted)
    return int(connection.execute(query).scalar_one())


def find_entities(
    connection: Connection,
    key: DatabaseKey,
    column: ColumnElement[str],
    values: Sequence[str],
    *conditions: ColumnElement[bool],
) -> dict[str, EntityId]:
    """Return the entities of a database's images that have one of the values in a column, by that value."""
    in_database = images.c.database_id == database_id_of(connection, key)
    found = select(column, images.c.entity).where(in_database, *conditions)
    return {
        value: EntityId(entity)
        for some in in_batches(values)
        for value, entity in connection.execute(found.where(column.in_(some)))
    }


def columns_of(record: ImageRecord) -> dict[str, Any]:
    """Return the columns of an image's row, except its database."""
    return {
        "data_id": record.data_id,
        "entity": str(record.entity),
        "entity_key": record.entity.key,
        "named_automatically": record.named_automatically,
        "digest": record.digest,
        "source_digest": record.source_digest,
        "fingerprint": record.fingerprint,
        "width": record.width,
        "height": record.height,
        "created_at": record.added_at,
    }


def record_of(key: DatabaseKey, row: Row[Any], origins: Sequence[Origin]) -> ImageRecord:
    """Return the record of an image's row and its origins."""
    return ImageRecord(
        database=key,
        data_id=DataId(row.data_id),
        entity=EntityId(row.entity),
        digest=row.digest,
        source_digest=row.source_digest,
        fingerprint=row.fingerprint,
        width=row.width,
        height=row.height,
        origins=tuple(origins),
        named_automatically=row.named_automatically,
    )

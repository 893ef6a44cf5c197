"""Conversion between rows of the catalogue and domain values, and queries for a database's row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Row, bindparam, func, select, update

from bot.domain.catalogue import DatabaseInfo, ImageRecord, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql.schema.tables import databases, images

T = TypeVar("T")
MAX_VARIABLES = 500
"""Maximum size of a list in one statement; databases limit the number of bound parameters."""

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


def in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split ``items`` into batches that fit into one statement."""
    for start in range(0, len(items), MAX_VARIABLES):
        yield items[start : start + MAX_VARIABLES]


def find_database(connection: Connection, key: DatabaseKey) -> int | None:
    """Return the row id of a database; None if there is no such database."""
    return connection.execute(_DATABASE_ID, {"of": key.workspace, "called": str(key.name)}).scalar()


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


def database_infos(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[DatabaseInfo]:
    """Yield the databases that match a condition, with their sizes, by name."""
    size = select(func.count()).select_from(images).where(images.c.database_id == databases.c.id).scalar_subquery()
    rows = connection.execute(select(databases, size.label("size")).where(wanted))
    # Sorted here, because the order of texts in SQL depends on the database's collation.
    for row in sorted(rows, key=lambda row: str(row.name)):
        key = DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name))
        yield DatabaseInfo(key, row.size, row.created_at, row.created_by, row.revision, row.hints_at_hidden)


def columns_of(record: ImageRecord) -> dict[str, Any]:
    """Return the columns of an image's row, except its database."""
    origin = record.origin
    return {
        "data_id": record.data_id,
        "entity": str(record.entity),
        "note": str(record.note),
        "digest": record.digest,
        "source_digest": record.source_digest,
        "fingerprint": record.fingerprint,
        "width": record.width,
        "height": record.height,
        "created_at": record.added_at,
        "added_by": record.added_by,
        "source_name": record.source_name,
        "slack_file": origin.file_id if origin else None,
        "slack_channel": origin.channel if origin else None,
        "slack_message": origin.message_ts if origin else None,
        "slack_permalink": origin.permalink if origin else None,
        "slack_kind": str(origin.kind) if origin else None,
    }


def record_of(key: DatabaseKey, row: Row[Any]) -> ImageRecord:
    """Return the record of an image's row."""
    return ImageRecord(
        database=key,
        data_id=DataId(row.data_id),
        entity=EntityId(row.entity),
        note=Note(row.note),
        digest=row.digest,
        source_digest=row.source_digest,
        fingerprint=row.fingerprint,
        width=row.width,
        height=row.height,
        added_at=row.created_at,
        added_by=row.added_by,
        source_name=row.source_name,
        origin=_origin_of(row),
    )


def _origin_of(row: Row[Any]) -> SlackOrigin | None:
    if row.slack_file is None:
        return None
    return SlackOrigin(
        file_id=row.slack_file,
        channel=row.slack_channel,
        message_ts=row.slack_message,
        permalink=row.slack_permalink,
        # Null if a process of a version before this column added the row.
        kind=ChannelKind(row.slack_kind or ChannelKind.PRIVATE),
    )

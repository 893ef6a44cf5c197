"""Rows of the catalogue to values and back, and what finds a database's row."""

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

# An add runs it: made once, it costs little more than the driver's own work.
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
    """Parts that fit into one statement: databases bound the number of variables."""
    for start in range(0, len(items), MAX_VARIABLES):
        yield items[start : start + MAX_VARIABLES]


def find_database(connection: Connection, key: DatabaseKey) -> int | None:
    """The row id of a database, if there is one."""
    return connection.execute(_DATABASE_ID, {"of": key.workspace, "called": str(key.name)}).scalar()


def database_id_of(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> int:
    """The row id of a database. Raises UnknownDatabase.

    Until the transaction's end nobody deletes it (``key_share_lock``), or nobody changes anything in it
    (``update_lock``).
    """
    return _found(
        connection,
        _LOCKED_DATABASE_ID if update_lock else _KEY_SHARE_DATABASE_ID if key_share_lock else _DATABASE_ID,
        key,
    )


def bump_revision(connection: Connection, key: DatabaseKey) -> int:
    """The row id of a database, whose revision grows: whoever changes its images does this first.

    Several that write at once take turns here, and each sees what those before it did. Raises UnknownDatabase.
    """
    return _found(connection, _BUMP_REVISION, key)


def _found(connection: Connection, statement: Executable, key: DatabaseKey) -> int:
    database_id = connection.execute(statement, {"of": key.workspace, "called": str(key.name)}).scalar()
    if database_id is None:
        raise UnknownDatabase(key.name)
    return int(database_id)


def database_infos(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[DatabaseInfo]:
    """Databases with their sizes, by name."""
    size = select(func.count()).select_from(images).where(images.c.database_id == databases.c.id).scalar_subquery()
    rows = connection.execute(select(databases, size.label("size")).where(wanted))
    # Ordered here: databases sort text each by the rules of some language.
    for row in sorted(rows, key=lambda row: str(row.name)):
        key = DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name))
        yield DatabaseInfo(key, row.size, row.created_at, row.created_by, row.revision, row.hints_at_hidden)


def columns_of(record: ImageRecord) -> dict[str, Any]:
    """What an image's row holds, but for its database."""
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
    """What a row says of an image."""
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
        # A process of the version before this column may still be adding.
        kind=ChannelKind(row.slack_kind or ChannelKind.PRIVATE),
    )

"""Rows of origins: read, add, select and delete them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.domain.catalogue import OPERATOR_SOURCES, ImageRecord, Origin, OriginScope, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.storage.catalogue.rows import database_id_of, record_of
from bot.storage.removals.tombstones import is_tombstone
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import databases, image_origins, images
from bot.storage.sql.sqlite import record_deletion

_columns = image_origins.c
_IS_OPERATORS = or_(_columns.imported, _columns.source.in_(sorted(OPERATOR_SOURCES)))

# Every add and every search runs these. Built once, they cost little more than the work of the driver.
_NEW_ORIGIN = insert(image_origins)
_ORIGINS_OF = (
    select(image_origins)
    .where(_columns.image_id.in_(bindparam("some", expanding=True)))
    .order_by(_columns.image_id, _columns.created_at, _columns.id)
)


def insert_origins(connection: Connection, origins: Mapping[int, Iterable[Origin]]) -> None:
    """Add origins to images, by the image's row id."""
    rows = [{"image_id": image_id, **_columns_of(origin)} for image_id, own in origins.items() for origin in own]
    connection.execute(_NEW_ORIGIN, rows)


def read_origins(connection: Connection, image_ids: Sequence[int]) -> Mapping[int, Sequence[Origin]]:
    """Return the origins of images, oldest first, by the image's row id."""
    found: defaultdict[int, list[Origin]] = defaultdict(list)
    for some in in_batches(image_ids):
        for row in connection.execute(_ORIGINS_OF, {"some": some}):
            found[row.image_id].append(_origin_of(row))
    return found


def read_records(connection: Connection, key: DatabaseKey, rows: Sequence[Row[Any]]) -> tuple[ImageRecord, ...]:
    """Return the records of a database's image rows, in their order."""
    origins = read_origins(connection, [row.id for row in rows])
    return tuple(record_of(key, row, origins[row.id]) for row in rows)


def find_records(connection: Connection, query: Select[Any]) -> tuple[ImageRecord, ...]:
    """Return the records of image rows that a query found together with ``workspace`` and ``name``."""
    rows = connection.execute(query).all()
    origins = read_origins(connection, [row.id for row in rows])
    return tuple(
        record_of(DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name)), row, origins[row.id]) for row in rows
    )


def records_with(
    connection: Connection, key: DatabaseKey, column: ColumnElement[str], values: Sequence[str]
) -> list[ImageRecord]:
    """Return the records of a database's images that have one of the values in a column."""
    in_database = select(images).where(images.c.database_id == database_id_of(connection, key))
    found: list[ImageRecord] = []
    for some in in_batches(values):
        found += read_records(connection, key, connection.execute(in_database.where(column.in_(some))).all())
    return found


def records_of_entity(
    connection: Connection, key: DatabaseKey, entity: EntityId, *, or_given: bool
) -> tuple[ImageRecord, ...]:
    """Return the records of an entity's images, oldest first; with ``or_given``, also of those once given it."""
    in_database = select(images).where(images.c.database_id == database_id_of(connection, key))
    given = select(_columns.image_id).where(_columns.entity_key == entity.key)
    has_it = images.c.entity_key == entity.key
    of_entity = in_database.where(or_(has_it, images.c.id.in_(given)) if or_given else has_it)
    return read_records(connection, key, connection.execute(of_entity.order_by(images.c.created_at, images.c.id)).all())


def images_in_scope(scope: OriginScope) -> Select[Any]:
    """Return a query for the images that have an origin in the scope, oldest first, with workspace and name."""
    query = select(images, databases.c.workspace, databases.c.name).join(databases)
    if scope.workspace is not None:
        query = query.where(databases.c.workspace == scope.workspace)
    else:
        query = query.where(~is_tombstone(databases))
    if scope.database:
        query = query.where(databases.c.name == scope.database)
    return query.where(exists().where(_columns.image_id == images.c.id, *_in_scope(scope))).order_by(images.c.id)


def delete_origins(connection: Connection, image_id: int, scope: OriginScope) -> int:
    """Delete the origins of an image that are in the scope. Return how many."""
    record_deletion(connection)
    return connection.execute(delete(image_origins).where(_columns.image_id == image_id, *_in_scope(scope))).rowcount


def give_entity(connection: Connection, image_id: int, entity: EntityId, *, automatic: bool) -> None:
    """Record that all origins of an image gave it an id."""
    values = _given(entity) | {"named_automatically": automatic}
    connection.execute(update(image_origins).where(_columns.image_id == image_id).values(values))


def rename_origins(connection: Connection, origin_ids: Sequence[int], entity: EntityId) -> None:
    """Record that origins gave another id, that a person chose."""
    values = _given(entity) | {"named_automatically": False}
    for some in in_batches(origin_ids):
        connection.execute(update(image_origins).where(_columns.id.in_(some)).values(values))


def mark_imported(connection: Connection, image_id: int, origin: Origin) -> None:
    """Record that the operator imported an export of an image with an origin that it has."""
    place = {**_columns_of(origin), "image_id": image_id}
    compared = ["image_id", "slack_file", "slack_channel", "slack_message"]
    if not place["slack_file"]:
        compared += ["source", "author", "source_name"]
    # SQLAlchemy compares with null by “is”.
    conditions = [_columns[name] == place[name] for name in compared]
    connection.execute(update(image_origins).where(*conditions).values(imported=True))


def imported_from_slack(database_id: int) -> Select[Any]:
    """Return a query for the operator's origins in a database that still have what came from Slack."""
    slack = [func.coalesce(column, "") != "" for column in (_columns.slack_file, _columns.slack_channel)]
    query = select(_columns.id, _columns.image_id, _columns.slack_file, _columns.slack_kind).join(images)
    return query.where(images.c.database_id == database_id, _IS_OPERATORS, or_(_columns.author != "", *slack))


def has_operator_origin() -> ColumnElement[bool]:
    """Return a condition on images: the operator added it, too."""
    return exists().where(_columns.image_id == images.c.id, _IS_OPERATORS)


def _in_scope(scope: OriginScope) -> list[ColumnElement[bool]]:
    conditions = [
        column == value
        for column, value in (
            (_columns.slack_file, scope.file),
            (_columns.slack_channel, scope.channel),
            (_columns.slack_message, scope.message),
        )
        if value
    ]
    if scope.before is not None:
        conditions.append(_columns.created_at < scope.before)
    if scope.from_slack:
        conditions.append(~_IS_OPERATORS)
    return conditions


def _columns_of(origin: Origin) -> dict[str, Any]:
    slack = origin.slack
    return {
        "source": str(origin.source),
        "author": origin.author,
        "created_at": origin.added_at,
        "note": str(origin.note),
        "imported": origin.imported,
        "posted": origin.posted,
        **_given(origin.entity),
        "named_automatically": origin.named_automatically,
        "source_name": origin.source_name,
        "slack_file": slack.file_id if slack else None,
        "slack_channel": slack.channel if slack else None,
        "slack_message": slack.message_ts if slack else None,
        "slack_permalink": slack.permalink if slack else None,
        "slack_kind": str(slack.kind) if slack else None,
    }


def _origin_of(row: Row[Any]) -> Origin:
    return Origin(
        source=OriginSource(row.source),
        added_at=row.created_at,
        author=row.author,
        note=Note(row.note),
        source_name=row.source_name,
        slack=_slack_origin_of(row),
        entity=None if row.entity is None else EntityId(row.entity),
        imported=bool(row.imported),
        posted=bool(row.posted),
        named_automatically=bool(row.named_automatically),
    )


def _given(entity: EntityId | None) -> dict[str, str | None]:
    return {"entity": entity and str(entity), "entity_key": entity and entity.key}


def _slack_origin_of(row: Row[Any]) -> SlackOrigin | None:
    if row.slack_file is None:
        return None
    return SlackOrigin(
        file_id=row.slack_file,
        channel=row.slack_channel or "",
        message_ts=row.slack_message or "",
        permalink=row.slack_permalink or "",
        # Null in rows of the first versions.
        kind=ChannelKind(row.slack_kind or ChannelKind.PRIVATE),
    )

"""Rows of the hosted service's ledger: states, conversions and queries that several operations share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, delete, insert, literal, select, update

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pages import ListedImage
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

ADD_LEASE = timedelta(minutes=2)
"""An add older than this belongs to a dead process, because every call to the service is over by then."""


class AddState(StrEnum):
    """The state of an add at the service."""

    ADDING = "adding"
    """A process is adding the image, or was when it died."""
    DOUBTFUL = "doubtful"
    """The service may or may not have the image, and no process is adding it."""
    CONFIRMED = "kept"
    """The service has the image."""


_databases, _images = hosted_databases.c, hosted_images.c

IS_CONFIRMED = _images.state == AddState.CONFIRMED
IS_UNSETTLED = _images.state.in_((AddState.ADDING, AddState.DOUBTFUL))

# Every operation runs it. Built once, it costs little more than the work of the driver.
_LOCATION = select(_databases.id, _databases.upstream, _databases.prefix).where(
    _databases.workspace == bindparam("of"), _databases.name == bindparam("called")
)
_KEY_SHARE_LOCATION = _LOCATION.with_for_update(key_share=True, read=True)
_LOCKED_LOCATION = _LOCATION.with_for_update()


@dataclass(frozen=True, slots=True)
class HostedLocation:
    """The database at the service (``upstream``) that has a database's images, and the prefix of their names there."""

    id: int
    upstream: str
    prefix: str


@dataclass(frozen=True, slots=True)
class HostedDeletion:
    """A pending deletion at the service: of an image, or of the whole database if ``entity`` is empty."""

    id: int
    upstream: str
    entity: str


def find_hosted_database(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> HostedLocation | None:
    """Return a database's location; None if there is no such database.

    Until the transaction ends, ``key_share_lock`` keeps others from deleting the database. ``update_lock`` also
    excludes holders of ``key_share_lock``.
    """
    query = _LOCKED_LOCATION if update_lock else _KEY_SHARE_LOCATION if key_share_lock else _LOCATION
    row = connection.execute(query, {"of": key.workspace, "called": str(key.name)}).first()
    return None if row is None else HostedLocation(*row)


def hosted_database_of(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> HostedLocation:
    """Return a database's location, as ``find_hosted_database``. Raises UnknownDatabase."""
    location = find_hosted_database(connection, key, key_share_lock=key_share_lock, update_lock=update_lock)
    if location is None:
        raise UnknownDatabase(key.name)
    return location


def is_in(location: HostedLocation) -> ColumnElement[bool]:
    """Return the condition for images of a database."""
    return _images.database_id == location.id


def is_abandoned(now: datetime) -> ColumnElement[bool]:
    """Return the condition for unconfirmed adds that no process is working on."""
    died = (_images.state == AddState.ADDING) & (_images.begun_at < now - ADD_LEASE)
    return (_images.state == AddState.DOUBTFUL) | died


def new_add_columns(now: datetime) -> dict[str, Any]:
    """Return the columns of an add that begins now."""
    return {"state": AddState.ADDING, "begun_at": now, "created_at": now, "updated_at": now}


def columns_of(image: NewHostedImage) -> dict[str, Any]:
    """Return the columns that describe an image, without its database and the state of its add."""
    return {
        "data_id": image.data_id,
        "entity": str(image.entity),
        "entity_key": image.entity.key,
        "note": str(image.note),
        "digest": image.digest,
        "fingerprint": image.fingerprint,
    }


def image_of(row: Row[Any]) -> NewHostedImage:
    """Return the image of a row."""
    return NewHostedImage(DataId(row.data_id), EntityId(row.entity), Note(row.note), row.digest, row.fingerprint)


def listed(row: Row[Any]) -> ListedImage:
    """Return the image of a row as listings show it."""
    return ListedImage(DataId(row.data_id), EntityId(row.entity), Note(row.note), row.created_at, row.updated_at)


def rename_confirmed(
    connection: Connection, key: DatabaseKey, data_ids: Sequence[DataId], entity: EntityId, now: datetime
) -> int:
    """Give confirmed images another id. Return how many."""
    confirmed = is_in(hosted_database_of(connection, key, key_share_lock=True)) & IS_CONFIRMED
    renamed = update(hosted_images).values(entity=str(entity), entity_key=entity.key, updated_at=now)
    return sum(
        connection.execute(renamed.where(confirmed, _images.data_id.in_(some))).rowcount
        for some in in_batches(data_ids)
    )


def queue_deletions(connection: Connection, wanted: ColumnElement[bool], now: datetime) -> list[AddState]:
    """Delete images here and queue their deletion at the service. Return the state of each image's add."""
    # Locked until the end, so that no add is confirmed in between.
    found = select(_images.id, _images.state).where(wanted).order_by(_images.created_at, _images.id).with_for_update()
    rows = connection.execute(found).all()
    # An image that a process is just sending can't be deleted at the service yet.
    in_flight = (_images.state == AddState.ADDING) & ~is_abandoned(now)
    due, later = (literal(moment, _images.begun_at.type) for moment in (now, now + ADD_LEASE))
    deletions = (
        select(_databases.upstream, _databases.prefix + _images.data_id, case((in_flight, later), else_=due))
        .join_from(hosted_images, hosted_databases)
        .order_by(_images.created_at, _images.id)
    )
    for some in in_batches(rows):
        in_batch = _images.id.in_([row.id for row in some])
        columns = ["upstream", "entity", "due_at"]
        connection.execute(insert(hosted_deletions).from_select(columns, deletions.where(in_batch)))
        connection.execute(delete(hosted_images).where(in_batch))
    return [AddState(row.state) for row in rows]

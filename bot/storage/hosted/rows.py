"""Rows of the ledger to values and back, and what several of its operations do with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, delete, insert, literal, select

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pages import ListedImage
from bot.storage.catalogue.rows import in_batches
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

ADD_LEASE = timedelta(minutes=2)
"""An add that has been under way for longer has lost its process: every call to the service is over by then."""


class AddState(StrEnum):
    """How far an add is."""

    ADDING = "adding"
    """Somebody is at it; or was, when the process died."""
    DOUBTFUL = "doubtful"
    """The service may have it or not, and nobody is at it."""
    CONFIRMED = "kept"
    """Confirmed."""


_databases, _images = hosted_databases.c, hosted_images.c

IS_CONFIRMED = _images.state == AddState.CONFIRMED
IS_UNSETTLED = _images.state.in_((AddState.ADDING, AddState.DOUBTFUL))

# Every operation runs it: made once, it costs little more than the driver's own work.
_PLACE = select(_databases.id, _databases.upstream, _databases.prefix).where(
    _databases.workspace == bindparam("of"), _databases.name == bindparam("called")
)
_KEY_SHARE_PLACE = _PLACE.with_for_update(key_share=True, read=True)
_LOCKED_PLACE = _PLACE.with_for_update()


@dataclass(frozen=True, slots=True)
class HostedLocation:
    """Where a database's images are at the service: its database, and how their names begin there."""

    id: int
    upstream: str
    prefix: str


@dataclass(frozen=True, slots=True)
class HostedDeletion:
    """What is to go from the service: an image, or with an empty ``entity`` a whole database."""

    id: int
    upstream: str
    entity: str


def find_hosted_database(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> HostedLocation | None:
    """A database, if there is one.

    Until the transaction's end nobody deletes it (``key_share_lock``), or nobody who keeps it is at it as well
    (``update_lock``).
    """
    query = _LOCKED_PLACE if update_lock else _KEY_SHARE_PLACE if key_share_lock else _PLACE
    row = connection.execute(query, {"of": key.workspace, "called": str(key.name)}).first()
    return None if row is None else HostedLocation(*row)


def hosted_database_of(
    connection: Connection, key: DatabaseKey, *, key_share_lock: bool = False, update_lock: bool = False
) -> HostedLocation:
    """The same. Raises UnknownDatabase."""
    location = find_hosted_database(connection, key, key_share_lock=key_share_lock, update_lock=update_lock)
    if location is None:
        raise UnknownDatabase(key.name)
    return location


def is_in(location: HostedLocation) -> ColumnElement[bool]:
    """The images of a database."""
    return _images.database_id == location.id


def is_abandoned(now: datetime) -> ColumnElement[bool]:
    """The adds that nobody is at."""
    died = (_images.state == AddState.ADDING) & (_images.begun_at < now - ADD_LEASE)
    return (_images.state == AddState.DOUBTFUL) | died


def new_add_columns(now: datetime) -> dict[str, Any]:
    """What the row of an add holds that begins now."""
    return {"state": AddState.ADDING, "begun_at": now, "created_at": now, "updated_at": now}


def columns_of(image: NewHostedImage) -> dict[str, Any]:
    """What an image's row holds, but for its database and its add."""
    return {
        "data_id": image.data_id,
        "entity": str(image.entity),
        "note": str(image.note),
        "digest": image.digest,
        "fingerprint": image.fingerprint,
    }


def image_of(row: Row[Any]) -> NewHostedImage:
    """What a row says of an image."""
    return NewHostedImage(DataId(row.data_id), EntityId(row.entity), Note(row.note), row.digest, row.fingerprint)


def listed(row: Row[Any]) -> ListedImage:
    """An image as listings have it."""
    return ListedImage(DataId(row.data_id), EntityId(row.entity), Note(row.note), row.created_at, row.updated_at)


def queue_deletions(connection: Connection, wanted: ColumnElement[bool], now: datetime) -> list[AddState]:
    """Forget images and see to it that they go from the service; how far the add of each was."""
    # Held until the end, so that none is confirmed in between.
    found = select(_images.id, _images.state).where(wanted).order_by(_images.created_at, _images.id).with_for_update()
    rows = connection.execute(found).all()
    # What is just on its way to the service can't be deleted there yet.
    on_its_way = (_images.state == AddState.ADDING) & ~is_abandoned(now)
    due, later = (literal(moment, _images.begun_at.type) for moment in (now, now + ADD_LEASE))
    deletions = (
        select(_databases.upstream, _databases.prefix + _images.data_id, case((on_its_way, later), else_=due))
        .join_from(hosted_images, hosted_databases)
        .order_by(_images.created_at, _images.id)
    )
    for some in in_batches(rows):
        is_one = _images.id.in_([row.id for row in some])
        columns = ["upstream", "entity", "due_at"]
        connection.execute(insert(hosted_deletions).from_select(columns, deletions.where(is_one)))
        connection.execute(delete(hosted_images).where(is_one))
    return [AddState(row.state) for row in rows]

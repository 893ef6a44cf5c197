"""Pages of a table in the order in which rows were added, by offset or by the token of the previous page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, func, literal, select, tuple_

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, entity_key
from bot.domain.pages import Order, Page, PageRequest

T = TypeVar("T")

_LAST = "\U0010ffff"


class ListedDatabase(NamedTuple):
    """The database whose rows are listed."""

    row_id: int
    key: DatabaseKey


class _Position(NamedTuple):
    """The last row of a page."""

    at: datetime | str
    """When it was added, or the key of its id if the listing is in the order of ids."""
    row_id: int


def read_page(
    connection: Connection,
    table: Table,
    owner: ListedDatabase,
    request: PageRequest,
    value_of: Callable[[Row[Any]], T],
    *further: ColumnElement[bool],
    by_prefix: ColumnElement[bool] | None = None,
) -> Page[T]:
    """Read a page of ``table``, which must have the columns id, database_id, entity_key and created_at.

    ``further`` are more conditions on the rows, and ``by_prefix`` is the one to use for the prefix of ids.

    Raises InvalidInput if the token does not belong to this listing.
    """
    columns = table.c
    wanted: list[ColumnElement[bool]] = [columns.database_id == owner.row_id, *further]
    if request.entity_prefix:
        prefix = entity_key(request.entity_prefix)
        wanted += has_prefix(columns.entity_key, prefix) if by_prefix is None else [by_prefix]
    total = connection.execute(select(func.count()).select_from(table).where(*wanted)).scalar_one()

    newest_first = request.order is Order.NEWEST_FIRST
    sorted_by = columns.entity_key if request.order is Order.BY_ID else columns.created_at
    position_of_row = tuple_(sorted_by, columns.id)
    query = select(table).where(*wanted).limit(request.limit + 1)
    if newest_first:
        query = query.order_by(sorted_by.desc(), columns.id.desc())
    else:
        query = query.order_by(sorted_by, columns.id)
    if request.token is None:
        query = query.offset(request.offset)
    else:
        position = _decode(request.token, owner.key, request)
        last = tuple_(literal(position.at, sorted_by.type), literal(position.row_id, columns.id.type))
        query = query.where(position_of_row < last if newest_first else position_of_row > last)

    rows = connection.execute(query).all()
    listed = rows[: request.limit]
    has_more = len(rows) > request.limit
    last_at = getattr(listed[-1], sorted_by.name) if has_more else ""
    token = _encode(_Position(last_at, listed[-1].id), owner.key, request) if has_more else None
    return Page(tuple(value_of(row) for row in listed), total, token)


def has_prefix(column: ColumnElement[str], prefix: str) -> list[ColumnElement[bool]]:
    """Return the conditions on a column whose values begin with a prefix."""
    # A range, because LIKE treats the _ of an id as a wildcard and does not use the index.
    begins = [column >= prefix]
    after = _following(prefix)
    return [*begins, column < after] if after else begins


def _following(prefix: str) -> str:
    """Return the first text in order that begins with no ``prefix`` any more, or an empty string if there is none."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return ""
    # No text contains half of a surrogate pair.
    return kept[:-1] + ("\ue000" if kept[-1] == "\ud7ff" else chr(ord(kept[-1]) + 1))


def _listing_digest(key: DatabaseKey, request: PageRequest) -> str:
    """Identify a listing, so that a token of another one is rejected."""
    text = f"{key.workspace}\n{key.name}\n{request.order}\n{entity_key(request.entity_prefix)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _encode(position: _Position, key: DatabaseKey, request: PageRequest) -> str:
    at = position.at.isoformat() if isinstance(position.at, datetime) else position.at
    content = [_listing_digest(key, request), at, position.row_id]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _decode(token: str, key: DatabaseKey, request: PageRequest) -> _Position:
    try:
        listing, at, row_id = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        valid = listing == _listing_digest(key, request) and type(row_id) is int and type(at) is str
        if request.order is Order.BY_ID:
            position = _Position(at, row_id)
        else:
            added_at = datetime.fromisoformat(at)
            position, valid = _Position(added_at, row_id), valid and added_at.tzinfo is not None
    except (ValueError, TypeError, binascii.Error, RecursionError):
        valid = False
    if not valid:
        raise InvalidInput("This page token belongs to another listing. Start again from the first page.")
    return position

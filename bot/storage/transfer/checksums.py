"""Table checksums, which show whether tables have changed or differ between databases without comparing all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Integer, LargeBinary, Table, cast, func, select

from bot.storage.sql import postgres
from bot.storage.sql.schema.columns import UtcTime

ROWS = "rows"

TableChecksum = Mapping[str, Any]
"""The checksum of one table: the number of rows under ROWS, and a value for most columns.

The value is the sum for numbers and booleans, the sum of lengths for bytes, and the maximum for times.
"""

TableChecksums = Mapping[str, TableChecksum]
"""Checksums by table name. They survive JSON unchanged."""


def table_checksums(connection: Connection, tables: Iterable[Table]) -> TableChecksums:
    """Return the checksums of tables. Equal rows have equal checksums in SQLite and PostgreSQL.

    They change with every added or deleted row and every incremented revision, but not with every changed text.
    """
    if connection.dialect.name == "postgresql":
        postgres.disable_timeouts(connection)
    return {table.name: _checksum(connection, table) for table in tables}


def differing_tables(one: TableChecksums, other: TableChecksums) -> tuple[str, ...]:
    """Return the names of the tables whose checksums differ."""
    return tuple(name for name in one if one[name] != other.get(name))


def _checksum(connection: Connection, table: Table) -> TableChecksum:
    aggregates: dict[str, ColumnElement[Any]] = {ROWS: func.count()}
    for column in table.columns:
        aggregate = _aggregate_of(column)
        if aggregate is not None:
            aggregates[column.name] = aggregate
    row = connection.execute(select(*aggregates.values()).select_from(table)).one()
    return {name: _json_value(value) for name, value in zip(aggregates, row, strict=True)}


def _aggregate_of(column: ColumnElement[Any]) -> ColumnElement[Any] | None:
    kind = column.type
    if isinstance(kind, Boolean):
        return func.sum(cast(column, Integer))
    if isinstance(kind, Integer):
        return func.sum(column)
    if isinstance(kind, LargeBinary):
        return func.sum(func.length(column))
    # Texts have no checksum, because even their lengths differ: SQLite counts up to a NUL, and PostgreSQL stores none.
    return func.max(column) if isinstance(kind, UtcTime) else None


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    # PostgreSQL returns sums of bigints as Decimal.
    return int(value) if isinstance(value, Decimal) else value

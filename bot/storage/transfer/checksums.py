"""What tells whether tables are what they were, or the same as elsewhere, without comparing row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Integer, LargeBinary, Table, cast, func, select

from bot.storage.sql import postgres
from bot.storage.sql.schema.tables import UtcTime

ROWS = "rows"

TableChecksum = Mapping[str, Any]
"""Of one table: how many rows, the sums of its numbers and of the lengths of its bytes, its latest moments."""

TableChecksums = Mapping[str, TableChecksum]
"""By table. They go through JSON unchanged."""


def table_checksums(connection: Connection, tables: Iterable[Table]) -> TableChecksums:
    """The same for equal rows on every kind of database. Adds, deletions and whatever counts a revision change it."""
    if connection.dialect.name == "postgresql":
        postgres.disable_timeouts(connection)
    return {table.name: _checksum(connection, table) for table in tables}


def differing_tables(one: TableChecksums, other: TableChecksums) -> tuple[str, ...]:
    """The tables that differ."""
    return tuple(name for name in one if one[name] != other.get(name))


def _checksum(connection: Connection, table: Table) -> TableChecksum:
    measures: dict[str, ColumnElement[Any]] = {ROWS: func.count()}
    for column in table.columns:
        measure = _summed(column)
        if measure is not None:
            measures[column.name] = measure
    row = connection.execute(select(*measures.values()).select_from(table)).one()
    return {name: _as_text(value) for name, value in zip(measures, row, strict=True)}


def _summed(column: ColumnElement[Any]) -> ColumnElement[Any] | None:
    kind = column.type
    if isinstance(kind, Boolean):
        return func.sum(cast(column, Integer))
    if isinstance(kind, Integer):
        return func.sum(column)
    if isinstance(kind, LargeBinary):
        return func.sum(func.length(column))
    # Of texts even the length is told differently: SQLite's ends at a zero, and PostgreSQL has none.
    return func.max(column) if isinstance(kind, UtcTime) else None


def _as_text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    # PostgreSQL's sums are as large as they have to be.
    return int(value) if isinstance(value, Decimal) else value

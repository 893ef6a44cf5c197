"""The numbers that rows get: those of another database go on here, so that none is ever given twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Table, func, select, text

_LAST = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, :id) AS regclass))")
_SET = text("SELECT setval(CAST(pg_get_serial_sequence(:name, :id) AS regclass), :last)")
_SQLITE_LAST = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_SQLITE_SET = (
    text("DELETE FROM sqlite_sequence WHERE name = :name"),
    text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
)


def last_values(connection: Connection, tables: Iterable[Table]) -> Mapping[str, int]:
    """The last number that each table gave to a row, which need not be there any more; 0: none yet."""
    found: dict[str, int] = {}
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        if connection.dialect.name == "postgresql":
            last = connection.execute(_LAST, {"name": table.name, "id": column.name}).scalar()
        else:
            last = connection.execute(_SQLITE_LAST, {"name": table.name}).scalar()
        highest = connection.execute(select(func.max(column))).scalar()
        found[table.name] = max(last or 0, highest or 0)
    return found


def continue_after(connection: Connection, tables: Iterable[Table], numbers: Mapping[str, int]) -> None:
    """The next row of each table gets a higher number."""
    for table in tables:
        column = table.autoincrement_column
        last = numbers.get(table.name, 0)
        if column is None or not last:
            continue
        if connection.dialect.name == "postgresql":
            connection.execute(_SET, {"name": table.name, "id": column.name, "last": last})
        else:
            for statement in _SQLITE_SET:
                connection.execute(statement, {"name": table.name, "last": last})

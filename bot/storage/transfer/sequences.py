"""Sequences of row ids. A transfer continues them in the new database, so that no id is ever reused."""

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
    """Return the last row id that each table assigned, even if the row was deleted; 0 if it assigned none."""
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


def continue_after(connection: Connection, tables: Iterable[Table], last_ids: Mapping[str, int]) -> None:
    """Set the sequence of each table so that its next row id is above the given one."""
    for table in tables:
        column = table.autoincrement_column
        last = last_ids.get(table.name, 0)
        if column is None or not last:
            continue
        if connection.dialect.name == "postgresql":
            connection.execute(_SET, {"name": table.name, "id": column.name, "last": last})
        else:
            for statement in _SQLITE_SET:
                connection.execute(statement, {"name": table.name, "last": last})

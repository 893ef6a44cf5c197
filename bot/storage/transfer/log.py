"""The transfer log: the source, progress and state of the transfer into a database. It is stored in that database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, insert, inspect, select, update

from bot.domain.errors import BackendRefused, TransferRefused
from bot.storage.sql.schema.columns import UtcTime
from bot.storage.transfer.checksums import TableChecksums

Position = tuple[Any, ...]
"""The primary key of the last row that was copied."""

_THE_ROW = 1

# Not part of the schema: only the first transfer into a database creates this table.
_table = Table(
    "transfers",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("checksums", Text, nullable=False),
    Column("positions", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)


@dataclass(frozen=True, slots=True)
class TransferLogEntry:
    """The state of a transfer.

    ``source``: the identity of the source. ``checksums``: the source's checksums when the transfer began.
    ``positions``: the last copied row of each table.
    """

    source: str
    checksums: TableChecksums
    positions: Mapping[str, Position]
    finished: bool


def refuse_partial_transfer(connection: Connection) -> None:
    """Raise BackendRefused if the database contains an unfinished transfer."""
    entry = read(connection)
    if entry is not None and not entry.finished:
        raise BackendRefused(
            f"The transfer from {entry.source} to this database isn't finished. "
            f"To continue it, run “vsearch migrate --from {entry.source}” again."
        )


def read(connection: Connection, *, update_lock: bool = False) -> TransferLogEntry | None:
    """Return the log's entry; None if no transfer ever began. ``update_lock`` locks it until the transaction ends."""
    if not inspect(connection).has_table(_table.name):
        return None
    query = select(_table)
    row = connection.execute(query.with_for_update() if update_lock else query).first()
    if row is None:
        return None
    positions = {table: tuple(last) for table, last in json.loads(row.positions).items()}
    return TransferLogEntry(row.source, json.loads(row.checksums), positions, row.finished_at is not None)


def begin(connection: Connection, source: str, checksums: TableChecksums) -> TransferLogEntry:
    """Record that a transfer begins. It replaces an earlier entry."""
    _table.create(connection, checkfirst=True)
    connection.execute(_table.delete())
    begun = {
        "id": _THE_ROW,
        "source": source,
        "checksums": json.dumps(checksums),
        "positions": "{}",
        "begun_at": _now(),
    }
    connection.execute(insert(_table), begun)
    return TransferLogEntry(source, checksums, {}, finished=False)


def advance(connection: Connection, table: str, before: Position | None, after: Position) -> None:
    """Record that this transaction copies the rows of ``table`` between two positions.

    Raises TransferRefused if the position is not ``before``, because another process has copied these rows.
    """
    entry = read(connection, update_lock=True)
    if entry is None or entry.finished or entry.positions.get(table) != before:
        raise TransferRefused("Another “vsearch migrate” is copying to the same database. Wait until it ends.")
    positions = json.dumps({**entry.positions, table: after})
    connection.execute(update(_table).values(positions=positions))


def finish(connection: Connection) -> None:
    """Record that the transfer is finished."""
    connection.execute(update(_table).values(finished_at=_now()))


def _now() -> datetime:
    return datetime.now(UTC)

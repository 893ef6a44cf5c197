"""What a database remembers of the move that filled it: from where, how far it is, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, insert, inspect, select, update

from bot.errors import BackendRefused, UserError
from bot.storage.marks import Marks
from bot.storage.schema import UtcTime

Position = tuple[Any, ...]
"""The primary key of the last row that has come."""

_THE_ROW = 1

# Made by the first move to a database and by nothing else: a house that never moved needs no newer tables for it.
_moves = Table(
    "moves",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("marks", Text, nullable=False),
    Column("positions", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)


class CannotMove(UserError):
    """A house can't move, or not there; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``source``: where the rows come from. ``marks``: what that place looked like when the move began."""

    source: str
    marks: Marks
    positions: Mapping[str, Position]
    finished: bool


def refuse_half_moved(connection: Connection) -> None:
    """Nobody is to work on half a house. Raises BackendRefused."""
    entry = read(connection)
    if entry is not None and not entry.finished:
        raise BackendRefused(
            f"The move from {entry.source} to here isn't finished: "
            f"run “vsearch migrate --from {entry.source}” again until it is."
        )


def read(connection: Connection, *, own: bool = False) -> Entry | None:
    """What is remembered, if a move ever began. ``own``: it is the caller's until its transaction ends."""
    if not inspect(connection).has_table(_moves.name):
        return None
    query = select(_moves)
    row = connection.execute(query.with_for_update() if own else query).first()
    if row is None:
        return None
    positions = {table: tuple(last) for table, last in json.loads(row.positions).items()}
    return Entry(row.source, json.loads(row.marks), positions, row.finished_at is not None)


def begin(connection: Connection, source: str, marks: Marks) -> Entry:
    """A move begins, in place of an earlier one."""
    _moves.create(connection, checkfirst=True)
    connection.execute(_moves.delete())
    begun = {"id": _THE_ROW, "source": source, "marks": json.dumps(marks), "positions": "{}", "begun_at": _now()}
    connection.execute(insert(_moves), begun)
    return Entry(source, marks, {}, finished=False)


def go_on(connection: Connection, table: str, before: Position | None, after: Position) -> None:
    """What follows in this transaction brings ``table`` from one position to the other.

    Raises CannotMove if somebody else has done so.
    """
    entry = read(connection, own=True)
    if entry is None or entry.finished or entry.positions.get(table) != before:
        raise CannotMove("Another “vsearch migrate” moves to the same database just now; let one of them do it.")
    positions = json.dumps({**entry.positions, table: after})
    connection.execute(update(_moves).values(positions=positions))


def finish(connection: Connection) -> None:
    """The house is whole."""
    connection.execute(update(_moves).values(finished_at=_now()))


def _now() -> datetime:
    return datetime.now(UTC)

"""A house with something in every table, ways to look at all of it, and its move from one ground to another."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Boolean, Column, Connection, Float, Integer, LargeBinary, insert, select

from bot.services.moving import TransferPhase, TransferResult, TransferService
from bot.storage.database import Database
from bot.storage.moving import SqlTransfer
from bot.storage.origin import TransferSource, source_location
from bot.storage.schema import UtcTime, metadata, pictures
from bot.storage.sql import StorageOptions
from tests.grounds import StoragePlace

ROWS = 7
"""Of each table."""

BEGINNING = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def digest_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def jpeg_of(number: int) -> bytes:
    return f"picture {number}".encode() * (number + 1)


Values = Callable[[int], Any]

_NAMED: Mapping[str, Values] = {
    "digest": digest_of,
    "jpeg": jpeg_of,
    "embedding": lambda number: np.arange(number, number + 8, dtype="<f2").tobytes(),
    "inbox.state": lambda number: ("waiting", "running", "done", "failed")[number % 4],
}
_TYPED: Sequence[tuple[type[Any], Values]] = (
    (UtcTime, lambda number: BEGINNING + timedelta(hours=number)),
    (Boolean, lambda number: number % 2 == 1),
    # With holes, and the same in all tables, so that references find something.
    (Integer, lambda number: 10 * number + 3),
    (Float, lambda number: number / 3),
    (LargeBinary, lambda number: bytes([0, 255, number, 128])),
)


def fill_all_tables(connection: Connection) -> None:
    """Fill every table, whichever there are, with all that its columns may hold."""
    for table in metadata.sorted_tables:
        rows = [{column.name: _value(column, number) for column in table.columns} for number in range(ROWS)]
        connection.execute(insert(table), rows)


def _value(column: Column[Any], number: int) -> Any:
    if column.nullable and number % 3 == 0:
        return None
    for values in (_NAMED.get(column.name), _NAMED.get(f"{column.table.name}.{column.name}")):
        if values is not None:
            return values(number)
    for kind, of_kind in _TYPED:
        if isinstance(column.type, kind):
            return of_kind(number)
    return f'{number} ü’\\"%s:{column.name}'[: getattr(column.type, "length", None)]


async def all_rows(database: Database) -> Rows:
    """All of every table but the pictures, in the order of the keys' values."""

    def look(connection: Connection) -> Rows:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=lambda row: str(row[:4]))
            for table in metadata.sorted_tables
            if table is not pictures
        }

    return await database.read(look)


HALF_MOVED = StorageOptions(allow_partial=True)
SOME = 3
"""Rows of a batch: several to a table."""


@dataclass(frozen=True, slots=True)
class TransferCase:
    """From one ground to the other."""

    before: StoragePlace
    after: StoragePlace
    choices: StorageOptions = HALF_MOVED

    async def source(self) -> TransferSource:
        """The house before, as a move reads it."""
        return await TransferSource.open(source_location(self.before.data_dir, self.before.database_url))

    async def run(self, *, batches: int | None = None) -> TransferResult:
        """Move, or so many batches of it and no more."""
        stop = asyncio.Event()
        seen = 0

        def watch(phase: TransferPhase, done: int, total: int) -> None:
            nonlocal seen
            assert 0 < done <= total, phase
            seen += 1
            if seen == batches:
                stop.set()

        origin = await self.source()
        storage = await self.after.open(self.choices)
        try:
            move = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC), batch_size=SOME)
            return await TransferService(move, origin, storage.pictures).transfer(watch, stop)
        finally:
            await storage.close()
            await origin.close()

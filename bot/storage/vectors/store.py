"""Runs transactions on the embedded engine's rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from bot.storage.sql.database import Database
from bot.storage.vectors.embedded import SqlVectorRows

T = TypeVar("T")


class SqlVectorStore:
    """Implements ``adapters.embedded.store.VectorStore``."""

    _rows: type[SqlVectorRows] = SqlVectorRows

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run ``work`` on one snapshot; inside a unit that has written, in the unit's transaction."""
        return await self._database.read(lambda connection: _run(work, self._rows(connection)))

    async def snapshot(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run ``work`` on a snapshot of committed data, even inside a unit."""
        return await self._database.snapshot(lambda connection: _run(work, self._rows(connection)))

    async def write(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run ``work`` in the unit's transaction, or outside of units in its own, which is on disk on return."""
        return await self._database.write(lambda connection: _run(work, self._rows(connection, writing=True)))

    async def defer(self, work: Callable[[SqlVectorRows], None]) -> None:
        """Run work without a result: inside a unit at its end, outside of units at once."""
        await self._database.defer(lambda connection: _run(work, self._rows(connection, writing=True)))


def _run(work: Callable[[SqlVectorRows], T], rows: SqlVectorRows) -> T:
    with closing(rows):
        return work(rows)

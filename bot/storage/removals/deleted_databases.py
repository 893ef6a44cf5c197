"""Delete the rows of deleted databases in short transactions. Implements ``ports.removals.DeletedDatabases``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from bot.domain.batch_size import BatchSize
from bot.storage.removals.tombstones import INLINE_ROWS
from bot.storage.sql.database import Database

TARGET_S = 0.015
"""Time that the statements of one batch should take. Others wait for the writer as long, and for the commit."""

CHECKPOINT_EVERY = 8
"""Batches between copies of the log. Together they write far less than the log may hold."""

COMPACT_COPY_S = 0.4
"""Time for which the rows may be copied while a bot runs. Shares wait for three to four times as long, and Slack
resends those that aren't acknowledged within 3 s."""

QUIET_S = 5.0
"""Time without a share after which the file is rewritten while a bot runs."""

PurgeRows = Callable[[Connection, int], int]
"""Deletes up to a number of rows of deleted databases, and returns how many."""

CountRows = Callable[[Connection], int]


class SqlDeletedDatabases:
    """Purges the tables of each store. Several processes may do so at the same time."""

    def __init__(self, database: Database, purges: Sequence[PurgeRows], count: CountRows) -> None:
        self._database = database
        self._purges = tuple((purge, new_batch_size()) for purge in purges)
        self._count = count
        self._batches = 0

    async def purge_some(self) -> int:
        """Delete a batch of rows in a short transaction. Return how many; 0 means that none are left."""
        for purge, size in self._purges:
            deleted, seconds = await self._database.write(partial(_purge, purge, size.rows))
            if deleted:
                size.record(deleted, seconds)
                self._batches += 1
                if self._batches % CHECKPOINT_EVERY == 0:
                    await self._database.checkpoint()
                return deleted
        return 0

    async def remaining(self) -> int:
        """Return the number of images whose rows are still to be deleted."""
        return await self._database.read(self._count)

    async def scrub(self) -> bool:
        """Remove deleted content from SQLite's write-ahead log. Return False if readers kept it from finishing."""
        return await self._database.scrub()

    async def compact(self) -> bool:
        """Rewrite SQLite's file if anything was deleted from it. Return False if that has to be tried again."""
        return await self._database.compact(COMPACT_COPY_S, QUIET_S) and await self._database.scrub()


def new_batch_size() -> BatchSize:
    """Return the sizes of the batches of one store, which begin with that of databases that are deleted at once."""
    return BatchSize(TARGET_S, first=INLINE_ROWS, fewest=10, most=500)


def _purge(purge: PurgeRows, limit: int, connection: Connection) -> tuple[int, float]:
    """Return the number of deleted rows, and the time without waiting for the writer, in seconds."""
    began = time.perf_counter()
    deleted = purge(connection, limit)
    return deleted, time.perf_counter() - began

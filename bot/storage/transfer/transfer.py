"""Moves a house: all rows of another database, in batches, each of which remembers how far it brought the move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, RowMapping, Table, func, insert, select, text, tuple_

from bot.domain.errors import TransferRefused
from bot.storage.catalogue.rows import in_batches
from bot.storage.inbox.inbox import release_all_jobs
from bot.storage.ports.transfer import TransferPlan
from bot.storage.sql import postgres
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import (
    embedded_vectors,
    images,
    keys,
    metadata,
    oauth_states,
    pictures,
    relayed_pictures,
    workspaces,
)
from bot.storage.transfer import log
from bot.storage.transfer.checksums import ROWS, TableChecksums, differing_tables, table_checksums
from bot.storage.transfer.log import Position, TransferLogEntry
from bot.storage.transfer.sequences import continue_after, last_values
from bot.storage.transfer.source import TransferSource
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance

BATCH_SIZE = 500
"""Rows of a batch."""

TABLES: tuple[Table, ...] = tuple(table for table in metadata.sorted_tables if table is not pictures)
"""In an order in which none refers to a later one. Pictures go from store to store, wherever each keeps them."""

_FILLED_AT_START = frozenset({keys, workspaces, oauth_states, relayed_pictures})
"""What a bot writes that has started and was given nothing yet."""

_MUST_BE_EMPTY = "A house moves into an empty database only: make one, or name another in the settings."

RowBatch = Sequence[RowMapping]


class SqlTransfer:
    """Implements ``storage.ports.transfer.Transfer``: one move, from an origin to a database."""

    def __init__(
        self,
        source: TransferSource,
        database: Database,
        clock: Callable[[], datetime],
        nearest: PgvectorMaintenance | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._origin = source
        self._database = database
        self._clock = clock
        self._nearest = nearest
        self._at_once = batch_size
        self._derived = 0
        self._marks: TableChecksums = {}
        self._positions: dict[str, Position] = {}
        self._left = list(TABLES)

    async def begin(self) -> TransferPlan:
        """Begin, or go on with what an earlier run began. Raises CannotMove and BackendError."""
        if self._nearest is not None:
            # Told now if it can't be made, and not when all has come.
            await self._nearest.create_table()
        self._marks = await self._origin.database.read(partial(table_checksums, tables=TABLES))
        entry, anew = await self._database.write(partial(_begin, self._origin.place.identity, self._marks))
        self._positions = dict(entry.positions)
        if entry.finished:
            self._left.clear()
        rows = sum(checksum[ROWS] for checksum in self._marks.values())
        done = rows if entry.finished else await self._database.read(_count_all)
        named = select(func.count(images.c.digest.distinct()))
        count = await self._origin.database.read(lambda connection: connection.execute(named).scalar_one())
        vectors = self._marks[embedded_vectors.name][ROWS] if self._nearest else 0
        return TransferPlan(self._origin.place.name, rows, done, count, vectors, anew, entry.finished)

    async def copy_rows(self) -> int:
        """Bring over some rows; how many, and none in the end. Raises CannotMove and BackendError."""
        while self._left:
            table = self._left[0]
            before = self._positions.get(table.name)
            rows = await self._origin.database.read(partial(_after, table, before, self._at_once))
            if rows:
                after = tuple(rows[-1][column.name] for column in table.primary_key)
                await self._database.write(partial(_put, table, rows, before, after))
                self._positions[table.name] = after
                return len(rows)
            self._left.pop(0)
        return 0

    async def digests(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Pictures that images here name, of the next so many of the origin, and the last of those; "": no more.

        Raises BackendError.
        """
        some = select(images.c.digest).where(images.c.digest > after).distinct().order_by(images.c.digest).limit(limit)
        theirs = await self._origin.database.read(lambda connection: connection.execute(some).scalars().all())
        if not theirs:
            return (), ""
        # An image that was deleted here since its house moved needs none.
        ours = await self._database.read(partial(_referenced, theirs))
        return [digest for digest in theirs if digest in ours], theirs[-1]

    async def derive_vectors(self) -> int:
        """Make some of the vectors ready for the search; how many, and none in the end. Raises BackendError."""
        if self._nearest is None:
            return 0
        some, self._derived = await self._nearest.fill_some(self._derived)
        return some

    async def finish(self) -> Mapping[str, int]:
        """Compare both sides, and let the house be used; the rows of each table. Raises CannotMove and BackendError."""
        now = await self._origin.database.read(partial(table_checksums, tables=TABLES))
        if differing_tables(self._marks, now):
            raise TransferRefused(
                f"{self._origin.place.name} has changed while it was moved: stop whatever writes there, and run this "
                "again; it begins anew then."
            )
        numbers = await self._origin.database.read(partial(last_values, tables=TABLES))
        await self._database.write(partial(_finish, self._marks, numbers, self._clock()))
        return {name: checksum[ROWS] for name, checksum in now.items()}


def _begin(source: str, checksums: TableChecksums, connection: Connection) -> tuple[TransferLogEntry, bool]:
    """What is remembered of the move from here on, and whether it begins anew."""
    take_advisory_locks(connection, "transfer")
    entry = log.read(connection, update_lock=True)
    if entry is None or (entry.finished and entry.source != source):
        if held := _existing_content(connection):
            raise TransferRefused(f"There is something already where the settings point ({held}). {_MUST_BE_EMPTY}")
    elif entry.source != source:
        raise TransferRefused(f"The move from {entry.source} to here isn't finished: finish that one. {_MUST_BE_EMPTY}")
    elif entry.finished or not differing_tables(entry.checksums, checksums):
        return entry, False
    _clear(connection)
    return log.begin(connection, source, checksums), entry is not None and not entry.finished


def _existing_content(connection: Connection) -> str:
    """What a database has that no start alone puts there, in words; an empty text if that is nothing."""
    counts = {table.name: _count(connection, table) for table in TABLES if table not in _FILLED_AT_START}
    return ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in counts.items() if count)


def _clear(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        postgres.disable_timeouts(connection)
        # What pgvector searches is derived from these, and goes with them.
        connection.execute(text(f"TRUNCATE {', '.join(table.name for table in TABLES)} CASCADE"))
    else:
        for table in reversed(TABLES):
            connection.execute(table.delete())


def _count_all(connection: Connection) -> int:
    return sum(_count(connection, table) for table in TABLES)


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _after(table: Table, last: Position | None, limit: int, connection: Connection) -> RowBatch:
    """The next rows, in the order of the origin's own keys."""
    key = list(table.primary_key)
    query = select(table).order_by(*key).limit(limit)
    if last is not None:
        query = query.where(tuple_(*key) > tuple_(*last))
    return connection.execute(query).mappings().all()


def _put(table: Table, rows: RowBatch, before: Position | None, after: Position, connection: Connection) -> None:
    log.advance(connection, table.name, before, after)
    connection.execute(insert(table), [{name: _convert(value) for name, value in row.items()} for row in rows])


def _convert(value: object) -> object:
    # PostgreSQL's texts have no zeros, and ours no use for them.
    return value.replace("\0", "") if isinstance(value, str) and "\0" in value else value


def _referenced(digests: Sequence[str], connection: Connection) -> set[str]:
    found: set[str] = set()
    for some in in_batches(digests):
        found.update(connection.execute(select(images.c.digest).where(images.c.digest.in_(some))).scalars())
    return found


def _finish(checksums: TableChecksums, numbers: Mapping[str, int], moment: datetime, connection: Connection) -> None:
    if names := differing_tables(checksums, table_checksums(connection, TABLES)):
        raise TransferRefused(
            f"What has come differs from the original ({', '.join(names)}): something else wrote here meanwhile. "
            f"{_MUST_BE_EMPTY}"
        )
    continue_after(connection, TABLES, numbers)
    release_all_jobs(connection, moment)
    log.finish(connection)

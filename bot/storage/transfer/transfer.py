"""Copy all rows of another database in batches. Each batch records its progress, so a transfer can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, RowMapping, Table, func, insert, select, text, tuple_

from bot.domain.errors import TransferRefused
from bot.storage.catalogue.used_pictures import used_digests
from bot.storage.inbox.recovery import release_all_jobs
from bot.storage.ports.transfer import TransferPlan
from bot.storage.sql import postgres
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import (
    embedded_vectors,
    images,
    keys,
    metadata,
    oauth_states,
    pending_removals,
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
"""Maximum number of rows in a batch."""

TABLES: tuple[Table, ...] = tuple(table for table in metadata.sorted_tables if table is not pictures)
"""The tables to copy, in an order in which no table refers to a later one.

Pictures are copied from picture store to picture store instead, because either side may keep them elsewhere.
"""

_FILLED_AT_START = frozenset({keys, workspaces, oauth_states, relayed_pictures})
"""Tables that may have rows in an otherwise empty database, because starting the bot fills them."""

_MUST_BE_EMPTY = "A transfer needs an empty database. Create one, and name it in the settings."

RowBatch = Sequence[RowMapping]


class SqlTransfer:
    """Implements ``storage.ports.transfer.Transfer``: a transfer from a source to a database.

    With ``pgvector``, it also derives the rows that pgvector searches.
    """

    def __init__(
        self,
        source: TransferSource,
        database: Database,
        clock: Callable[[], datetime],
        pgvector: PgvectorMaintenance | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._source = source
        self._database = database
        self._clock = clock
        self._pgvector = pgvector
        self._batch_size = batch_size
        self._last_derived = 0
        self._checksums: TableChecksums = {}
        self._positions: dict[str, Position] = {}
        self._remaining = list(TABLES)

    async def begin(self) -> TransferPlan:
        """Begin a transfer, or continue an unfinished one. Raises TransferRefused and BackendError."""
        if self._pgvector is not None:
            # Before copying, so that a missing extension is reported now and not at the end.
            await self._pgvector.create_table()
        self._checksums = await self._source.database.read(partial(table_checksums, tables=TABLES))
        entry, restarted = await self._database.write(partial(_begin, self._source.location.identity, self._checksums))
        self._positions = dict(entry.positions)
        if entry.finished:
            self._remaining.clear()
        rows = sum(checksum[ROWS] for checksum in self._checksums.values())
        done = rows if entry.finished else await self._database.read(_count_all)
        query = select(func.count(images.c.digest.distinct()))
        count = await self._source.database.read(lambda connection: connection.execute(query).scalar_one())
        vectors = self._checksums[embedded_vectors.name][ROWS] if self._pgvector else 0
        return TransferPlan(self._source.location.name, rows, done, count, vectors, restarted, entry.finished)

    async def copy_rows(self) -> int:
        """Copy one batch of rows. Return its size; 0 means that all rows are copied.

        Raises TransferRefused and BackendError.
        """
        while self._remaining:
            table = self._remaining[0]
            before = self._positions.get(table.name)
            rows = await self._source.database.read(partial(_read_batch, table, before, self._batch_size))
            if rows:
                after = tuple(rows[-1][column.name] for column in table.primary_key)
                await self._database.write(partial(_insert_batch, table, rows, before, after))
                self._positions[table.name] = after
                return len(rows)
            self._remaining.pop(0)
        return 0

    async def digests(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Look at the next ``limit`` pictures of the source after the digest ``after``.

        Return those that images here use, and the last digest looked at, which is "" if there are no more. Raises
        BackendError.
        """
        query = select(images.c.digest).where(images.c.digest > after).distinct().order_by(images.c.digest).limit(limit)
        candidates = await self._source.database.read(lambda connection: connection.execute(query).scalars().all())
        if not candidates:
            return (), ""
        # Images that were deleted here since the rows were copied need no picture.
        used = await self._database.read(partial(used_digests, candidates))
        return [digest for digest in candidates if digest in used], candidates[-1]

    async def derive_vectors(self) -> int:
        """Derive one batch of pgvector's rows. Return its size; 0 means that all are derived. Raises BackendError."""
        if self._pgvector is None:
            return 0
        count, self._last_derived = await self._pgvector.fill_some(self._last_derived)
        return count

    async def finish(self) -> Mapping[str, int]:
        """Compare both sides and mark the transfer as finished. Return the rows of each table.

        Raises TransferRefused and BackendError.
        """
        now = await self._source.database.read(partial(table_checksums, tables=TABLES))
        if differing_tables(self._checksums, now):
            raise TransferRefused(
                f"{self._source.location.name} changed during the transfer. Stop every program that writes to it, and "
                "run this command again. It starts from the beginning."
            )
        last_ids = await self._source.database.read(partial(last_values, tables=TABLES))
        await self._database.write(partial(_finish, self._checksums, last_ids, self._clock()))
        return {name: checksum[ROWS] for name, checksum in now.items()}


def _begin(source: str, checksums: TableChecksums, connection: Connection) -> tuple[TransferLogEntry, bool]:
    """Begin or continue a transfer. Return the log's entry, and whether an unfinished transfer starts again."""
    take_advisory_locks(connection, "transfer")
    entry = log.read(connection, update_lock=True)
    if entry is None or (entry.finished and entry.source != source):
        if held := _existing_content(connection):
            raise TransferRefused(f"The database in the settings already has data ({held}). {_MUST_BE_EMPTY}")
    elif entry.source != source:
        raise TransferRefused(
            f"Another transfer to this database, from {entry.source}, isn't finished. {_MUST_BE_EMPTY}"
        )
    elif entry.finished or not differing_tables(entry.checksums, checksums):
        return entry, False
    _clear(connection)
    return log.begin(connection, source, checksums), entry is not None and not entry.finished


def _existing_content(connection: Connection) -> str:
    """Describe the rows that a database has beyond those of a bot that was only started; "" if there are none."""
    counts = {table.name: _count(connection, table) for table in TABLES if table not in _FILLED_AT_START}
    return ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in counts.items() if count)


def _clear(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        postgres.disable_timeouts(connection)
        # CASCADE also truncates pgvector's table, which is derived from these.
        connection.execute(text(f"TRUNCATE {', '.join(table.name for table in TABLES)} CASCADE"))
    else:
        for table in reversed(TABLES):
            connection.execute(table.delete())


def _count_all(connection: Connection) -> int:
    return sum(_count(connection, table) for table in TABLES)


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _read_batch(table: Table, last: Position | None, limit: int, connection: Connection) -> RowBatch:
    """Return the rows after a position, in the order of the source's primary key."""
    key = list(table.primary_key)
    query = select(table).order_by(*key).limit(limit)
    if last is not None:
        query = query.where(tuple_(*key) > tuple_(*last))
    return connection.execute(query).mappings().all()


def _insert_batch(
    table: Table, rows: RowBatch, before: Position | None, after: Position, connection: Connection
) -> None:
    log.advance(connection, table.name, before, after)
    connection.execute(insert(table), [{name: _convert(value) for name, value in row.items()} for row in rows])


def _convert(value: object) -> object:
    # PostgreSQL can't store NUL in texts, and ours don't need it.
    return value.replace("\0", "") if isinstance(value, str) and "\0" in value else value


def _finish(checksums: TableChecksums, last_ids: Mapping[str, int], moment: datetime, connection: Connection) -> None:
    # Storing the picture of an image cancels a removal of that picture which was pending.
    unchanged = {pending_removals.name: checksums[pending_removals.name]}
    if names := differing_tables(checksums, {**table_checksums(connection, TABLES), **unchanged}):
        raise TransferRefused(
            f"The copy differs from the original ({', '.join(names)}) because another program wrote to it. "
            f"{_MUST_BE_EMPTY}"
        )
    continue_after(connection, TABLES, last_ids)
    release_all_jobs(connection, moment)
    log.finish(connection)

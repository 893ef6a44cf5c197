"""Create and fill the table that pgvector searches, and build an HNSW index for each large database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendDown, BackendError, BackendRefused
from bot.storage.removals.tombstones import TOMBSTONE_PREFIX
from bot.storage.sql import postgres
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.vectors.pgvector import ADD_ROW, index_name, pgvector_row, rows_of

log = logging.getLogger(__name__)

INDEX_FROM_ROWS = 10_000
"""Number of vectors from which a database gets an index. Below, an exact search takes 20 ms at most."""

FILL_BATCH = 200
INTERVAL_S = 600.0
CANCEL_RETRY_S = 0.5
CANCELLED_WITHIN_S = 5.0

_TABLE = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    """CREATE TABLE IF NOT EXISTS pgvector_rows (
        vector_id bigint PRIMARY KEY REFERENCES embedded_vectors (id) ON DELETE CASCADE,
        database_id bigint NOT NULL,
        model_id varchar(255) NOT NULL,
        embedding halfvec NOT NULL
    )""",
    # Store the vector in the row itself. Otherwise every comparison would have to fetch it from the TOAST table.
    "ALTER TABLE pgvector_rows ALTER COLUMN embedding SET STORAGE PLAIN",
    "CREATE INDEX IF NOT EXISTS ix_pgvector_rows_database_id_model_id ON pgvector_rows (database_id, model_id)",
)
_TABLE_EXISTS = text("SELECT to_regclass('pgvector_rows') IS NOT NULL")
_MISSING = text(
    "SELECT v.id, v.database_id, v.model_id, v.embedding FROM embedded_vectors v"
    " LEFT JOIN pgvector_rows p ON p.vector_id = v.id WHERE p.vector_id IS NULL AND v.id > :after"
    " ORDER BY v.id LIMIT :most"
)
_LARGE_DATABASES = text(
    "SELECT database_id, model_id, (SELECT vector_dims(one.embedding) FROM pgvector_rows one"
    "  WHERE (one.database_id, one.model_id) = (r.database_id, r.model_id) LIMIT 1)"
    " FROM pgvector_rows r WHERE EXISTS (SELECT 1 FROM embedded_databases d"
    "  WHERE d.id = r.database_id AND NOT starts_with(d.workspace, :prefix))"
    " GROUP BY database_id, model_id HAVING count(*) >= :least"
)
# Every name has the form that ``index_name`` gives it, so that it needs no quotes.
_UNUSED_INDEXES = text(
    "SELECT indexname FROM pg_indexes WHERE tablename = 'pgvector_rows' AND schemaname = current_schema()"
    " AND indexname ~ '^ix_pgvector_[0-9]+_[0-9a-f]+$' AND NOT EXISTS (SELECT 1 FROM embedded_databases d"
    "  WHERE d.id = CAST(split_part(indexname, '_', 3) AS bigint) AND NOT starts_with(d.workspace, :prefix))"
)
_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtext('vsearch indexes'))")
_UNLOCK = text("SELECT pg_advisory_unlock(hashtext('vsearch indexes'))")


class PgvectorMaintenance:
    """Creates, fills and indexes ``pgvector_rows``. Several processes may do so at the same time.

    Databases with at least ``index_from_rows`` vectors get an index.
    """

    def __init__(self, database: Database, index_from_rows: int = INDEX_FROM_ROWS) -> None:
        self._database = database
        self._index_from_rows = index_from_rows

    async def open(self) -> None:
        """Create the table if needed, and add rows for vectors that another engine added. Raises BackendError."""
        await self.create_table()
        if filled := await self.fill_missing():
            log.info("derived %d rows for pgvector", filled)

    async def create_table(self) -> None:
        """Create the table if needed. Raises BackendRefused if the database does not support it, and BackendError."""
        await self._database.write(_create)

    async def drop_table(self) -> None:
        """Drop the table. It is derived, so ``open`` can create it again."""
        await self._database.write(_drop)

    async def fill_missing(self) -> int:
        """Derive all missing rows, in batches that are committed one by one. Return how many."""
        filled, after = 0, 0
        while True:
            count, after = await self.fill_some(after)
            if not count:
                return filled
            filled += count

    async def fill_some(self, after: int) -> tuple[int, int]:
        """Derive a batch of missing rows with ids above ``after``. Return how many, and the last id."""
        return await self._database.write(partial(_fill_some, after))

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """Index large databases every ``interval_s`` seconds until cancelled."""
        while True:
            try:
                await self.index_large()
            except BackendError:
                log.exception("large databases could not be indexed; their searches take longer until they are")
            await asyncio.sleep(interval_s)

    async def index_large(self) -> int:
        """Build missing indexes of large databases. Return how many. Adds and searches continue meanwhile.

        Cancelling also cancels the statement in PostgreSQL. The next call rebuilds an incomplete index.
        """
        session = _CancellableStatement()
        building = asyncio.ensure_future(asyncio.to_thread(self._index_large_now, session))
        try:
            return await asyncio.shield(building)
        except asyncio.CancelledError:
            while not building.done():
                # Repeated, because cancelling has no effect between two statements.
                await asyncio.to_thread(session.stop)
                await asyncio.wait([building], timeout=CANCEL_RETRY_S)
            # Retrieve the exception, or asyncio logs that it never was.
            building.exception()
            raise

    def _index_large_now(self, session: _CancellableStatement) -> int:
        try:
            # CREATE INDEX CONCURRENTLY can't run inside a transaction.
            with self._database.autocommit_connection() as connection, session.of(connection):
                try:
                    return _index_if_unlocked(connection, self._index_from_rows)
                except SQLAlchemyError:
                    # Closing the connection releases its advisory lock and resets its settings.
                    connection.invalidate()
                    raise
        except SQLAlchemyError as error:
            raise postgres.translate_error(error) from error


class _CancellableStatement:
    """Lets another thread cancel a connection's running statement while the connection is in use."""

    def __init__(self) -> None:
        self._driver: psycopg.Connection[object] | None = None
        self._lock = Lock()

    @contextmanager
    def of(self, connection: Connection) -> Iterator[None]:
        self._driver = connection.connection.driver_connection
        try:
            yield
        finally:
            with self._lock:
                # From now on, the pool may hand the connection to others.
                self._driver = None

    def stop(self) -> None:
        """Cancel the running statement, if there is one. Blocks."""
        with self._lock:
            if self._driver is not None:
                with suppress(psycopg.Error):
                    self._driver.cancel_safe(timeout=CANCELLED_WITHIN_S)


def _create(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        raise BackendRefused("VSEARCH_BACKEND=pgvector needs a DATABASE_URL that begins with postgresql://.")
    if connection.execute(_TABLE_EXISTS).scalar():
        return
    take_advisory_locks(connection, "pgvector")
    try:
        for statement in _TABLE:
            connection.execute(text(statement))
    except SQLAlchemyError as error:
        translated = postgres.translate_error(error)
        if type(translated) is not BackendDown:
            raise
        raise BackendRefused(
            f"VSEARCH_BACKEND=pgvector needs the extension “vector” 0.8 or newer: {translated}"
        ) from error


def _drop(connection: Connection) -> None:
    take_advisory_locks(connection, "pgvector")
    connection.execute(text("DROP TABLE IF EXISTS pgvector_rows"))


def _fill_some(after: int, connection: Connection) -> tuple[int, int]:
    """Derive a batch of missing rows. Return how many, and the last row id."""
    rows = connection.execute(_MISSING, {"most": FILL_BATCH, "after": after}).mappings().all()
    if not rows:
        return 0, after
    connection.execute(ADD_ROW, [pgvector_row(row["id"], row) for row in rows])
    return len(rows), rows[-1]["id"]


def _index_if_unlocked(connection: Connection, from_rows: int) -> int:
    """Build missing indexes, unless another process is building some. Return how many."""
    if not connection.execute(_TRY_LOCK).scalar():
        return 0
    built = _index_all(connection, from_rows)
    connection.execute(_UNLOCK)
    return built


def _index_all(connection: Connection, from_rows: int) -> int:
    built = 0
    for name in connection.execute(_UNUSED_INDEXES, {"prefix": TOMBSTONE_PREFIX}).scalars().all():
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
    connection.execute(text("SET statement_timeout = 0; SET lock_timeout = 0; SET maintenance_work_mem = '512MB'"))
    large = {"least": from_rows, "prefix": TOMBSTONE_PREFIX}
    for database_id, model_id, dimensions in connection.execute(_LARGE_DATABASES, large).all():
        column = f"(embedding::halfvec({dimensions})) halfvec_ip_ops"
        built += _index(connection, index_name(database_id, model_id), column, rows_of(database_id, model_id))
    connection.execute(text("RESET statement_timeout; RESET lock_timeout; RESET maintenance_work_mem"))
    return built


def _index(connection: Connection, name: str, column: str, condition: str) -> bool:
    valid = connection.execute(_VALID, {"name": name}).scalar()
    if valid:
        return False
    if valid is False:
        # Incomplete, because the process that built it died or was stopped.
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
    log.info("building index %s", name)
    build = f"CREATE INDEX CONCURRENTLY {name} ON pgvector_rows USING hnsw ({column}) WHERE {condition}"
    connection.execute(text(build))
    return True

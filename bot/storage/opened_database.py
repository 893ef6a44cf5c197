"""Open a database of either kind and migrate its tables to the newest revision."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.domain.errors import BackendDown, BackendError
from bot.storage.inbox.inbox import SqlInbox
from bot.storage.inbox.job_notifier import PostgresJobNotifier
from bot.storage.inbox.process_registry import ProcessRegistration
from bot.storage.inbox.worker_registry import FileWorkerRegistry, NullWorkerRegistry
from bot.storage.sql import postgres, sqlite
from bot.storage.sql.database import Database
from bot.storage.sql.locks.processes import FileLocks, PostgresLocks, ProcessLocks
from bot.storage.sql.migration import migrate
from bot.storage.transfer.unfinished_restore import refuse_unfinished_restore

CLOSING_COPY_S = 3.0
"""Time for which the rows may be copied when the last process closes the database. The next one waits meanwhile."""

READERS = 4
CONNECTIONS = 8
"""Maximum connections to PostgreSQL. Half of them are for writers."""


@dataclass(frozen=True, slots=True)
class OpenedDatabase:
    """An open database with the parts that depend on its kind.

    ``is_local``: it is a SQLite file, so pictures lie in files beside it unless the options say otherwise.
    """

    database: Database
    inbox: SqlInbox
    locks: ProcessLocks
    is_local: bool
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    processes: ProcessRegistration = field(default_factory=lambda: ProcessRegistration(()))

    async def close(self) -> None:
        """Close the database, and say that this process no longer uses it. The last process completes deletions."""
        with suppress(BackendError, OSError):
            if await asyncio.to_thread(self.processes.is_alone):
                await self.database.compact(CLOSING_COPY_S)
                await self.database.scrub()
        await self.database.close()
        await asyncio.to_thread(self.processes.close)


def open_sqlite(data_dir: Path, database_url: str | None) -> OpenedDatabase:
    """Open the SQLite file that ``database_url`` names, by default one in ``data_dir``. Blocks. Raises BackendError."""
    refuse_unfinished_restore(data_dir)
    url = sqlite.address(data_dir, database_url)
    engine = sqlite.create(url, READERS + sqlite.DIALECT.writers)
    is_new = not data_dir.exists()
    processes = ProcessRegistration(dict.fromkeys((data_dir, Path(str(url.database)).parent)))
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sqlite.prepare(url)
        processes.register()
        migrate(engine)
    except BackendError:
        engine.dispose()
        processes.close()
        raise
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        engine.dispose()
        processes.close()
        if is_new:
            # DATABASE_URL may be wrong. rmdir refuses a directory that has anything in it.
            with suppress(OSError):
                data_dir.rmdir()
        raise unusable(data_dir, error) from error
    database = Database(engine, READERS, sqlite.DIALECT)
    inbox = SqlInbox(database, FileWorkerRegistry(data_dir / "workers"))
    return OpenedDatabase(
        database, inbox, ProcessLocks(FileLocks(data_dir / "locks")), is_local=True, processes=processes
    )


def open_postgres(database_url: str, connections: int) -> OpenedDatabase:
    """Open the PostgreSQL database with at most this many connections. Blocks. Raises BackendError."""
    url = postgres.address(database_url)
    engine = postgres.create(url, connections)
    try:
        migrate(engine)
        clock = postgres.clock(engine)
    except BackendError:
        engine.dispose()
        raise
    except SQLAlchemyError as error:
        engine.dispose()
        raise postgres.translate_error(error) from error
    except UnicodeError as error:
        # The driver encodes host names as IDNA: an empty label, or one of over 63 characters, is none.
        engine.dispose()
        raise BackendDown("DATABASE_URL has an invalid host name. Check its spelling.") from error
    writers = max(connections // 2, 1)
    database = Database(engine, max(connections - writers, 1), postgres.dialect(writers))
    inbox = SqlInbox(database, NullWorkerRegistry(), clock, PostgresJobNotifier(postgres.connect_arguments(url)))
    locks = ProcessLocks(PostgresLocks(postgres.create(url, 1)))
    return OpenedDatabase(database, inbox, locks, is_local=False, clock=clock)


def unusable(data_dir: Path, error: Exception) -> BackendDown:
    """Return the error that says that the data directory can't be used."""
    return BackendDown(f"The data directory {data_dir} can't be used: {_reason(error)}")


def _reason(error: Exception) -> str:
    """Return why a file can't be used, without error numbers and statements."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror} ({cause.filename})" if cause.filename else cause.strerror
    return str(cause)

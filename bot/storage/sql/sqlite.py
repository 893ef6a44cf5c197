"""Everything specific to SQLite: pragmas, transactions and preparing the file."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.domain.errors import BackendDown, BackendError, BackendTimeout
from bot.storage.sql.dialect import SqlDialect

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 15_000
PAGE_BYTES = 8192  # fits three embeddings; 4096 would waste a third of the file
JOURNAL_BYTES = 64 * 2**20
LOG_PAGES = 4000  # 32 MB
TRUNCATE_WAIT_MS = 20  # writers wait while the log is truncated
COMPACT_WAIT_MS = 500  # other writers of this process wait as well
PROGRESS_STEPS = 10_000  # of SQLite's virtual machine, a few milliseconds


def address(data_dir: Path, database_url: str | None = None) -> URL:
    """Return the file's URL: ``database_url`` (``sqlite:///…``) if given, else ``vsearch.db`` in the data directory."""
    return make_url(database_url) if database_url else URL.create("sqlite", database=str(data_dir / "vsearch.db"))


def read_only_url(file: Path) -> URL:
    """Return a URL that opens a file read-only."""
    journal = file.with_name(f"{file.name}-wal")
    # Even a reader creates a file for locks beside the database. If the folder is read-only it can't, but then nobody
    # writes the database either, so SQLite may treat it as immutable.
    immutable = not os.access(file.parent, os.W_OK) and not (journal.exists() and journal.stat().st_size)
    query = {"uri": "true", "mode": "ro"} | ({"immutable": "1"} if immutable else {})
    return URL.create("sqlite", database=f"file:{quote(str(file.resolve()))}", query=query)


def create(url: URL, connections: int) -> Engine:
    """Create an engine that controls its transactions itself.

    ``execution_options(immediate=True)`` makes a transaction take the write lock when it begins.
    """
    # Looked up at the call: tracing replaces it.
    engine = sqlalchemy.create_engine(url, hide_parameters=True, pool_size=connections, max_overflow=0)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def prepare(url: URL) -> None:
    """Create the file if needed, and switch it to the write-ahead log. Several processes may do so at the same time."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        connection = sqlite3.connect(str(url.database), timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # The switch needs exclusive access, and SQLite does not always wait for it.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()


def translate_error(error: SQLAlchemyError) -> BackendError:
    """Turn an error into a BackendError. A write lock held for longer than the busy timeout is a BackendTimeout."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause):
        return BackendTimeout("Another process held the database for too long.")
    return BackendDown(f"Storage failed: {cause or error}")


def check(connection: Connection) -> None:
    """Raise BackendDown if the file can't be read, or if its permissions say that it can't be written."""
    file = Path(connection.execute(text("SELECT file FROM pragma_database_list WHERE name = 'main'")).scalar_one())
    connection.execute(text("SELECT count(*) FROM sqlite_master"))
    # SQLite creates its journal beside the file.
    if not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        raise BackendDown("The database file is no longer there or can't be written.")


def copy_log(engine: Engine) -> None:
    """Copy the write-ahead log into the file as far as readers allow, without holding up writers."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        cursor.close()
    finally:
        connection.close()


def truncate_log(engine: Engine) -> bool:
    """Copy the write-ahead log into the file and empty it. Return False if readers or a writer kept it from that.

    The log holds earlier contents of pages, deleted rows among them.
    """
    connection = engine.raw_connection()
    cursor = connection.cursor()
    try:
        # Copies most of the log without holding up writers.
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {TRUNCATE_WAIT_MS}")
        row = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return row is not None and row[0] == 0
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise BackendDown(f"Storage failed: {error}") from error
        return False
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.close()
        connection.close()


def record_deletion(connection: Connection) -> None:
    """Note in the file that ``compact`` has to run. Call it in a transaction that deletes what people wrote.

    With PostgreSQL this does nothing, because the server vacuums its files itself.
    """
    if connection.dialect.name == "sqlite":
        count = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version = {count % (2**31 - 1) + 1}")


def compact(engine: Engine, copy_limit_s: float) -> bool:
    """Rewrite the file if something was deleted, so that nothing of it stays. Return False if it has to be tried again.

    SQLite overwrites a row that it deletes, but not the copies that stay in unused parts of pages when it moves rows
    between pages. VACUUM writes new pages. It holds up writers, not readers, for three to four times as long as its
    first phase, which may take ``copy_limit_s``. Later phases can't be interrupted. If the process is killed, the file
    is as it was.
    """
    connection = engine.raw_connection()
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {COMPACT_WAIT_MS}")
        return _vacuum(cursor, copy_limit_s)
    except sqlite3.OperationalError as error:
        # Or another process holds the lock, or there is too little space for a second copy.
        reason = "it is too large to do so now" if str(error) == "interrupted" else error
        log.info("the database file could not be rewritten after deletions: %s", reason)
        return False
    except sqlite3.Error as error:
        raise BackendDown(f"Storage failed: {error}") from error
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.close()
        connection.close()


def _vacuum(cursor: Any, copy_limit_s: float) -> bool:
    [deletions] = cursor.execute("PRAGMA user_version").fetchone()
    if not deletions:
        return True
    deadline = time.monotonic() + copy_limit_s
    cursor.connection.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
    try:
        cursor.execute("VACUUM")
    finally:
        cursor.connection.set_progress_handler(None, 0)
    cursor.execute("BEGIN IMMEDIATE")
    # Another process may have deleted something since.
    if cursor.execute("PRAGMA user_version").fetchone() == (deletions,):
        cursor.execute("PRAGMA user_version = 0")
    cursor.execute("COMMIT")
    return True


# One writer, because SQLite makes further ones poll for the file's lock.
DIALECT = SqlDialect(
    writers=1,
    write_options={"immediate": True},
    translate_error=translate_error,
    check=check,
    scrub=truncate_log,
    compact=compact,
    checkpoint=copy_log,
)


def _configure(connection: Any, _record: object) -> None:
    # Stop the driver from opening transactions. _begin opens them, so that reads run on a snapshot too.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Overwrite deleted rows with zeros. Otherwise they stay readable in the file until other rows take their place.
    connection.execute("PRAGMA secure_delete = ON")
    # The commit that exceeds this copies the log while others wait. Batches of deletions copy it beside the writer.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at the start. A transaction that reads first and then writes can fail without waiting.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

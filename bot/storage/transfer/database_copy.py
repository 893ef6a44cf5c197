"""Copy a SQLite database while the bot uses it, and check the copy. Everything here blocks."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.domain.errors import BackendError
from bot.storage.sql import sqlite
from bot.storage.transfer.backup_format import BackupRefused, BackupStopped, Pace

STEP_PAGES = 256  # 2 MB, so that the disk never has much to write at once


def copy_database(source: Path, target: Path, pace: Pace) -> None:
    """Copy a SQLite database as it is at one moment, while others read and write it. Raises BackendError."""
    address = sqlite.read_only_url(source)
    uri = f"{address.database}?" + "&".join(f"{name}={value}" for name, value in address.query.items() if name != "uri")
    timeout_s = sqlite.BUSY_TIMEOUT_MS / 1000
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout_s)) as reader,
            closing(sqlite3.connect(target, isolation_level=None)) as writer,
            target.open("rb") as written,
        ):
            target.chmod(0o600)

            def write_out(*_pages: int) -> None:
                # Otherwise the disk would be busy for seconds at the end, and the bot's own writes would wait.
                os.fsync(written.fileno())
                pace.rest()

            writer.execute("PRAGMA synchronous = OFF")
            # This snapshot stays as it is. Without it, the copy would begin again after each write of another process.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reader.backup(writer, pages=STEP_PAGES, progress=write_out)
            writer.execute("PRAGMA journal_mode = DELETE")
            os.fsync(written.fileno())
    except sqlite3.Error as error:
        raise BackendError(f"can't copy {source}: {error}") from error


def check_integrity(database: Path, pace: Pace) -> None:
    """Check a copied database with SQLite's own check. Raises BackupRefused and BackupStopped."""

    def is_stopped() -> bool:
        try:
            pace.rest()
        except BackupStopped:
            return True
        return False

    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.set_progress_handler(is_stopped, sqlite.PROGRESS_STEPS)
        try:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        except sqlite3.OperationalError:
            pace.rest()
            raise
    if found != ["ok"]:
        raise BackupRefused(f"The bot's database is damaged ({found[0]}). Restore an earlier backup.")

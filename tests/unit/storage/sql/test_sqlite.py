"""SQLite: one writer, durable connections, and clear errors for unusable files."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.domain.errors import BackendDown, BackendTimeout
from bot.storage.sql import database as database_module
from bot.storage.sql import sqlite
from bot.storage.sql.database import Database
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.sql.units import in_a_unit, key, names


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def database(storage: SqlStorage) -> Database:
    return storage._database


async def test_cancelled_write_finishes_before_the_next_begins(storage: SqlStorage, database: Database) -> None:
    started, ended = threading.Event(), threading.Event()

    def work(_: Connection) -> None:
        started.set()
        time.sleep(0.05)
        ended.set()

    task = asyncio.create_task(database.write(work))
    await asyncio.to_thread(started.wait)
    task.cancel()
    await storage.catalogue.create_database(key("after"))
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_connections_are_durable_and_check_foreign_keys(database: Database) -> None:
    def pragmas(connection: Connection) -> list[object]:
        wanted = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in wanted]

    full = 2
    for values in (await database.read(pragmas), await database.write(pragmas)):
        assert values == ["wal", full, 1, sqlite.BUSY_TIMEOUT_MS]


@pytest.fixture
def short_lock_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections opened from now on give up a lock soon."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 30)


@pytest.mark.usefixtures("short_lock_wait")
async def test_lock_held_by_another_process_raises_timeout(storage: SqlStorage, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BackendTimeout):
        await in_a_unit(storage, lambda: storage.catalogue.create_database(key("one")))
    assert await names(storage) == []
    with pytest.raises(BackendTimeout):
        await storage.ping()
    other.execute("ROLLBACK")
    await storage.catalogue.create_database(key("two"))
    await storage.ping()


@pytest.mark.usefixtures("short_lock_wait")
async def test_failed_write_counts_for_half_a_minute(
    storage: SqlStorage, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BackendTimeout):
        await storage.catalogue.create_database(key("one"))
    with pytest.raises(BackendTimeout):
        await storage.ping()
    # An idle bot writes nothing, so no write could show that all is well again.
    monkeypatch.setattr(database_module, "WRITE_FAILURE_S", 0.0)
    await storage.ping()


async def test_ping_finds_a_file_that_is_gone_and_writes_nothing(
    storage: SqlStorage, other: sqlite3.Connection, tmp_path: Path
) -> None:
    # A writer of another process would have to wait for this one.
    other.execute("BEGIN IMMEDIATE")
    await storage.ping()
    other.execute("ROLLBACK")
    (tmp_path / "vsearch.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(BackendDown, match="no longer there"):
        await storage.ping()


async def test_unusable_data_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackendDown, match="data directory"):
        await SqlStorage.open(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "vsearch.db").write_text("not a database at all, but long enough to be read as one" * 99)
    with pytest.raises(BackendDown, match="data directory"):
        await SqlStorage.open(tmp_path / "other")

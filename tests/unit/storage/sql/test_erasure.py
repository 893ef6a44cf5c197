"""Nothing that was deleted stays in SQLite's files, not even the copies that SQLite leaves when it moves rows."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.domain.identifiers import EntityId
from bot.services.maintenance.removal_worker import COMPACT_INTERVAL, RemovalWorker
from bot.storage.removals import deleted_databases
from bot.storage.sql import sqlite
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.removals.services import PARTS, TEAM, Services

ROWS = 6000
"""With these, SQLite 3.40 leaves nine words in the file."""

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


async def add_words(storage: SqlStorage) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE words (number INTEGER, word TEXT, PRIMARY KEY (number, word))"))
        connection.execute(text("CREATE INDEX ix_words ON words (word)"))
        rows = [{"number": number, "word": word(number)} for number in range(ROWS)]
        connection.execute(text("INSERT INTO words VALUES (:number, :word)"), rows)

    await storage._database.write(work)


async def delete_words(storage: SqlStorage) -> None:
    """Delete every second word, as the catalogue deletes rows."""

    def work(connection: Connection) -> None:
        numbers = [{"number": number} for number in range(0, ROWS, 2)]
        connection.execute(text("DELETE FROM words WHERE number = :number"), numbers)
        sqlite.record_deletion(connection)

    await storage._database.write(work)
    assert await storage.deleted.scrub()


def word(number: int) -> str:
    return f"zq{hashlib.sha256(str(number).encode()).hexdigest()[:12]}qz"


def left_in_files(folder: Path) -> int:
    """Return how many deleted words the database's file and its log contain."""
    deleted = {word(number).encode() for number in range(0, ROWS, 2)}
    data = b"\n".join(path.read_bytes() for path in folder.glob("vsearch.db*"))
    found = set(re.findall(rb"zq[0-9a-f]{12}qz", data))
    assert len(found - deleted) == ROWS // 2
    return len(found & deleted)


def open_deletions(connection: sqlite3.Connection) -> int:
    [count] = connection.execute("PRAGMA user_version").fetchone()
    return int(count)


async def test_worker_erases_every_copy_of_deleted_words(storage: SqlStorage, tmp_path: Path) -> None:
    await add_words(storage)
    await delete_words(storage)
    await RemovalWorker(storage).run_once()
    assert left_in_files(tmp_path) == 0


async def test_last_process_erases_what_others_left(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    await add_words(storage)
    await delete_words(storage)
    # Every command closes the storage in this way.
    command = await SqlStorage.open(tmp_path)
    await command.close()
    assert open_deletions_of(tmp_path) == 1
    await storage.close()
    assert left_in_files(tmp_path) == 0
    assert open_deletions_of(tmp_path) == 0


def open_deletions_of(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "vsearch.db")) as connection:
        return open_deletions(connection)


async def test_large_file_is_left_until_no_process_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = await SqlStorage.open(tmp_path)
    monkeypatch.setattr(deleted_databases, "COMPACT_COPY_S", 0.0)
    monkeypatch.setattr(sqlite, "PROGRESS_STEPS", 10)
    await add_words(storage)
    await delete_words(storage)
    assert not await storage.deleted.compact()
    assert open_deletions_of(tmp_path) == 1
    await storage.close()
    assert left_in_files(tmp_path) == 0


async def test_file_is_left_while_another_process_writes(
    storage: SqlStorage, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "COMPACT_WAIT_MS", 10)
    await add_words(storage)
    await delete_words(storage)
    other.execute("BEGIN IMMEDIATE")
    assert not await storage.deleted.compact()
    other.execute("ROLLBACK")
    assert await storage.deleted.compact()
    assert open_deletions(other) == 0


async def test_worker_rewrites_the_file_once_an_interval(storage: SqlStorage, other: sqlite3.Connection) -> None:
    now = NOW
    worker = RemovalWorker(storage, clock=lambda: now)
    await worker.run_once()
    await add_words(storage)
    await delete_words(storage)
    await worker.run_once()
    assert open_deletions(other) == 1
    now += COMPACT_INTERVAL
    await worker.run_once()
    assert open_deletions(other) == 0


async def test_every_kind_of_deletion_is_recorded(storage: SqlStorage, other: sqlite3.Connection) -> None:
    services = Services(storage)
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(2))
    await services.fill(PARTS, range(2, 3), entity="pump")
    assert open_deletions(other) == 0
    await services.deletions.delete(PARTS, EntityId("pump"))
    after_image = open_deletions(other)
    assert after_image
    await services.removal.remove_file(TEAM, "F1")
    after_file = open_deletions(other)
    assert after_file > after_image
    await services.databases.delete(PARTS)
    after_database = open_deletions(other)
    assert after_database > after_file
    assert await storage.deleted.compact()
    assert open_deletions(other) == 0


async def test_file_is_left_while_slack_delivers(storage: SqlStorage, other: sqlite3.Connection) -> None:
    await add_words(storage)
    await delete_words(storage)
    await storage._database.write(lambda _: None, first=True)
    assert not await storage.deleted.compact()
    assert open_deletions(other) == 1

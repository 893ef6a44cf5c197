"""Fixtures of several modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.storage.hosted.ledger import SqlLedger
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fixtures.data_transfer import TransferCase, fill_all_tables
from tests.fixtures.storages import DATABASE_KINDS, POSTGRESQL, StoragePlace
from tests.unit.storage.hosted.ledger import ledger_on


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still until the test advances it."""
    return Clock()


@pytest.fixture
async def ledger(storage: SqlStorage, clock: Clock) -> SqlLedger:
    """Return the hosted service's ledger, with two databases."""
    return await ledger_on(storage, clock)


@pytest.fixture(params=DATABASE_KINDS)
async def transfer(request: pytest.FixtureRequest, tmp_path: Path, postgres_address: str) -> TransferCase:
    """Return a transfer to each kind of database from the other, whose source has rows in all tables."""
    on_sqlite, on_postgres = StoragePlace(tmp_path / "one"), StoragePlace(tmp_path / "many", postgres_address)
    made = TransferCase(on_sqlite, on_postgres) if request.param == POSTGRESQL else TransferCase(on_postgres, on_sqlite)
    storage = await made.before.open()
    await storage._database.write(fill_all_tables)
    await storage.close()
    return made


@pytest.fixture
async def to_postgres(tmp_path: Path, postgres_address: str) -> TransferCase:
    """Return a transfer from an empty SQLite database to PostgreSQL."""
    made = TransferCase(StoragePlace(tmp_path / "one"), StoragePlace(tmp_path / "many", postgres_address))
    await (await made.before.open()).close()
    return made

"""Fixtures of the tests of SQLite, PostgreSQL and migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot.storage.sql import postgres, sqlite
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.postgres import Cluster
from tests.fixtures.storages import DATABASE_KINDS, SQLITE, StoragePlace

_AS_SHIPPED = {name: getattr(sqlite, name) for name in ("prepare", "_configure")}


@pytest.fixture(autouse=True)
def databases_as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what makes SQLite quick in other tests."""
    for name, function in _AS_SHIPPED.items():
        monkeypatch.setattr(sqlite, name, function)


@pytest.fixture(params=DATABASE_KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoragePlace]:
    """A database without tables, of each kind."""
    if request.param == SQLITE:
        yield StoragePlace(tmp_path)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.database()
    yield StoragePlace(tmp_path, cluster.address(name))
    cluster.drop(name)


@pytest.fixture
def engine(empty_database: StoragePlace) -> Iterator[Engine]:
    if empty_database.database_url is None:
        url = sqlite.address(empty_database.data_dir)
        sqlite.prepare(url)
        made = sqlite.create(url, 2)
    else:
        made = postgres.create(postgres.address(empty_database.database_url), 2)
    yield made
    made.dispose()


@pytest.fixture
def other(storage: SqlStorage, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of another process to the SQLite file of ``storage``."""
    with closing(sqlite3.connect(tmp_path / "vsearch.db", isolation_level=None)) as connection:
        yield connection

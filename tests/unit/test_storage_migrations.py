"""Migrations and tables tell the same story."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from bot.models import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage import sqlite
from bot.storage.migrate import HEAD, configuration, migrate
from bot.storage.schema import metadata
from bot.storage.sql import SqlStorage


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    url = sqlite.address(tmp_path)
    sqlite.prepare(url)
    made = sqlite.create(url, 2)
    yield made
    made.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_the_migrations_build_what_the_schema_says(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_down_and_up_again(engine: Engine) -> None:
    migrate(engine)
    with engine.execution_options(immediate=True).begin() as connection:
        command.downgrade(configuration(connection), "base")
    assert tables(engine) == set()
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_the_head_is_the_newest_revision(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_heads() == [HEAD]


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_a_migration_that_fails_leaves_nothing(engine: Engine) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE embedded_sketches (in_the_way INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert tables(engine) == {"embedded_sketches"}


async def test_many_that_open_one_empty_directory_at_once(tmp_path: Path) -> None:
    opened = await asyncio.gather(*(SqlStorage.open(tmp_path / "new") for _ in range(6)))
    try:
        key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
        await opened[0].catalogue.create_database(key)
        for storage in opened:
            assert (await storage.catalogue.database(key)).images == 0
    finally:
        for storage in opened:
            await storage.close()

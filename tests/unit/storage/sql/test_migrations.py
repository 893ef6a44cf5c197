"""The mechanism of migrations: they match the schema, run once, and fail as a whole."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql.migration import HEAD, configuration, migrate
from bot.storage.sql.schema.tables import (
    metadata,
)
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.sql.old_revisions import downgrade, tables


def test_migrated_tables_match_the_schema(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_downgrade_to_base_and_upgrade_again(engine: Engine) -> None:
    migrate(engine)
    downgrade(engine, "base")
    assert tables(engine) == set()
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_head_is_the_newest_revision(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_heads() == [HEAD]


def test_second_migration_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_failed_migration_is_rolled_back(engine: Engine) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE embedded_sketches (in_the_way INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert tables(engine) == {"embedded_sketches"}


async def test_concurrent_opens_of_an_empty_database_migrate_once(empty_database: StoragePlace) -> None:
    opened = await asyncio.gather(*(empty_database.open() for _ in range(6)))
    try:
        key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
        await opened[0].catalogue.create_database(key)
        for storage in opened:
            assert (await storage.catalogue.database(key)).images == 0
    finally:
        for storage in opened:
            await storage.close()

"""The mechanism of migrations: they match the schema, run once, and fail as a whole."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql import sqlite
from bot.storage.sql.migration import HEAD, configuration, migrate, revision_of
from bot.storage.sql.schema.tables import metadata
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.sql.old_revisions import downgrade, tables, upgrade


def test_migrated_tables_match_the_schema(engine: Engine) -> None:
    upgrade(engine, HEAD)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_new_file_has_the_tables_of_a_migrated_one(tmp_path: Path) -> None:
    found = []
    for name, create in (("new", migrate), ("migrated", lambda engine: upgrade(engine, HEAD))):
        url = sqlite.address(tmp_path, f"sqlite:///{tmp_path / name}")
        sqlite.prepare(url)
        engine = sqlite.create(url, 1)
        create(engine)
        with engine.connect() as connection:
            found.append((revision_of(connection), definitions(connection)))
        engine.dispose()
    new, migrated = found
    assert new[0] == HEAD
    assert new == migrated


def definitions(connection: Connection) -> dict[str, list[str]]:
    """Return the SQL of all tables and indexes. The clauses of each are sorted, as revisions add columns at the end."""
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: sorted(_clauses(sql)) for name, sql in rows}


def _clauses(sql: str) -> list[str]:
    plain = " ".join(sql.replace('"', "").split())
    # Revision 0005 renames this table, and SQLite keeps the names of its keys.
    plain = plain.replace("_embedded_sketches", "_embedded_local_features")
    head, _, body = plain.removesuffix(")").partition("(")
    return [head.strip(), *(clause.strip() for clause in re.split(r",(?![^(]*\))", body))]


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

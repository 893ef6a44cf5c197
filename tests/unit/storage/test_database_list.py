"""The list of databases, read from the file or through the storage."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.database_list import ListedDatabase, read_sqlite
from bot.storage.sql_storage import SqlStorage
from bot.storage.transfer import log
from tests.fixtures.records import image_record

TEAM = WorkspaceId("T1")


def _first(known: Sequence[WorkspaceId]) -> WorkspaceId:
    return known[0]


async def _fill(storage: SqlStorage) -> None:
    for name in ("parts", "brands"):
        await storage.catalogue.create_database(DatabaseKey(TEAM, DatabaseName(name)), "U1")
    for number, entity in enumerate(("valve", "VALVE", "pump")):
        record = image_record(
            database=DatabaseKey(TEAM, DatabaseName("parts")),
            data_id=DataId(f"id-{number}"),
            entity=EntityId(entity),
            digest=f"{number:064}",
            source_digest=f"{number:064}",
            added_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
        await storage.catalogue.add(record)
    await storage.vectors.write(lambda rows: rows.create(DatabaseKey(TEAM, DatabaseName("parts"))))


def _summary(databases: Sequence[ListedDatabase] | None) -> list[tuple[str, int, int, bool, str | None]]:
    assert databases is not None
    return [(one.name, one.images, one.ids, one.is_embedded, one.calibration) for one in databases]


EXPECTED = [("brands", 0, 0, False, None), ("parts", 3, 2, True, None)]


async def test_databases_are_listed_with_images_ids_and_calibration(storage: SqlStorage) -> None:
    await _fill(storage)
    listed = await storage.list_databases(_first)
    assert _summary(listed) == EXPECTED
    infos = await storage.catalogue.databases(TEAM)
    assert [(info.images, info.created_at) for info in infos] == [(one.images, one.created_at) for one in listed]


async def test_file_is_read_without_the_storage(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    await _fill(storage)
    # Others may write meanwhile.
    assert _summary(read_sqlite(tmp_path, None, _first)) == EXPECTED
    await storage.close()
    assert _summary(read_sqlite(tmp_path, None, _first)) == EXPECTED
    assert _summary(read_sqlite(tmp_path / "other", f"sqlite:///{tmp_path}/vsearch.db", _first)) == EXPECTED


async def test_refusal_of_a_workspace_is_not_hidden(tmp_path: Path) -> None:
    await (await SqlStorage.open(tmp_path)).close()

    def refuse(_known: Sequence[WorkspaceId]) -> WorkspaceId:
        raise InvalidInput("Name a workspace.")

    with pytest.raises(InvalidInput):
        read_sqlite(tmp_path, None, refuse)


async def test_storage_is_opened_if_the_file_needs_more_than_a_read(tmp_path: Path) -> None:
    file = tmp_path / "vsearch.db"
    assert read_sqlite(tmp_path, None, _first) is None
    assert not file.exists()
    assert read_sqlite(tmp_path, "postgresql://nowhere/vsearch", _first) is None

    storage = await SqlStorage.open(tmp_path)
    await storage._database.write(lambda connection: log.begin(connection, "sqlite:///old.db", {}))
    await storage.close()
    assert read_sqlite(tmp_path, None, lambda _known: TEAM) is None

    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    assert read_sqlite(tmp_path, None, lambda _known: TEAM) is None

    file.write_bytes(b"no database" * 1000)
    assert read_sqlite(tmp_path, None, _first) is None

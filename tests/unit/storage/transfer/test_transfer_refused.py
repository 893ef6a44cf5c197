"""Refused transfers: the target has content, or somebody writes during the transfer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from bot.domain.errors import TransferRefused
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql.schema.tables import databases, images
from bot.storage.transfer.transfer import SqlTransfer
from tests.fixtures.data_transfer import TransferCase, all_rows, fill_all_tables
from tests.fixtures.storages import StoragePlace


async def test_database_with_content_is_refused(transfer: TransferCase) -> None:
    after = await transfer.after.open()
    key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
    await after.catalogue.create_database(key)
    with pytest.raises(TransferRefused, match=r"in the settings already has data \(databases: 1\)"):
        await transfer.run()
    assert [info.key for info in await after.catalogue.databases(key.workspace)] == [key]
    await after.close()


async def test_unfinished_transfer_from_another_source_is_refused(to_postgres: TransferCase, tmp_path: Path) -> None:
    assert (await to_postgres.run(batches=0)).complete
    other = TransferCase(StoragePlace(tmp_path / "other"), to_postgres.after)
    storage = await other.before.open()
    await storage._database.write(fill_all_tables)
    await storage.close()
    # The first transfer copied nothing, so another source is accepted.
    assert (await other.run(batches=2)).interrupted
    with pytest.raises(TransferRefused, match=r"transfer to this database, from .*other/vsearch.db, isn't finished"):
        await to_postgres.run()


async def test_interrupted_transfer_restarts_if_the_source_has_changed(transfer: TransferCase) -> None:
    assert (await transfer.run(batches=11)).interrupted
    before = await transfer.before.open()
    await before._database.write(lambda connection: connection.execute(delete(databases).where(databases.c.id == 3)))
    there = await all_rows(before._database)
    await before.close()
    result = await transfer.run()
    assert (result.restarted, result.complete) == (True, True)
    after = await transfer.after.open()
    assert {**await all_rows(after._database), "inbox": []} == {**there, "inbox": []}
    await after.close()


async def test_source_changed_during_the_transfer_is_refused(transfer: TransferCase) -> None:
    origin, storage = await transfer.source(), await transfer.after.open()
    changing = await transfer.before.open()
    try:
        attempt = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC))
        await attempt.begin()
        while await attempt.copy_rows():
            pass
        await changing._database.write(lambda connection: connection.execute(update(images).values(width=1)))
        with pytest.raises(TransferRefused, match="changed during the transfer"):
            await attempt.finish()
    finally:
        for opened in (origin, storage, changing):
            await opened.close()


async def test_target_changed_during_the_transfer_is_refused(to_postgres: TransferCase) -> None:
    origin, storage = await to_postgres.source(), await to_postgres.after.open()
    try:
        attempt = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC))
        await attempt.begin()
        await storage.keyring.key("media")
        with pytest.raises(TransferRefused, match=r"differs from the original \(keys\)"):
            await attempt.finish()
    finally:
        await storage.close()
        await origin.close()

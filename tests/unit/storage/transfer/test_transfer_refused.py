"""Houses that don't move: where something is already, or somebody writes meanwhile."""

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


async def test_a_place_that_has_something_is_refused(transfer: TransferCase) -> None:
    after = await transfer.after.open()
    key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
    await after.catalogue.create_database(key)
    with pytest.raises(TransferRefused, match=r"something already where the settings point \(databases: 1\)"):
        await transfer.run()
    assert [info.key for info in await after.catalogue.databases(key.workspace)] == [key]
    await after.close()


async def test_an_unfinished_move_from_elsewhere_is_refused(to_postgres: TransferCase, tmp_path: Path) -> None:
    assert (await to_postgres.run(batches=0)).complete
    other = TransferCase(StoragePlace(tmp_path / "other"), to_postgres.after)
    storage = await other.before.open()
    await storage._database.write(fill_all_tables)
    await storage.close()
    # Nothing came of the first: whoever comes next finds room.
    assert (await other.run(batches=2)).interrupted
    with pytest.raises(TransferRefused, match=r"The move from .*other/vsearch.db to here isn't finished"):
        await to_postgres.run()


async def test_a_house_that_has_changed_since_moves_anew(transfer: TransferCase) -> None:
    assert (await transfer.run(batches=11)).interrupted
    before = await transfer.before.open()
    await before._database.write(lambda connection: connection.execute(delete(databases).where(databases.c.id == 3)))
    there = await all_rows(before._database)
    await before.close()
    moved = await transfer.run()
    assert (moved.restarted, moved.complete) == (True, True)
    after = await transfer.after.open()
    assert {**await all_rows(after._database), "inbox": []} == {**there, "inbox": []}
    await after.close()


async def test_a_house_that_changes_meanwhile_is_not_taken_for_moved(transfer: TransferCase) -> None:
    origin, storage = await transfer.source(), await transfer.after.open()
    inhabited = await transfer.before.open()
    try:
        going = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC))
        await going.begin()
        while await going.copy_rows():
            pass
        await inhabited._database.write(lambda connection: connection.execute(update(images).values(width=1)))
        with pytest.raises(TransferRefused, match="has changed while it was moved"):
            await going.finish()
    finally:
        for opened in (origin, storage, inhabited):
            await opened.close()


async def test_what_somebody_writes_meanwhile_where_it_moves_is_noticed(to_postgres: TransferCase) -> None:
    origin, storage = await to_postgres.source(), await to_postgres.after.open()
    try:
        going = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC))
        await going.begin()
        await storage.keyring.key("media")
        with pytest.raises(TransferRefused, match=r"differs from the original \(keys\)"):
            await going.finish()
    finally:
        await storage.close()
        await origin.close()

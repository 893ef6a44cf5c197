"""Houses that don't move: where something is already, or somebody writes meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from bot.models import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.moves import CannotMove
from bot.storage.moving import SqlMove
from bot.storage.schema import (
    databases,
    images,
)
from tests.grounds import Ground
from tests.moving_house import Move, all_rows, furnish


async def test_a_place_that_has_something_is_refused(move: Move) -> None:
    after = await move.after.open()
    key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
    await after.catalogue.create_database(key)
    with pytest.raises(CannotMove, match=r"something already where the settings point \(databases: 1\)"):
        await move.run()
    assert [info.key for info in await after.catalogue.databases(key.workspace)] == [key]
    await after.close()


async def test_an_unfinished_move_from_elsewhere_is_refused(to_postgres: Move, tmp_path: Path) -> None:
    assert (await to_postgres.run(batches=0)).complete
    other = Move(Ground(tmp_path / "other"), to_postgres.after)
    storage = await other.before.open()
    await storage._database.write(furnish)
    await storage.close()
    # Nothing came of the first: whoever comes next finds room.
    assert (await other.run(batches=2)).interrupted
    with pytest.raises(CannotMove, match=r"The move from .*other/vsearch.db to here isn't finished"):
        await to_postgres.run()


async def test_a_house_that_has_changed_since_moves_anew(move: Move) -> None:
    assert (await move.run(batches=11)).interrupted
    before = await move.before.open()
    await before._database.write(lambda connection: connection.execute(delete(databases).where(databases.c.id == 3)))
    there = await all_rows(before._database)
    await before.close()
    moved = await move.run()
    assert (moved.anew, moved.complete) == (True, True)
    after = await move.after.open()
    assert {**await all_rows(after._database), "inbox": []} == {**there, "inbox": []}
    await after.close()


async def test_a_house_that_changes_meanwhile_is_not_taken_for_moved(move: Move) -> None:
    origin, storage = await move.origin(), await move.after.open()
    inhabited = await move.before.open()
    try:
        going = SqlMove(origin, storage._database, lambda: datetime.now(UTC))
        await going.begin()
        while await going.move_some():
            pass
        await inhabited._database.write(lambda connection: connection.execute(update(images).values(width=1)))
        with pytest.raises(CannotMove, match="has changed while it was moved"):
            await going.finish()
    finally:
        for opened in (origin, storage, inhabited):
            await opened.close()


async def test_what_somebody_writes_meanwhile_where_it_moves_is_noticed(to_postgres: Move) -> None:
    origin, storage = await to_postgres.origin(), await to_postgres.after.open()
    try:
        going = SqlMove(origin, storage._database, lambda: datetime.now(UTC))
        await going.begin()
        await storage.keyring.key("media")
        with pytest.raises(CannotMove, match=r"differs from the original \(keys\)"):
            await going.finish()
    finally:
        await storage.close()
        await origin.close()

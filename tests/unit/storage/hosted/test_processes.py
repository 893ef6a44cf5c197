"""The hosted service's ledger and what goes with it, written by several processes at the same moment."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import AlreadyAdded, DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql.schema.tables import hosted_deletions, hosted_images
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
VALVE = EntityId("valve")
PROCESSES = 3


@pytest.fixture
async def processes(storage_place: StoragePlace) -> AsyncIterator[list[SqlStorage]]:
    """Storages that know nothing of each other."""
    opened = [await storage_place.open() for _ in range(PROCESSES)]
    yield opened
    for storage in opened:
        await storage.close()


def image(number: int) -> NewHostedImage:
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    return NewHostedImage(DataId(f"id_{number:04d}"), VALVE, Note(), digest, bytes(32))


async def failures(works: Sequence[Awaitable[Any]]) -> list[BaseException]:
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


async def chores(storage: SqlStorage) -> list[str]:
    def work(connection: Connection) -> list[str]:
        return list(connection.execute(select(hosted_deletions.c.entity)).scalars())

    return sorted(await storage._database.read(work))


async def images(storage: SqlStorage) -> list[str]:
    def work(connection: Connection) -> list[str]:
        return list(connection.execute(select(hosted_images.c.data_id)).scalars())

    return sorted(await storage._database.read(work))


async def test_a_name_is_taken_once(processes: list[SqlStorage]) -> None:
    works = [one.ledger.create_database(PARTS, f"upstream_{at}", "p_") for at, one in enumerate(processes * 3)]
    failed = await failures(works)
    assert len(failed) == len(works) - 1
    assert {type(error) for error in failed} == {DatabaseExists}


async def test_an_image_is_begun_by_several_and_confirmed_once(processes: list[SqlStorage]) -> None:
    await processes[0].ledger.create_database(PARTS, "upstream", "p_")

    async def add(storage: SqlStorage) -> None:
        async with storage.unit():
            await storage.ledger.begin_add(PARTS, image(1))
            await storage.ledger.confirm_add(PARTS, image(1).data_id)

    await add(processes[0])
    failed = await failures([add(one) for one in processes * 3])
    assert len(failed) == 3 * PROCESSES
    assert {type(error) for error in failed} == {AlreadyAdded}
    assert await processes[1].ledger.count(PARTS) == 1


@pytest.mark.parametrize("round_of", range(5))
async def test_an_add_that_a_deletion_overtakes_leaves_a_chore(processes: list[SqlStorage], round_of: int) -> None:
    first, *others = processes
    await first.ledger.create_database(PARTS, "upstream", "p_")
    begun: list[str] = []

    async def begin(storage: SqlStorage, number: int) -> None:
        await storage.ledger.begin_add(PARTS, image(number))
        begun.append(f"p_{image(number).data_id}")

    async def drop() -> None:
        await asyncio.sleep(0.003 * round_of)
        await first.ledger.delete_database(PARTS, whole=False)

    works = [begin(one, 10 * number + at) for number in range(8) for at, one in enumerate(others)]
    failed = await failures([*works, drop()])
    assert {type(error) for error in failed} <= {UnknownDatabase}
    assert len(failed) + len(begun) == len(works)
    # What the service may have is to go from it, each by a chore of its own.
    assert await chores(first) == sorted(begun)
    assert await images(first) == []


async def test_what_several_take_back_becomes_one_chore_each(processes: list[SqlStorage]) -> None:
    await processes[0].ledger.create_database(PARTS, "upstream", "p_")
    for number in range(20):
        await processes[0].ledger.begin_add(PARTS, image(number))
    later = datetime.now(UTC) + timedelta(hours=1)
    taken = await asyncio.gather(*(one.pending_deletions.queue_unconfirmed(later) for one in processes * 2))
    assert sum(taken) == 20
    assert await chores(processes[0]) == [f"p_{image(number).data_id}" for number in range(20)]


async def test_a_picture_is_lent_while_others_write(processes: list[SqlStorage]) -> None:
    writer, lender, server = processes
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    await asyncio.gather(*(lender.relayed.put(f"picture_{at}", b"jpeg", expires_at) for at in range(10)))
    await asyncio.gather(*(one.relayed.purge() for one in processes * 2))
    assert [await server.relayed.get(f"picture_{at}") for at in range(10)] == [b"jpeg"] * 10
    assert await chores(writer) == []

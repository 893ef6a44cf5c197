"""Concurrent writes of several processes to the hosted service's ledger."""

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
    """Independent storages on one database, as several processes have them."""
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


async def due_deletions(storage: SqlStorage) -> list[str]:
    def work(connection: Connection) -> list[str]:
        return list(connection.execute(select(hosted_deletions.c.entity)).scalars())

    return sorted(await storage._database.read(work))


async def images(storage: SqlStorage) -> list[str]:
    def work(connection: Connection) -> list[str]:
        return list(connection.execute(select(hosted_images.c.data_id)).scalars())

    return sorted(await storage._database.read(work))


async def test_concurrent_creates_of_one_name_succeed_once(processes: list[SqlStorage]) -> None:
    works = [one.ledger.create_database(PARTS, f"upstream_{at}", "p_") for at, one in enumerate(processes * 3)]
    failed = await failures(works)
    assert len(failed) == len(works) - 1
    assert {type(error) for error in failed} == {DatabaseExists}


async def test_confirmed_image_cannot_be_begun_by_other_processes(processes: list[SqlStorage]) -> None:
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
async def test_add_during_a_database_deletion_is_queued_for_deletion(
    processes: list[SqlStorage], round_of: int
) -> None:
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
    # Every image that the service may have is queued for deletion.
    assert await due_deletions(first) == sorted(begun)
    assert await images(first) == []


async def test_concurrent_queueing_queues_each_add_once(processes: list[SqlStorage]) -> None:
    await processes[0].ledger.create_database(PARTS, "upstream", "p_")
    for number in range(20):
        await processes[0].ledger.begin_add(PARTS, image(number))
    later = datetime.now(UTC) + timedelta(hours=1)
    taken = await asyncio.gather(*(one.pending_deletions.queue_unconfirmed(later) for one in processes * 2))
    assert sum(taken) == 20
    assert await due_deletions(processes[0]) == [f"p_{image(number).data_id}" for number in range(20)]


async def test_pictures_are_lent_during_concurrent_writes(processes: list[SqlStorage]) -> None:
    writer, lender, server = processes
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    await asyncio.gather(*(lender.relayed.put(f"picture_{at}", b"jpeg", expires_at) for at in range(10)))
    await asyncio.gather(*(one.relayed.purge() for one in processes * 2))
    assert [await server.relayed.get(f"picture_{at}") for at in range(10)] == [b"jpeg"] * 10
    assert await due_deletions(writer) == []

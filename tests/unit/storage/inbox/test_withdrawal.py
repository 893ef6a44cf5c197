"""Files deleted in Slack are never added afterwards, even if both happen at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from bot.domain.catalogue import ImageRecord, OriginScope, SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.jobs import Job, JobKind, NewJob
from bot.storage.sql.schema.tables import inbox
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
MESSAGE = "1700000000.000001"


@pytest.fixture
async def other(storage_place: StoragePlace, storage: SqlStorage) -> AsyncIterator[SqlStorage]:
    """The storage of another process on the same database."""
    del storage
    opened = await storage_place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def job(storage: SqlStorage) -> Job:
    await storage.catalogue.create_database(PARTS)
    await storage.inbox.put(NewJob(JobKind.SHARE, TEAM, "", "C1", MESSAGE, ("F1", "F2"), "{}"))
    (taken,) = await storage.inbox.claim("one", 1, 15)
    return taken


async def add_if_wanted(storage: SqlStorage, job: Job, file: str = "F1") -> None:
    async with storage.unit():
        if await storage.inbox.is_wanted(job.id, file):
            # Let other tasks and the other process run while the unit is open.
            await asyncio.sleep(0.002)
            await storage.catalogue.add(record(file))


async def payloads(storage: SqlStorage) -> list[str]:
    query = select(inbox.c.payload)
    return list(await storage._database.read(lambda connection: connection.execute(query).scalars().all()))


async def forget(storage: SqlStorage, file: str = "F1") -> None:
    await storage.inbox.withdraw(TEAM, file=file)
    for one in await storage.catalogue.with_origins(OriginScope(TEAM, file=file), 10):
        await storage.catalogue.remove(one.database, one.entity, one.data_id)


def record(file: str) -> ImageRecord:
    return image_record(
        database=PARTS,
        data_id=DataId(file),
        digest=file.lower().rjust(64, "0"),
        added_at=datetime.now(UTC),
        origin=SlackOrigin(file, "C1", MESSAGE),
    )


async def test_withdrawal_by_another_process_is_seen_inside_a_unit(
    storage: SqlStorage, other: SqlStorage, job: Job
) -> None:
    async with storage.unit():
        assert await storage.inbox.newest_share(TEAM, "C1") is not None
        await other.inbox.withdraw(TEAM, file="F1")
        assert not await storage.inbox.is_wanted(job.id, "F1")
        assert await storage.inbox.is_wanted(job.id, "F2")


@pytest.mark.parametrize("turn", range(6))
async def test_concurrent_add_and_withdrawal_leave_no_image(
    storage: SqlStorage, other: SqlStorage, job: Job, turn: int
) -> None:
    async def later(ms: int) -> None:
        await asyncio.sleep(ms / 1000)
        await forget(other)

    await asyncio.gather(add_if_wanted(storage, job), later(turn))
    assert await storage.catalogue.with_origins(OriginScope(TEAM, file="F1"), 10) == ()
    await add_if_wanted(storage, job)
    await add_if_wanted(storage, job, "F2")
    assert (await storage.catalogue.database(PARTS)).images == 1


async def test_withdrawing_a_message_withdraws_all_its_files(storage: SqlStorage, job: Job) -> None:
    await storage.inbox.withdraw(TEAM, channel="C2", message=MESSAGE)
    await storage.inbox.withdraw(OTHER_TEAM, channel="C1", message=MESSAGE)
    await storage.inbox.withdraw(OTHER_TEAM, file="F1")
    assert [await storage.inbox.is_wanted(job.id, file) for file in job.files] == [True, True]
    await storage.inbox.withdraw(TEAM, channel="C1", message=MESSAGE)
    assert [await storage.inbox.is_wanted(job.id, file) for file in job.files] == [False, False]


@pytest.mark.parametrize(("channel", "message"), [("", ""), ("C1", ""), ("", MESSAGE)])
async def test_withdrawal_needs_a_file_or_a_whole_message(
    storage: SqlStorage, job: Job, channel: str, message: str
) -> None:
    with pytest.raises(ValueError, match="Name the file or the message"):
        await storage.inbox.withdraw(TEAM, channel=channel, message=message)
    assert await storage.inbox.is_wanted(job.id, "F1")


async def test_unknown_files_and_jobs_are_not_wanted(storage: SqlStorage, job: Job) -> None:
    assert not await storage.inbox.is_wanted(job.id, "F9")
    assert not await storage.inbox.is_wanted(job.id + 1, "F1")


async def test_deletion_is_known_until_its_job_is_purged(storage: SqlStorage, other: SqlStorage) -> None:
    deletion = NewJob(JobKind.FORGET, TEAM, "", "forget:-", "-", ("F1",), "{}")
    assert not await storage.inbox.is_deleted(TEAM, "F1")
    await storage.inbox.put(deletion)
    for one in (storage.inbox, other.inbox):
        assert await one.is_deleted(TEAM, "F1")
        assert not await one.is_deleted(TEAM, "F2")
        assert not await one.is_deleted(OTHER_TEAM, "F1")
    [taken] = await storage.inbox.claim("one", 1, 15)
    await storage.inbox.finish(taken)
    assert await storage.inbox.is_deleted(TEAM, "F1")
    await storage.inbox.purge(datetime(2100, 1, 1, tzinfo=UTC))
    assert not await storage.inbox.is_deleted(TEAM, "F1")


async def test_payload_is_deleted_with_the_last_file(storage: SqlStorage, job: Job) -> None:
    del job
    await storage.inbox.withdraw(TEAM, file="F1")
    assert await payloads(storage) == ["{}"]
    await storage.inbox.withdraw(TEAM, file="F2")
    assert await payloads(storage) == [""]


async def test_payload_is_deleted_when_two_processes_withdraw_a_file_each(
    storage: SqlStorage, other: SqlStorage, job: Job
) -> None:
    del job
    await asyncio.gather(storage.inbox.withdraw(TEAM, file="F1"), other.inbox.withdraw(TEAM, file="F2"))
    assert await payloads(storage) == [""]

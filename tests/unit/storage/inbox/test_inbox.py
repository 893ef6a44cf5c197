"""The inbox: deliveries are stored once, counted, purged and forgotten."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

from bot.domain.jobs import InboxDepth, JobKind, NewJob, StoredShare
from bot.storage.inbox.inbox import SqlInbox
from tests.fakes.clock import Clock
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.inbox.jobs import LEASE_S, OTHER_TEAM, TEAM, only, share


async def test_job_round_trip(inbox: SqlInbox, clock: Clock) -> None:
    assert await inbox.put(share(1, "F1", "F2"))
    job = await only(inbox)
    assert dataclasses.asdict(job) == {
        **dataclasses.asdict(share(1, "F1", "F2")),
        "id": job.id,
        "attempts": 1,
        "owner": "one",
        "answering": False,
        "created_at": clock.now,
        "trace": "",
    }


async def test_repeated_deliveries_are_recognised(inbox: SqlInbox) -> None:
    assert await inbox.put(share(1, "F1", "F2"))
    assert not await inbox.put(share(1, "F2", "F1"))
    assert not await inbox.put(share(1))
    job = await only(inbox)
    await inbox.finish(job)
    assert not await inbox.put(share(1, "F1", "F2"))
    assert await inbox.claim("one", 10, LEASE_S) == ()


async def test_only_new_files_of_a_message_make_a_job(inbox: SqlInbox) -> None:
    await inbox.put(share(1, "F1"))
    assert await inbox.put(share(1, "F1", "F2", "F2", "F3"))
    assert [job.files for job in await inbox.claim("one", 10, LEASE_S)] == [("F1",), ("F2", "F3")]


async def test_same_file_in_another_message_is_a_new_share(inbox: SqlInbox) -> None:
    first = share(1)
    for job in (
        first,
        dataclasses.replace(first, workspace=OTHER_TEAM),
        dataclasses.replace(first, channel="C2"),
        dataclasses.replace(first, message="1700000000.000009"),
    ):
        assert await inbox.put(job)
    assert len(await inbox.claim("one", 10, LEASE_S)) == 4


async def test_concurrent_puts_store_a_share_once(storage_place: StoragePlace, inbox: SqlInbox) -> None:
    other = await storage_place.open()
    try:
        kept = await asyncio.gather(*(one.put(share(1)) for one in (inbox, other.inbox) * 5))
    finally:
        await other.close()
    assert sorted(kept) == [False] * 9 + [True]


async def test_job_is_waiting_until_it_is_claimed(inbox: SqlInbox) -> None:
    assert not await inbox.is_waiting(share())
    await inbox.put(share())
    assert await inbox.is_waiting(share())
    assert not await inbox.is_waiting(share(2))
    job = await only(inbox)
    assert not await inbox.is_waiting(share())
    # A job that was claimed once does not count as waiting.
    await inbox.retry(job, 0)
    assert not await inbox.is_waiting(share())


async def test_depth_counts_unfinished_jobs_and_the_oldest(inbox: SqlInbox, clock: Clock) -> None:
    assert await inbox.depth() == InboxDepth(0, None)
    began = clock.now
    for number in range(3):
        await inbox.put(share(number))
        clock.pass_by(5)
    (first, _) = await inbox.claim("one", 2, LEASE_S)
    assert await inbox.depth() == InboxDepth(3, began)
    await inbox.finish(first)
    assert await inbox.depth() == InboxDepth(2, began + timedelta(seconds=5))


async def test_purge_deletes_old_finished_jobs(inbox: SqlInbox, clock: Clock) -> None:
    for number in range(3):
        await inbox.put(share(number))
    first, second, _ = await inbox.claim("one", 3, LEASE_S)
    await inbox.finish(first)
    clock.pass_by(100)
    await inbox.finish(second)
    assert await inbox.purge(clock.now) == 1
    assert await inbox.put(share(0))
    assert not await inbox.put(share(1))


async def test_forget_workspace_keeps_the_running_uninstall_job(inbox: SqlInbox) -> None:
    await inbox.put(share(1))
    goodbye = NewJob(JobKind.UNINSTALL, TEAM, "", "", "", ("app_uninstalled",), "{}")
    await inbox.put(goodbye)
    claimed = await inbox.claim("one", 10, LEASE_S)
    await inbox.put(dataclasses.replace(goodbye, files=("tokens_revoked",)))
    await inbox.put(share(1, workspace=OTHER_TEAM))
    await inbox.forget_workspace(TEAM)
    assert [job.workspace for job in await inbox.claim("two", 10, LEASE_S)] == [OTHER_TEAM]
    assert not await inbox.put(goodbye)
    assert await inbox.put(share(1))
    wanted = {job.kind: await inbox.is_wanted(job.id, job.files[0]) for job in claimed}
    assert wanted == {JobKind.SHARE: False, JobKind.UNINSTALL: True}


async def test_newest_share_skips_withdrawn_files(inbox: SqlInbox) -> None:
    assert await inbox.newest_share(TEAM, "C1") is None
    for job in (share(2, "F2", "F3"), share(1)):
        await inbox.put(job)
    elsewhere = (
        dataclasses.replace(share(7), channel="C2"),
        share(8, workspace=OTHER_TEAM),
        dataclasses.replace(share(9), kind=JobKind.FORGET),
    )
    for job in elsewhere:
        await inbox.put(job)
    assert await inbox.newest_share(TEAM, "C1") == StoredShare("1700000000.000002", "F3", share(2).payload)
    await inbox.withdraw(TEAM, file="F3")
    assert await inbox.newest_share(TEAM, "C1") == StoredShare("1700000000.000002", "F2", share(2).payload)
    await inbox.withdraw(TEAM, channel="C1", message="1700000000.000002")
    assert await inbox.newest_share(TEAM, "C1") == StoredShare("1700000000.000001", "F1", share(1).payload)

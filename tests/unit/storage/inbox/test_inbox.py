"""The inbox: no job is lost or run twice, even if workers die."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, JobKind, NewJob, StoredShare
from bot.storage.inbox.inbox import ANSWER_LEASE_S, SqlInbox
from bot.storage.inbox.recovery import LIVING_OWNER_SETTLE_S
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
LEASE_S = 15.0


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workers(tmp_path: Path) -> FileWorkerRegistry:
    return FileWorkerRegistry(tmp_path / "workers")


@pytest.fixture
def inbox(storage: SqlStorage, workers: FileWorkerRegistry, clock: Clock) -> SqlInbox:
    return SqlInbox(storage._database, workers, clock)


def share(number: int = 1, *files: str, workspace: WorkspaceId = TEAM) -> NewJob:
    return NewJob(
        kind=JobKind.SHARE,
        workspace=workspace,
        enterprise="E1",
        channel="C1",
        message=f"1700000000.{number:06d}",
        files=files or (f"F{number}",),
        payload=f'{{"number": {number}, "text": "🔧"}}',
    )


async def only(inbox: SqlInbox, owner: str = "one") -> Job:
    (claimed,) = await inbox.claim(owner, 10, LEASE_S)
    job = await inbox.begin(claimed)
    assert job is not None
    return job


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


async def test_claim_returns_the_oldest_up_to_the_limit(inbox: SqlInbox, clock: Clock) -> None:
    for number in range(5):
        await inbox.put(share(number))
        clock.pass_by(0.001)
    assert await inbox.claim("one", 0, LEASE_S) == ()
    assert [job.files for job in await inbox.claim("one", 2, LEASE_S)] == [("F0",), ("F1",)]
    assert [job.files for job in await inbox.claim("two", 10, LEASE_S)] == [("F2",), ("F3",), ("F4",)]
    assert await inbox.claim("three", 10, LEASE_S) == ()


async def test_concurrent_claims_never_return_the_same_job(
    storage_place: StoragePlace, tmp_path: Path, inbox: SqlInbox, clock: Clock
) -> None:
    for number in range(60):
        await inbox.put(share(number))
    other = await storage_place.open()
    claimed: list[int] = []

    async def work(own: SqlInbox, owner: str) -> None:
        while jobs := await own.claim(owner, 3, LEASE_S):
            claimed.extend(job.id for job in jobs)

    try:
        mine = (work(inbox, f"one-{number}") for number in range(3))
        theirs = (
            work(SqlInbox(other._database, FileWorkerRegistry(tmp_path), clock), f"two-{number}") for number in range(3)
        )
        await asyncio.gather(*mine, *theirs)
    finally:
        await other.close()
    assert len(claimed) == len(set(claimed)) == 60


async def test_concurrent_puts_store_a_share_once(storage_place: StoragePlace, inbox: SqlInbox) -> None:
    other = await storage_place.open()
    try:
        kept = await asyncio.gather(*(one.put(share(1)) for one in (inbox, other.inbox) * 5))
    finally:
        await other.close()
    assert sorted(kept) == [False] * 9 + [True]


async def test_job_with_an_expired_lease_can_be_claimed(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    first = await only(inbox)
    clock.pass_by(LEASE_S - 0.001)
    assert await inbox.claim("two", 10, LEASE_S) == ()
    clock.pass_by(0.001)
    again = await only(inbox, "two")
    assert again == dataclasses.replace(first, attempts=2, owner="two")


async def test_owner_that_was_answering_gets_time_to_settle_after_its_lease(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    first = await only(inbox)
    clock.pass_by(LEASE_S - 1)
    assert await inbox.mark_answering(first)
    # The lease is renewed, and the owner may still be alive when it expires.
    clock.pass_by(ANSWER_LEASE_S + LIVING_OWNER_SETTLE_S - 0.001)
    assert await inbox.claim("two", 10, LEASE_S) == ()
    clock.pass_by(0.001)
    again = await only(inbox, "two")
    assert again == dataclasses.replace(first, attempts=2, answering=True, owner="two")
    assert not await inbox.mark_answering(first)


async def test_expired_lease_holder_changes_nothing(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    late = await only(inbox, "late")
    clock.pass_by(LEASE_S)
    new = await only(inbox, "new")
    assert not await inbox.mark_answering(late)
    await inbox.finish(late)
    await inbox.retry(late, 0)
    assert await inbox.mark_answering(new)
    assert await inbox.depth() == InboxDepth(1, clock.now - timedelta(seconds=LEASE_S))


async def test_only_the_owner_can_extend_a_lease(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    job = await only(inbox)
    clock.pass_by(10)
    assert await inbox.extend("one", [job.id, 999], LEASE_S) == {job.id}
    clock.pass_by(10)
    assert await inbox.claim("two", 10, LEASE_S) == ()
    clock.pass_by(10)
    assert (await only(inbox, "two")).attempts == 2
    assert await inbox.extend("one", [job.id], 1000) == frozenset()
    assert await inbox.extend("one", [], 1000) == frozenset()
    clock.pass_by(LEASE_S)
    assert (await only(inbox, "three")).attempts == 3


async def test_retried_job_is_due_after_its_delay(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    job = await only(inbox)
    await inbox.retry(job, 60)
    clock.pass_by(59.9)
    assert await inbox.claim("two", 10, LEASE_S) == ()
    clock.pass_by(0.1)
    assert (await only(inbox, "two")).attempts == 2


async def test_release_returns_jobs_without_counting_the_attempt(inbox: SqlInbox) -> None:
    await inbox.put(share(1))
    mine = await only(inbox, "one")
    await inbox.put(share(2))
    theirs = await only(inbox, "two")
    await inbox.release("one")
    back = await only(inbox, "three")
    assert (back.id, back.attempts) == (mine.id, 1)
    assert theirs.id not in {job.id for job in await inbox.claim("four", 10, LEASE_S)}


async def test_only_attempts_that_began_count(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    for _ in range(3):
        [claimed] = await inbox.claim("dies before it begins", 10, LEASE_S)
        assert claimed.attempts == 0
        clock.pass_by(LEASE_S)
    await inbox.claim("stops", 10, LEASE_S)
    await inbox.release("stops")
    job = await only(inbox)
    assert job.attempts == 1
    clock.pass_by(LEASE_S)
    [claimed] = await inbox.claim("two", 10, LEASE_S)
    assert claimed.attempts == 1
    assert await inbox.begin(job) is None


@pytest.mark.parametrize("failed", [False, True])
async def test_finished_jobs_stay_finished(inbox: SqlInbox, clock: Clock, failed: bool) -> None:
    await inbox.put(share())
    job = await only(inbox)
    await inbox.finish(job, failed=failed)
    await inbox.retry(job, 0)
    await inbox.release("one")
    clock.pass_by(1000)
    assert await inbox.claim("two", 10, LEASE_S) == ()
    assert await inbox.depth() == InboxDepth(0)


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


async def test_failed_unit_leaves_the_job_unfinished(storage: SqlStorage, inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share())
    job = await only(inbox)

    async def finish_and_fail() -> None:
        async with storage.unit():
            await inbox.finish(job)
            await inbox.put(share(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await finish_and_fail()
    clock.pass_by(LEASE_S)
    assert (await only(inbox, "two")).id == job.id


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

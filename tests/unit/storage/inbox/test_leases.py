"""Leases: jobs go back to the inbox when their owners die, stop or fail."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.jobs import InboxDepth
from bot.storage.inbox.inbox import ANSWER_LEASE_S, SqlInbox
from bot.storage.inbox.recovery import LIVING_OWNER_SETTLE_S
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.inbox.jobs import LEASE_S, only, share


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

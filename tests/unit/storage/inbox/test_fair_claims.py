"""Claims: workspaces take turns, obligations don't wait behind shares, and a long queue costs nothing."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, JobKind, LaneRoom, NewJob, WorkerRoom
from bot.storage.inbox.inbox import SqlInbox
from bot.storage.inbox.recovery import CRASH_DELAY_S, MAX_QUICK_CRASHES
from bot.storage.inbox.rows import new_row
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.sql.schema.tables import inbox as inbox_table
from bot.storage.sql.schema.tables import inbox_files
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import BEGINNING, Clock
from tests.fakes.inbox import share

LEASE_S = 15.0
FLOOD = 10_000


@pytest.fixture
def inbox(storage: SqlStorage, tmp_path: Path, clock: Clock) -> SqlInbox:
    return SqlInbox(storage._database, FileWorkerRegistry(tmp_path / "workers"), clock)


def deletion(number: int, workspace: str = "T1") -> NewJob:
    return dataclasses.replace(share(number, workspace), kind=JobKind.FORGET, channel="forget:C1")


def room(most_each: int = 4, free: int = 5, **running: int) -> WorkerRoom:
    """Return the room of a worker that runs these shares, and no obligations."""
    busy = {WorkspaceId(name): count for name, count in running.items()}
    return WorkerRoom(LaneRoom(2, 1), LaneRoom(free - sum(busy.values()), most_each, busy))


async def flood(storage: SqlStorage, workspace: str, jobs: int, moment: datetime = BEGINNING) -> None:
    """Store many shares of a workspace in one transaction."""

    def work(connection: Connection) -> None:
        rows = [new_row(share(number, workspace), moment) for number in range(jobs)]
        connection.execute(insert(inbox_table), rows)
        ids = connection.execute(inbox_table.select().where(inbox_table.c.workspace == workspace)).all()
        files = [
            {
                "job_id": row.id,
                "workspace": workspace,
                "channel": row.channel,
                "message": row.message,
                "file": "F",
                "withdrawn": False,
            }
            for row in ids
        ]
        connection.execute(insert(inbox_files), files)

    await storage._database.write(work)


def teams(jobs: tuple[Job, ...]) -> list[str]:
    return [job.workspace for job in jobs]


async def test_jobs_of_other_workspaces_pass_a_long_queue(storage: SqlStorage, inbox: SqlInbox, clock: Clock) -> None:
    await flood(storage, "T1", FLOOD)
    clock.pass_by(60)
    await inbox.put(share(1, "T2"))
    await inbox.put(deletion(2, "T3"))
    await inbox.put(deletion(3, "T1"))
    claimed = await inbox.claim("one", 7, LEASE_S, room())
    assert [(job.workspace, job.kind) for job in claimed[:2]] == [("T1", JobKind.FORGET), ("T3", JobKind.FORGET)]
    assert sorted(teams(claimed[2:])) == ["T1", "T1", "T1", "T1", "T2"]


async def test_workspaces_take_turns(inbox: SqlInbox) -> None:
    for number in range(6):
        for team in ("", "T1", "T2"):
            await inbox.put(share(number, team))
    claimed = [job for _ in range(9) for job in await inbox.claim("one", 1, LEASE_S)]
    assert teams(tuple(claimed)) == ["", "T1", "T2"] * 3
    # Each of them is served in the order of its own jobs.
    assert [job.files[0] for job in claimed if job.workspace == "T2"] == ["F0", "F1", "F2"]
    assert sorted(teams(await inbox.claim("two", 6, LEASE_S))) == ["", "", "T1", "T1", "T2", "T2"]


async def test_last_place_is_reserved_for_another_workspace(inbox: SqlInbox) -> None:
    for number in range(8):
        await inbox.put(share(number, "T1"))
    assert len(await inbox.claim("one", 5, LEASE_S, room())) == 4
    assert await inbox.claim("one", 1, LEASE_S, room(T1=4)) == ()
    await inbox.put(share(1, "T0"))
    assert teams(await inbox.claim("one", 1, LEASE_S, room(T1=4))) == ["T0"]
    assert teams(await inbox.claim("one", 1, LEASE_S, room(T1=3))) == ["T1"]


async def test_deletions_of_one_workspace_leave_a_place_for_another(inbox: SqlInbox) -> None:
    for number in range(3):
        await inbox.put(deletion(number, "T1"))
    await inbox.put(deletion(3, "T2"))
    assert teams(await inbox.claim("one", 9, LEASE_S, room())) == ["T1", "T2"]


async def test_obligation_that_crashes_its_process_does_not_block_others(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(deletion(1))
    for _ in range(MAX_QUICK_CRASHES + 1):
        [job] = await inbox.claim("dies", 1, LEASE_S)
        assert await inbox.begin(job)
        clock.pass_by(LEASE_S)
    assert await inbox.claim("one", 1, LEASE_S) == ()
    clock.pass_by(CRASH_DELAY_S)
    assert len(await inbox.claim("one", 1, LEASE_S)) == 1


@pytest.mark.parametrize("back", [timedelta(seconds=10), timedelta(hours=5), timedelta(days=400)])
async def test_waiting_jobs_run_after_the_clock_was_set_back(inbox: SqlInbox, clock: Clock, back: timedelta) -> None:
    for number in range(3):
        await inbox.put(share(number))
    first, second, _ = await inbox.claim("one", 3, LEASE_S)
    await inbox.retry(first, 60)
    await inbox.retry(second, 0)
    await inbox.put(share(7))
    clock.now -= back
    # The delays of the first two, and the lease of the third, count from the new time.
    assert {job.files for job in await inbox.claim("two", 9, LEASE_S)} == {("F7",), ("F1",)}
    clock.pass_by(LEASE_S)
    assert ("F2",) in [job.files for job in await inbox.claim("three", 9, LEASE_S)]
    clock.pass_by(60 - LEASE_S)
    assert ("F0",) in [job.files for job in await inbox.claim("four", 9, LEASE_S)]


async def test_delayed_jobs_run_after_the_clock_was_set_back_between_two_runs(
    inbox: SqlInbox, storage: SqlStorage, clock: Clock, tmp_path: Path
) -> None:
    await inbox.put(share(1))
    [job] = await inbox.claim("one", 1, LEASE_S)
    await inbox.retry(job, 10)
    clock.now -= timedelta(days=1)
    restarted = SqlInbox(storage._database, FileWorkerRegistry(tmp_path / "others"), clock)
    await restarted.enter("two")
    clock.pass_by(10)
    assert len(await restarted.claim("two", 1, LEASE_S)) == 1


async def test_jobs_are_purged_in_batches(storage: SqlStorage, inbox: SqlInbox, clock: Clock) -> None:
    await flood(storage, "T1", 1200)
    statement = inbox_table.update().values(state="done", finished_at=clock.now)
    await inbox._execute(statement)
    await inbox.put(share(2000))
    clock.pass_by(1)
    assert await inbox.purge(clock.now) == 1200
    assert await inbox.depth() == InboxDepth(1, BEGINNING)


async def test_depth_counts_one_workspace(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share(1, "T1"))
    clock.pass_by(5)
    await inbox.put(share(2, "T2"))
    await inbox.put(deletion(3, "T2"))
    [job] = await inbox.claim("one", 1, LEASE_S)
    await inbox.retry(job, 100)
    assert await inbox.depth(WorkspaceId("T1")) == InboxDepth(1, BEGINNING)
    assert await inbox.depth(WorkspaceId("T2")) == InboxDepth(2, BEGINNING + timedelta(seconds=5))
    assert await inbox.depth(WorkspaceId("T3")) == InboxDepth(0)


async def test_open_obligations_are_counted_by_kind(inbox: SqlInbox, clock: Clock) -> None:
    await inbox.put(share(1))
    assert (await inbox.open_obligations()).total == 0
    await inbox.put(deletion(1))
    clock.pass_by(5)
    await inbox.put(dataclasses.replace(deletion(2), kind=JobKind.UNINSTALL, channel="uninstall"))
    [job] = await inbox.claim("one", 1, LEASE_S)
    begun = await inbox.begin(job)
    assert begun is not None
    await inbox.retry(begun, 3600)
    found = await inbox.open_obligations()
    assert found.counts == {JobKind.FORGET: 1, JobKind.UNINSTALL: 1}
    assert (found.total, found.oldest, found.most_attempts) == (2, BEGINNING, 1)
    clock.pass_by(3600)
    for job in await inbox.claim("one", 9, LEASE_S):
        await inbox.finish(job)
    assert (await inbox.open_obligations()).total == 0

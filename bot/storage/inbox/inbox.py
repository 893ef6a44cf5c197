"""The inbox in SQL: a durable queue of jobs that workers lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Delete, Update, bindparam, case, insert, literal, select, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import (
    InboxDepth,
    Job,
    JobKind,
    LaneRoom,
    NewJob,
    OpenObligations,
    StoredShare,
    Unsharing,
    WorkerRoom,
)
from bot.storage.inbox import recovery
from bot.storage.inbox.claims import LaneQueue, Lease
from bot.storage.inbox.depth import read_depth, read_obligations
from bot.storage.inbox.job_notifier import JobNotifier, NullJobNotifier
from bot.storage.inbox.retention import delete_finished, delete_of_workspace
from bot.storage.inbox.rows import JobState, claimed_jobs, held, new_row
from bot.storage.inbox.withdrawals import Withdrawal, any_deleted, is_deleted, is_wanted, withdraw_unshared
from bot.storage.inbox.worker_registry import WorkerRegistry
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import inbox, inbox_files
from bot.storage.sql.sqlite import record_deletion
from bot.telemetry import traces

log = logging.getLogger(__name__)

ANSWER_LEASE_S = 15.0
"""Shortest lease of a job whose answer is about to be posted."""

MAX_DELAY_S = 6 * 3600.0
"""Longest delay before another attempt, whatever Slack asks for."""

_jobs, _files = inbox.c, inbox_files.c

# Slack waits for ``put``. Built once, these statements cost little more than the work of the driver.
_KNOWN_FILES = select(_files.file).where(
    _files.workspace == bindparam("of"), _files.channel == bindparam("among"), _files.message == bindparam("at")
)
_NEW_JOB, _NEW_FILE = insert(inbox), insert(inbox_files)

_NULL_NOTIFIER = NullJobNotifier()
_EVERYTHING = WorkerRoom()


class SqlInbox:
    """Implements ``storage.ports.inbox.Inbox``."""

    def __init__(
        self,
        database: Database,
        workers: WorkerRegistry,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        notifier: JobNotifier = _NULL_NOTIFIER,
    ) -> None:
        self._database = database
        self._workers = workers
        self._clock = clock
        self._notifier = notifier
        self._obligations, self._others = LaneQueue(obligations=True), LaneQueue(obligations=False)
        self._latest = datetime.min.replace(tzinfo=UTC)

    async def enter(self, owner: str) -> int:
        """Register an owner, and make the jobs of owners that are known to be dead due. Return how many these are.

        Their attempts count, because the job may have killed the process.
        """
        await asyncio.to_thread(self._workers.register, owner)
        await self._rebase_clock()
        dead = await asyncio.to_thread(self._workers.dead_workers)
        if not dead:
            return 0

        def work(connection: Connection) -> int:
            return recovery.release_of(connection, dead, self._clock(), uncounted=False)

        due = await self._database.write(work)
        await asyncio.to_thread(self._workers.unregister, *dead)
        return due

    async def put(self, job: NewJob) -> bool:
        """Store a job; it is durable on return. Return False if all its files were stored before."""
        place = {"workspace": job.workspace, "channel": job.channel, "message": job.message}
        trace = traces.current()

        def work(connection: Connection) -> bool:
            take_advisory_locks(connection, "put", ["\n".join(place.values())])
            where = {"of": job.workspace, "among": job.channel, "at": job.message}
            known = set(connection.execute(_KNOWN_FILES, where).scalars())
            files = [file for file in dict.fromkeys(job.files) if file not in known]
            if not files:
                return False
            key = connection.execute(_NEW_JOB, new_row(job, self._clock(), trace)).inserted_primary_key
            assert key is not None
            connection.execute(_NEW_FILE, [{**place, "job_id": key[0], "file": f, "withdrawn": False} for f in files])
            self._notifier.notify(connection)
            return True

        return await self._database.write(work, first=True)

    def arrivals(self) -> AsyncIterator[None]:
        """Yield, without end, when any process has stored a job. Notifications may be missing."""
        return self._notifier.listen()

    async def is_waiting(self, job: NewJob) -> bool:
        """Return whether a job of the same message waits that nobody has claimed yet."""
        of_message = (
            (_jobs.workspace == job.workspace) & (_jobs.channel == job.channel) & (_jobs.message == job.message)
        )
        query = select(_jobs.id).where(of_message, _jobs.state == JobState.WAITING, _jobs.attempts == 0).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first() is not None)

    async def claim(self, owner: str, limit: int, lease_s: float, room: WorkerRoom = _EVERYTHING) -> tuple[Job, ...]:
        """Lease up to ``limit`` jobs to the owner: obligations first, and from each workspace in turn its oldest.

        After ``lease_s`` seconds, others may claim them unless ``extend`` was called. ``begin`` counts an attempt.
        """
        if limit <= 0:
            return ()
        if self._clock() + timedelta(seconds=recovery.CLOCK_TOLERANCE_S) < self._latest:
            await self._rebase_clock()

        def is_any_due(connection: Connection) -> bool:
            if recovery.is_any_due(connection, self._now()):
                return True
            return self._obligations.is_any_ready(connection, room.obligations) or self._others.is_any_ready(
                connection, room.others
            )

        def work(connection: Connection) -> tuple[Job, ...]:
            lease = Lease(owner, self._now(), lease_s)
            recovery.recover_due(connection, lease.moment)
            rows = self._obligations.take(connection, _at_most(limit, room.obligations), lease)
            rows += self._others.take(connection, _at_most(limit - len(rows), room.others), lease)
            return claimed_jobs(connection, rows, owner)

        # Mostly nothing is due, and a read does not block writers.
        return await self._database.write(work) if await self._database.read(is_any_due) else ()

    async def begin(self, job: Job) -> Job | None:
        """Count an attempt of a claimed job, and return the job with it; None if somebody else has claimed it."""
        counted = held(job).values(attempts=_jobs.attempts + 1, begun=True).returning(_jobs.attempts)
        attempts = await self._database.write(lambda connection: connection.execute(counted).scalar())
        return None if attempts is None else replace(job, attempts=attempts)

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> frozenset[int]:
        """Extend the leases of the owner's jobs. Return those that it holds; others have claimed the rest since."""
        now = self._clock()
        own = update(inbox).where(_jobs.id.in_(jobs), _jobs.owner == owner, _jobs.state == JobState.RUNNING)
        extended = own.values(due_at=now + timedelta(seconds=lease_s), due_set_at=now).returning(_jobs.id)
        return frozenset(await self._database.write(lambda connection: connection.execute(extended).scalars().all()))

    async def mark_answering(self, job: Job) -> bool:
        """Record that an answer is about to be posted, so that a later attempt checks whether it was.

        Return False if somebody else has claimed the job. Otherwise its lease lasts ANSWER_LEASE_S at least.
        """
        now = self._clock()
        until = literal(now + timedelta(seconds=ANSWER_LEASE_S), _jobs.due_at.type)
        lasting = case((_jobs.due_at < until, until), else_=_jobs.due_at)
        return await self._execute(held(job).values(answering=True, due_at=lasting, due_set_at=now)) > 0

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """Mark a job as done or failed. Does nothing if somebody else has claimed it."""
        state = JobState.FAILED if failed else JobState.DONE
        # For privacy, don't keep what somebody asked, or the URL for the answer.
        payload = case((_jobs.kind == JobKind.REQUEST, ""), else_=_jobs.payload)
        await self._execute(held(job).values(state=state, owner="", finished_at=self._clock(), payload=payload))

    async def retry(self, job: Job, delay_s: float) -> None:
        """Give the job up and make it due again after the delay. Does nothing if somebody else has claimed it."""
        now = self._clock()
        due_at = now + timedelta(seconds=min(delay_s, MAX_DELAY_S))
        await self._execute(
            held(job).values(state=JobState.DELAYED, owner="", begun=False, due_at=due_at, due_set_at=now)
        )

    async def release(self, owner: str) -> None:
        """Release all jobs of an owner that stops. Their last attempt doesn't count."""

        def work(connection: Connection) -> int:
            return recovery.release_of(connection, [owner], self._clock(), uncounted=True)

        await self._database.write(work)
        await asyncio.to_thread(self._workers.unregister, owner)

    async def withdraw(
        self,
        workspace: WorkspaceId,
        *,
        file: str = "",
        channel: str = "",
        message: str = "",
        whole_channel: bool = False,
        kept: Collection[tuple[str, str]] = (),
    ) -> None:
        """Record that a file, message or whole channel was deleted, so that its files are not processed any more.

        ``kept`` are channels with messages that still have the file.
        """
        withdrawal = Withdrawal(
            workspace=workspace, file=file, channel=channel, message=message, whole_channel=whole_channel, kept=kept
        )
        await self._database.write(withdrawal.apply)

    async def withdraw_unshared(self, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> None:
        """Record what a job found out about an unsharing, so that nothing is added from the messages that it ended."""
        await self._database.write(lambda connection: withdraw_unshared(connection, job, workspace, unsharing))

    async def is_wanted(self, job: int, file: str) -> bool:
        """Return whether the file of a job was neither withdrawn nor deleted. Inside a unit, this takes the write lock.

        A deletion or an unsharing may have arrived before the share.
        """
        return await self._database.write(lambda connection: is_wanted(connection, job, file))

    async def is_deleted(self, workspace: WorkspaceId, file: str, channel: str = "", message: str = "") -> bool:
        """Return whether the deletion of a file, its message or its channel has arrived, or its unsharing was handled.

        Inside a unit, this takes the write lock.
        """
        return await self._database.write(lambda connection: is_deleted(connection, workspace, file, channel, message))

    async def any_deleted(self, workspace: WorkspaceId, places: Collection[tuple[str, str, str]]) -> bool:
        """Return whether one of several files, given with channel and message, was deleted, as ``is_deleted`` says."""
        return await self._database.write(lambda connection: any_deleted(connection, workspace, places))

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """Return the newest file that was shared in the channel and not withdrawn."""
        query = (
            select(_files.message, _files.file, _jobs.payload)
            .join_from(inbox_files, inbox)
            .where(_files.workspace == workspace, _files.channel == channel)
            .where(_jobs.kind == JobKind.SHARE, _files.withdrawn.is_(False))
            .order_by(_files.message.desc(), _files.file.desc())
            .limit(1)
        )
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else StoredShare(*row)

    async def depth(self, workspace: WorkspaceId | None = None) -> InboxDepth:
        """Return the number of unfinished jobs, of all workspaces or one, and when the oldest was stored."""
        return await self._database.read(lambda connection: read_depth(connection, workspace))

    async def open_obligations(self) -> OpenObligations:
        """Return the unfinished jobs that fulfil promises. Writes nothing."""
        return await self._database.read(read_obligations)

    async def purge(self, before: datetime) -> int:
        """Delete jobs that finished before a moment, in small transactions. Return how many."""
        return await self._delete_in_batches(delete_finished(before))

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all jobs of a workspace except running ones of kind UNINSTALL, in small transactions."""
        await self._delete_in_batches(delete_of_workspace(workspace))

    async def _delete_in_batches(self, batch: Delete) -> int:
        def work(connection: Connection) -> int:
            if count := connection.execute(batch).rowcount:
                record_deletion(connection)
            return count

        deleted = 0
        while count := await self._database.write(work):
            deleted += count
        return deleted

    async def _rebase_clock(self) -> None:
        """Let delays and leases begin now that were computed before the clock was set back."""
        self._latest = self._clock()
        while await self._database.write(lambda connection: recovery.rebase_clock(connection, self._latest)):
            log.warning("the clock was set back: delays and leases of jobs begin again")

    def _now(self) -> datetime:
        now = self._clock()
        self._latest = max(self._latest, now)
        return now

    async def _execute(self, statement: Update | Delete) -> int:
        """Execute an update or a delete. Return how many rows it changed."""

        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return await self._database.write(work)


def _at_most(limit: int, room: LaneRoom) -> LaneRoom:
    return replace(room, free=min(room.free, limit))

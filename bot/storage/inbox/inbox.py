"""The inbox in SQL: a durable queue of jobs that workers lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, case, delete, exists, func, insert, literal, select, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, JobKind, NewJob, StoredShare
from bot.storage.inbox.job_notifier import JobNotifier, NullJobNotifier
from bot.storage.inbox.worker_registry import WorkerRegistry
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import inbox, inbox_files

REQUEST_PRIORITY_S = 60.0
"""Requests are claimed before shares of the last minute, because somebody waits for the answer."""

ANSWER_SETTLE_S = 3.0
"""Delay before a dead process's job is retried if it was posting an answer. The answer may not be visible yet."""


class _State(StrEnum):
    WAITING = "waiting"
    """Can be claimed from ``due_at`` on."""
    RUNNING = "running"
    """Leased to its owner until ``due_at``; can be claimed afterwards."""
    DONE = "done"
    FAILED = "failed"


_UNFINISHED = (_State.WAITING, _State.RUNNING)
_jobs, _files = inbox.c, inbox_files.c

# Slack waits for ``put``, and workers poll for due jobs. Built once, these statements cost little more than the work of
# the driver.
_KNOWN_FILES = select(_files.file).where(
    _files.workspace == bindparam("of"), _files.channel == bindparam("among"), _files.message == bindparam("at")
)
_NEW_JOB, _NEW_FILE = insert(inbox), insert(inbox_files)
_IS_DUE = select(_jobs.id).where(_jobs.state == bindparam("state"), _jobs.due_at <= bindparam("moment")).limit(1)
_DUE = (
    select(inbox)
    .where(_jobs.state == bindparam("state"), _jobs.due_at <= bindparam("moment"))
    .order_by(_jobs.due_at, _jobs.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)  # concurrent workers claim different jobs
)
_TAKE = (
    update(inbox)
    .where(_jobs.id.in_(bindparam("some", expanding=True)))
    .values(state=_State.RUNNING, attempts=_jobs.attempts + 1, owner=bindparam("by"), due_at=bindparam("until"))
)
_FILES_OF = (
    select(_files.job_id, _files.file)
    .where(_files.job_id.in_(bindparam("some", expanding=True)))
    .order_by(_files.job_id, _files.file)
)


_NULL_NOTIFIER = NullJobNotifier()


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

    async def enter(self, owner: str) -> int:
        """Register an owner, and make the jobs of owners that are known to be dead due. Return how many these are.

        Their attempts count, because the job may have killed the process.
        """
        await asyncio.to_thread(self._workers.register, owner)
        dead = await asyncio.to_thread(self._workers.dead_workers)
        if not dead:
            return 0
        due = await self._execute(_release_running(self._clock()).where(_jobs.owner.in_(dead)))
        await asyncio.to_thread(self._workers.unregister, *dead)
        return due

    async def put(self, job: NewJob) -> bool:
        """Store a job; it is durable on return. Return False if all its files were stored before."""
        place = {"workspace": job.workspace, "channel": job.channel, "message": job.message}

        def work(connection: Connection) -> bool:
            take_advisory_locks(connection, "put", ["\n".join(place.values())])
            where = {"of": job.workspace, "among": job.channel, "at": job.message}
            known = set(connection.execute(_KNOWN_FILES, where).scalars())
            files = [file for file in dict.fromkeys(job.files) if file not in known]
            if not files:
                return False
            key = connection.execute(_NEW_JOB, {**place, **_columns_of(job, self._clock())}).inserted_primary_key
            assert key is not None
            connection.execute(_NEW_FILE, [{**place, "job_id": key[0], "file": f, "withdrawn": False} for f in files])
            self._notifier.notify(connection)
            return True

        return await self._database.write(work)

    def arrivals(self) -> AsyncIterator[None]:
        """Yield, without end, when any process has stored a job. Notifications may be missing."""
        return self._notifier.listen()

    async def has_seen(self, job: NewJob) -> bool:
        """Return whether all files of the job were stored before and not purged since."""
        where = {"of": job.workspace, "among": job.channel, "at": job.message}
        known = await self._database.read(lambda connection: set(connection.execute(_KNOWN_FILES, where).scalars()))
        return known.issuperset(job.files)

    async def is_waiting(self, job: NewJob) -> bool:
        """Return whether a job of the same message waits that nobody has claimed yet."""
        of_message = (
            (_jobs.workspace == job.workspace) & (_jobs.channel == job.channel) & (_jobs.message == job.message)
        )
        query = select(_jobs.id).where(of_message, _jobs.state == _State.WAITING, _jobs.attempts == 0).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first() is not None)

    async def claim(self, owner: str, limit: int, lease_s: float) -> tuple[Job, ...]:
        """Lease up to ``limit`` due jobs to the owner, oldest first, and count an attempt of each.

        After ``lease_s`` seconds, others may claim them unless ``extend`` was called.
        """

        def any_due(connection: Connection) -> bool:
            moment = self._clock()
            return any(connection.execute(_IS_DUE, {"state": state, "moment": moment}).first() for state in _UNFINISHED)

        def work(connection: Connection) -> tuple[Job, ...]:
            moment = self._clock()
            rows: list[Row[Any]] = []
            # Jobs that were running before are older than those that wait.
            for state in (_State.RUNNING, _State.WAITING):
                rows += connection.execute(_DUE, {"state": state, "moment": moment, "most": limit - len(rows)})
            taken = {"some": [row.id for row in rows], "by": owner, "until": moment + timedelta(seconds=lease_s)}
            connection.execute(_TAKE, taken)
            return tuple(_claimed_jobs(connection, rows, owner))

        # Mostly nothing is due, and a read does not block writers.
        return await self._database.write(work) if limit > 0 and await self._database.read(any_due) else ()

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> None:
        """Extend the leases of the owner's jobs. Jobs that others have claimed since are left alone."""
        until = self._clock() + timedelta(seconds=lease_s)
        held = update(inbox).where(_jobs.id.in_(jobs), _jobs.owner == owner, _jobs.state == _State.RUNNING)
        await self._execute(held.values(due_at=until))

    async def mark_answering(self, job: Job) -> bool:
        """Record that an answer is about to be posted, so that a later attempt checks whether it was.

        Return False if the lease has expired and somebody else has claimed the job.
        """
        return await self._execute(_held(job).values(answering=True)) > 0

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """Mark a job as done or failed. Does nothing if somebody else has claimed it."""
        state = _State.FAILED if failed else _State.DONE
        # For privacy, don't keep what somebody asked, or the URL for the answer.
        payload = case((_jobs.kind == JobKind.REQUEST, ""), else_=_jobs.payload)
        await self._execute(_held(job).values(state=state, owner="", finished_at=self._clock(), payload=payload))

    async def retry(self, job: Job, delay_s: float) -> None:
        """Give the job up and make it due again after the delay. Does nothing if somebody else has claimed it."""
        due_at = self._clock() + timedelta(seconds=delay_s)
        await self._execute(_held(job).values(state=_State.WAITING, owner="", due_at=due_at))

    async def release(self, owner: str) -> None:
        """Release all jobs of an owner that stops. Their last attempt doesn't count."""
        held = update(inbox).where(_jobs.owner == owner, _jobs.state == _State.RUNNING)
        await self._execute(
            held.values(state=_State.WAITING, owner="", due_at=self._clock(), attempts=_jobs.attempts - 1)
        )
        await asyncio.to_thread(self._workers.unregister, owner)

    async def withdraw(self, workspace: WorkspaceId, *, file: str = "", channel: str = "", message: str = "") -> None:
        """Record that a file or message was deleted, so that its files are not processed any more."""
        if not file and not (channel and message):
            raise ValueError("Name the file or the message to withdraw.")
        wanted = [_files.workspace == workspace]
        for column, value in ((_files.file, file), (_files.channel, channel), (_files.message, message)):
            if value:
                wanted.append(column == value)
        still_wanted = exists().where(_files.job_id == _jobs.id, _files.withdrawn.is_(False))
        jobs = select(_files.job_id).where(*wanted)
        # If no file is left, delete the text of the message too.
        emptied = update(inbox).where(_jobs.id.in_(jobs), _jobs.kind == JobKind.SHARE, ~still_wanted)
        # Without the lock, two calls that each withdraw one file of a message would each see the other file as wanted.
        lock = select(_jobs.id).where(_jobs.id.in_(jobs)).order_by(_jobs.id).with_for_update()

        def work(connection: Connection) -> None:
            connection.execute(lock)
            connection.execute(update(inbox_files).where(*wanted).values(withdrawn=True))
            connection.execute(emptied.values(payload=""))

        await self._database.write(work)

    async def is_wanted(self, job: int, file: str) -> bool:
        """Return whether the file of a job was not withdrawn. Inside a unit, this takes the write lock."""
        # A write with a row lock, so that no withdrawal happens between this check and the add that follows it.
        query = select(_files.withdrawn).where(_files.job_id == job, _files.file == file).with_for_update(read=True)
        withdrawn = await self._database.write(lambda connection: connection.execute(query).scalar())
        return withdrawn is False

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

    async def depth(self) -> InboxDepth:
        """Return the number of unfinished jobs and when the oldest was stored."""
        query = select(func.count(), func.min(_jobs.created_at)).where(_jobs.state.in_(_UNFINISHED))
        return InboxDepth(*await self._database.read(lambda connection: connection.execute(query).one()))

    async def purge(self, before: datetime) -> int:
        """Delete jobs that finished before a moment. Return how many."""
        done = delete(inbox).where(_jobs.finished_at < before)
        return await self._database.write(lambda connection: connection.execute(done).rowcount)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all jobs of a workspace except running ones of kind UNINSTALL."""
        uninstalling = (_jobs.kind == JobKind.UNINSTALL) & (_jobs.state == _State.RUNNING)
        jobs = delete(inbox).where(_jobs.workspace == workspace, ~uninstalling)

        def work(connection: Connection) -> None:
            connection.execute(jobs)

        await self._database.write(work)

    async def _execute(self, statement: Update) -> int:
        """Execute an update. Return how many rows it changed."""

        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return await self._database.write(work)


def release_all_jobs(connection: Connection, moment: datetime) -> None:
    """Make all running jobs due, because no owner is alive."""
    connection.execute(_release_running(moment))


def _release_running(moment: datetime) -> Update:
    """Return an update that makes running jobs due."""
    now, settled = (literal(moment + timedelta(seconds=wait), _jobs.due_at.type) for wait in (0, ANSWER_SETTLE_S))
    running = update(inbox).where(_jobs.state == _State.RUNNING)
    return running.values(due_at=case((_jobs.answering, settled), else_=now))


def _held(job: Job) -> Update:
    """Return an update of a job that changes nothing if somebody else has claimed it."""
    return update(inbox).where(_jobs.id == job.id, _jobs.owner == job.owner, _jobs.state == _State.RUNNING)


def _columns_of(job: NewJob, moment: datetime) -> dict[str, Any]:
    return {
        "kind": job.kind,
        "enterprise": job.enterprise,
        "payload": job.payload,
        "state": _State.WAITING,
        "attempts": 0,
        "answering": False,
        "owner": "",
        "due_at": moment - timedelta(seconds=REQUEST_PRIORITY_S if job.kind is JobKind.REQUEST else 0),
        "created_at": moment,
    }


def _claimed_jobs(connection: Connection, rows: Sequence[Row[Any]], owner: str) -> Iterable[Job]:
    files: dict[int, list[str]] = {row.id: [] for row in rows}
    for job_id, file in connection.execute(_FILES_OF, {"some": list(files)}):
        files[job_id].append(file)
    for row in rows:
        yield Job(
            id=row.id,
            kind=JobKind(row.kind),
            workspace=WorkspaceId(row.workspace),
            enterprise=row.enterprise,
            channel=row.channel,
            message=row.message,
            files=tuple(files[row.id]),
            payload=row.payload,
            attempts=row.attempts + 1,
            answering=row.answering,
            owner=owner,
        )

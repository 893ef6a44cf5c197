"""The inbox in SQL: what Slack delivered, kept until it is done."""

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

AHEAD_S = 60.0
"""Somebody waits for the answer to a request: it comes before the shares of the last minute."""

SETTLES_S = 3.0
"""An answer that a process sent off as it died may still be on its way: its thread is read this much later."""


class _State(StrEnum):
    WAITING = "waiting"
    """Due at ``due_at``."""
    RUNNING = "running"
    """Its owner's until ``due_at``; then anybody's."""
    DONE = "done"
    FAILED = "failed"


_UNFINISHED = (_State.WAITING, _State.RUNNING)
_jobs, _files = inbox.c, inbox_files.c

# Slack waits for a put, and a worker asks often whether anything is due: made once, they cost the driver's own work.
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
    .with_for_update(skip_locked=True)  # where several may write at once, each takes others
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
        """An owner begins. What owners of this data directory held as they died is due; how many jobs that are.

        The attempt counts: it may be what they died of.
        """
        await asyncio.to_thread(self._workers.register, owner)
        dead = await asyncio.to_thread(self._workers.dead_workers)
        if not dead:
            return 0
        due = await self._change(_let_fall(self._clock()).where(_jobs.owner.in_(dead)))
        await asyncio.to_thread(self._workers.unregister, *dead)
        return due

    async def put(self, job: NewJob) -> bool:
        """Keep the job; when this returns it survives a crash. False if all its files were known already."""
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
        """Goes on for ever; a turn of it says that some process has put something. It may be silent."""
        return self._notifier.listen()

    async def has_seen(self, job: NewJob) -> bool:
        """Whether all its files were put earlier, and not purged since."""
        where = {"of": job.workspace, "among": job.channel, "at": job.message}
        known = await self._database.read(lambda connection: set(connection.execute(_KNOWN_FILES, where).scalars()))
        return known.issuperset(job.files)

    async def is_waiting(self, job: NewJob) -> bool:
        """Whether nobody has taken it up yet, or anything else of its message."""
        of_it = (_jobs.workspace == job.workspace) & (_jobs.channel == job.channel) & (_jobs.message == job.message)
        query = select(_jobs.id).where(of_it, _jobs.state == _State.WAITING, _jobs.attempts == 0).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first() is not None)

    async def claim(self, owner: str, limit: int, lease_s: float) -> tuple[Job, ...]:
        """Take up what is due, oldest first, and count an attempt. Without ``extend``, others may after the lease."""

        def look(connection: Connection) -> bool:
            moment = self._clock()
            return any(connection.execute(_IS_DUE, {"state": state, "moment": moment}).first() for state in _UNFINISHED)

        def work(connection: Connection) -> tuple[Job, ...]:
            moment = self._clock()
            rows: list[Row[Any]] = []
            # What was taken up before and let fall is older than what waits.
            for state in (_State.RUNNING, _State.WAITING):
                rows += connection.execute(_DUE, {"state": state, "moment": moment, "most": limit - len(rows)})
            taken = {"some": [row.id for row in rows], "by": owner, "until": moment + timedelta(seconds=lease_s)}
            connection.execute(_TAKE, taken)
            return tuple(_taken_up(connection, rows, owner))

        # Mostly nothing is due, and then nobody who writes has to wait for this.
        return await self._database.write(work) if limit > 0 and await self._database.read(look) else ()

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> None:
        """Keep jobs for longer; those that another has taken up since are its own."""
        until = self._clock() + timedelta(seconds=lease_s)
        held = update(inbox).where(_jobs.id.in_(jobs), _jobs.owner == owner, _jobs.state == _State.RUNNING)
        await self._change(held.values(due_at=until))

    async def mark_answering(self, job: Job) -> bool:
        """An answer is about to be posted: whoever takes the job up again has to look whether it was.

        False if somebody has taken it up already, since this process was held up for longer than its lease.
        """
        return await self._change(_held(job).values(answering=True)) > 0

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """The job is done, or was given up; nothing happens if somebody else has taken it up since."""
        state = _State.FAILED if failed else _State.DONE
        # What somebody asked, and the address for the answer, are nobody's business any more.
        payload = case((_jobs.kind == JobKind.REQUEST, ""), else_=_jobs.payload)
        await self._change(_held(job).values(state=state, owner="", finished_at=self._clock(), payload=payload))

    async def retry(self, job: Job, delay_s: float) -> None:
        """Let go of the job; it is due again after the delay. Nothing happens to one that is somebody else's by now."""
        due_at = self._clock() + timedelta(seconds=delay_s)
        await self._change(_held(job).values(state=_State.WAITING, owner="", due_at=due_at))

    async def release(self, owner: str) -> None:
        """Let go of all that this owner holds, without counting the attempt: it stops."""
        held = update(inbox).where(_jobs.owner == owner, _jobs.state == _State.RUNNING)
        await self._change(
            held.values(state=_State.WAITING, owner="", due_at=self._clock(), attempts=_jobs.attempts - 1)
        )
        await asyncio.to_thread(self._workers.unregister, owner)

    async def withdraw(self, workspace: WorkspaceId, *, file: str = "", channel: str = "", message: str = "") -> None:
        """The file (or the message) was deleted: nothing is to be made of it any more."""
        if not file and not (channel and message):
            raise ValueError("A file or a message is withdrawn, never all of them.")
        wanted = [_files.workspace == workspace]
        for column, value in ((_files.file, file), (_files.channel, channel), (_files.message, message)):
            if value:
                wanted.append(column == value)
        still_wanted = exists().where(_files.job_id == _jobs.id, _files.withdrawn.is_(False))
        jobs = select(_files.job_id).where(*wanted)
        # What was said with it goes with it.
        emptied = update(inbox).where(_jobs.id.in_(jobs), _jobs.kind == JobKind.SHARE, ~still_wanted)
        # Or two that withdraw a file each of one message take the other's for wanted.
        one_by_one = select(_jobs.id).where(_jobs.id.in_(jobs)).order_by(_jobs.id).with_for_update()

        def work(connection: Connection) -> None:
            connection.execute(one_by_one)
            connection.execute(update(inbox_files).where(*wanted).values(withdrawn=True))
            connection.execute(emptied.values(payload=""))

        await self._database.write(work)

    async def is_wanted(self, job: int, file: str) -> bool:
        """Whether the file of the job was not withdrawn; inside a unit, with the write lock held."""
        # As a writer that has the row: who looks and then adds would otherwise miss a withdrawal in between.
        query = select(_files.withdrawn).where(_files.job_id == job, _files.file == file).with_for_update(read=True)
        withdrawn = await self._database.write(lambda connection: connection.execute(query).scalar())
        return withdrawn is False

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """The newest file that was shared in the channel and not withdrawn."""
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
        """What is not done yet."""
        query = select(func.count(), func.min(_jobs.created_at)).where(_jobs.state.in_(_UNFINISHED))
        return InboxDepth(*await self._database.read(lambda connection: connection.execute(query).one()))

    async def purge(self, before: datetime) -> int:
        """Forget what was done earlier than that; how many jobs went."""
        done = delete(inbox).where(_jobs.finished_at < before)
        return await self._database.write(lambda connection: connection.execute(done).rowcount)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Drop all jobs of a workspace but those of kind UNINSTALL that are under way."""
        under_way = (_jobs.kind == JobKind.UNINSTALL) & (_jobs.state == _State.RUNNING)
        gone = delete(inbox).where(_jobs.workspace == workspace, ~under_way)

        def work(connection: Connection) -> None:
            connection.execute(gone)

        await self._database.write(work)

    async def _change(self, statement: Update) -> int:
        """How many rows it changed."""

        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return await self._database.write(work)


def release_all_jobs(connection: Connection, moment: datetime) -> None:
    """Whoever held anything is dead, and it is due."""
    connection.execute(_let_fall(moment))


def _let_fall(moment: datetime) -> Update:
    """All that is under way is due."""
    now, settled = (literal(moment + timedelta(seconds=wait), _jobs.due_at.type) for wait in (0, SETTLES_S))
    under_way = update(inbox).where(_jobs.state == _State.RUNNING)
    return under_way.values(due_at=case((_jobs.answering, settled), else_=now))


def _held(job: Job) -> Update:
    """The job, if nobody else has taken it up since."""
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
        "due_at": moment - timedelta(seconds=AHEAD_S if job.kind is JobKind.REQUEST else 0),
        "created_at": moment,
    }


def _taken_up(connection: Connection, rows: Sequence[Row[Any]], owner: str) -> Iterable[Job]:
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

"""An in-memory inbox that implements ``ports.inbox.Inbox``. Tests set its clock and inspect its jobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import (
    ANY,
    InboxDepth,
    Job,
    JobKind,
    LaneRoom,
    NewJob,
    OpenObligations,
    StoredShare,
    Unsharing,
    WorkerRoom,
    deletion_key,
)

BEGINNING = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(slots=True)
class StoredJob:
    """One job. ``state``: waiting, running, done or failed. ``begun``: the owner has begun it."""

    job: Job
    due: datetime
    created: datetime
    state: str = "waiting"
    owner: str = ""
    begun: bool = False
    finished: datetime | None = None
    withdrawn: set[str] = field(default_factory=set)


class MemoryInbox:
    """An ``Inbox`` in memory. If ``failing`` is set, every call raises it."""

    def __init__(self) -> None:
        self.now = BEGINNING
        self.kept: dict[int, StoredJob] = {}
        self.unsharings: dict[int, tuple[WorkspaceId, Unsharing]] = {}
        self.failing: Exception | None = None
        self.claims: list[int] = []
        self.retries: list[tuple[int, float]] = []
        self.extended: list[tuple[int, ...]] = []
        self.released: list[str] = []
        self.entered: list[str] = []
        self.left = 0
        """Number of jobs of dead workers that ``enter`` finds."""
        self._number = 0
        self.arrived = asyncio.Event()
        """Set it to notify a worker of a job from another process."""

    def states(self) -> list[str]:
        """Return the states of all jobs, oldest first."""
        return [kept.state for kept in self.kept.values()]

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)

    async def put(self, job: NewJob) -> bool:
        self._fail()
        where = (job.workspace, job.channel, job.message)
        known = {
            file
            for kept in self.kept.values()
            if (kept.job.workspace, kept.job.channel, kept.job.message) == where
            for file in kept.job.files
        }
        files = tuple(file for file in dict.fromkeys(job.files) if file not in known)
        if not files:
            return False
        self._number += 1
        identity = (self._number, job.kind, job.workspace, job.enterprise, job.channel, job.message)
        one = Job(*identity, files, job.payload, attempts=0, created_at=self.now)
        self.kept[one.id] = StoredJob(one, self.now, self.now)
        return True

    async def arrivals(self) -> AsyncIterator[None]:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            yield

    async def enter(self, owner: str) -> int:
        self._fail()
        self.entered.append(owner)
        return self.left

    async def is_waiting(self, job: NewJob) -> bool:
        self._fail()
        where = (job.workspace, job.channel, job.message)
        same = [
            kept for kept in self.kept.values() if (kept.job.workspace, kept.job.channel, kept.job.message) == where
        ]
        return any(kept.state == "waiting" and not kept.job.attempts for kept in same)

    async def claim(
        self,
        owner: str,
        limit: int,
        lease_s: float,
        room: WorkerRoom = WorkerRoom(),  # noqa: B008 - it is frozen
    ) -> tuple[Job, ...]:
        self._fail()
        self.claims.append(min(limit, room.others.free, room.others.most_each))
        taken = self._take(True, room.obligations, limit)
        taken += self._take(False, room.others, limit - len(taken))
        for kept in taken:
            kept.state, kept.owner, kept.due = "running", owner, self.now + timedelta(seconds=lease_s)
            kept.begun, kept.job = False, replace(kept.job, owner=owner)
        return tuple(kept.job for kept in taken)

    def _take(self, obligations: bool, room: LaneRoom, limit: int) -> list[StoredJob]:
        due = [kept for kept in self.kept.values() if kept.state in {"waiting", "running"} and kept.due <= self.now]
        taken: list[StoredJob] = []
        running = Counter(room.running)
        for kept in sorted(due, key=lambda kept: (kept.due, kept.job.id)):
            fits = running[kept.job.workspace] < room.most_each and len(taken) < min(room.free, limit)
            if fits and kept.job.kind.is_obligation is obligations:
                running[kept.job.workspace] += 1
                taken.append(kept)
        return taken

    async def begin(self, job: Job) -> Job | None:
        if (kept := self._held(job)) is None:
            return None
        kept.begun, kept.job = True, replace(kept.job, attempts=kept.job.attempts + 1)
        return kept.job

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> frozenset[int]:
        self._fail()
        self.extended.append(tuple(jobs))
        held = {job for job in jobs if (self.kept[job].state, self.kept[job].owner) == ("running", owner)}
        for job in held:
            self.kept[job].due = self.now + timedelta(seconds=lease_s)
        return frozenset(held)

    async def mark_answering(self, job: Job) -> bool:
        kept = self._held(job)
        if kept is not None:
            kept.job = replace(kept.job, answering=True)
        return kept is not None

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        if kept := self._held(job):
            kept.state, kept.owner, kept.finished = "failed" if failed else "done", "", self.now

    async def retry(self, job: Job, delay_s: float) -> None:
        if kept := self._held(job):
            self.retries.append((job.id, delay_s))
            kept.state, kept.owner, kept.due = "waiting", "", self.now + timedelta(seconds=delay_s)

    def _held(self, job: Job) -> StoredJob | None:
        self._fail()
        kept = self.kept.get(job.id)
        return kept if kept and (kept.state, kept.owner) == ("running", job.owner) else None

    async def release(self, owner: str) -> None:
        self._fail()
        self.released.append(owner)
        for kept in self.kept.values():
            if (kept.state, kept.owner) == ("running", owner):
                kept.state, kept.owner, kept.due = "waiting", "", self.now
                kept.job = replace(kept.job, attempts=kept.job.attempts - kept.begun)

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
        self._fail()
        assert file or message or whole_channel
        for one in self.kept.values():
            job = one.job
            is_meant = job.workspace == workspace and channel in {"", job.channel} and message in {"", job.message}
            if is_meant and (job.channel, job.message) not in kept:
                one.withdrawn.update(name for name in job.files if file in {"", name})

    async def withdraw_unshared(self, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> None:
        self._fail()
        self.unsharings[job] = (workspace, unsharing)

    async def is_wanted(self, job: int, file: str) -> bool:
        self._fail()
        kept = self.kept.get(job)
        if kept is None or file not in kept.job.files or file in kept.withdrawn:
            return False
        return not await self.is_deleted(kept.job.workspace, file, kept.job.channel, kept.job.message)

    async def any_deleted(self, workspace: WorkspaceId, places: Collection[tuple[str, str, str]]) -> bool:
        return any([await self.is_deleted(workspace, *place) for place in places])

    async def is_deleted(self, workspace: WorkspaceId, file: str, channel: str = "", message: str = "") -> bool:
        self._fail()
        keys = {(deletion_key(), ANY, (file,))}
        if channel:
            keys |= {(deletion_key(channel), one, (ANY,)) for one in (ANY, message or ANY)}
        jobs = (one.job for one in self.kept.values() if one.job.workspace == workspace)
        return any((job.channel, job.message, job.files) in keys for job in jobs) or any(
            (of, unsharing.file) == (workspace, file) and unsharing.ends(channel, message)
            for of, unsharing in self.unsharings.values()
        )

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        self._fail()
        shares = [
            StoredShare(kept.job.message, file, kept.job.payload)
            for kept in self.kept.values()
            if (kept.job.kind, kept.job.workspace, kept.job.channel) == (JobKind.SHARE, workspace, channel)
            for file in kept.job.files
            if file not in kept.withdrawn
        ]
        return max(shares, key=lambda share: (share.message, share.file), default=None)

    async def depth(self, workspace: WorkspaceId | None = None) -> InboxDepth:
        self._fail()
        of = [kept for kept in self.kept.values() if workspace in {None, kept.job.workspace}]
        waiting = [kept.created for kept in of if kept.finished is None]
        return InboxDepth(len(waiting), min(waiting, default=None))

    async def open_obligations(self) -> OpenObligations:
        self._fail()
        kept = [one for one in self.kept.values() if one.finished is None and one.job.kind.is_obligation]
        return OpenObligations(
            Counter(one.job.kind for one in kept),
            min((one.created for one in kept), default=None),
            max((one.job.attempts for one in kept), default=0),
        )

    async def purge(self, before: datetime) -> int:
        self._fail()
        old = [job for job, kept in self.kept.items() if kept.finished is not None and kept.finished < before]
        for job in old:
            del self.kept[job]
        return len(old)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        self._fail()
        for job, kept in list(self.kept.items()):
            under_way = kept.job.kind is JobKind.UNINSTALL and kept.state == "running"
            if kept.job.workspace == workspace and not under_way:
                del self.kept[job]

    def _fail(self) -> None:
        if self.failing:
            raise self.failing


def share(number: int, workspace: str = "T1") -> NewJob:
    """Return a share of one file. Each number gives another share."""
    message = f"1700000000.{number:06d}"
    return NewJob(JobKind.SHARE, WorkspaceId(workspace), "", "C1", message, (f"F{number}",), "{}")

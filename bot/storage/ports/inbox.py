"""The port of the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, NewJob, OpenObligations, StoredShare, Unsharing, WorkerRoom


class Inbox(Protocol):
    """The durable queue of jobs. A job is leased to one owner (a worker process) at a time."""

    async def put(self, job: NewJob) -> bool:
        """Store a job; it is durable on return. Return False if all its files were stored before."""
        ...

    def arrivals(self) -> AsyncIterator[None]:
        """Yield, without end, when any process has stored a job.

        Notifications may be missing, so callers have to poll as well.
        """
        ...

    async def enter(self, owner: str) -> int:
        """Register an owner, and make the jobs of owners that are known to be dead due. Return how many these are."""
        ...

    async def is_waiting(self, job: NewJob) -> bool:
        """Return whether a job of the same message waits that nobody has claimed yet."""
        ...

    async def claim(self, owner: str, limit: int, lease_s: float, room: WorkerRoom = ...) -> tuple[Job, ...]:
        """Lease up to ``limit`` jobs to the owner: obligations first, and from each workspace in turn its oldest.

        After ``lease_s`` seconds, others may claim them unless ``extend`` was called. ``begin`` counts an attempt.
        """
        ...

    async def begin(self, job: Job) -> Job | None:
        """Count an attempt of a claimed job, and return the job with it; None if somebody else has claimed it."""
        ...

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> frozenset[int]:
        """Extend the leases of the owner's jobs. Return those that it holds; others have claimed the rest since."""
        ...

    async def mark_answering(self, job: Job) -> bool:
        """Record that an answer is about to be posted, so that a later attempt checks whether it was.

        Return False if the lease has expired and somebody else has claimed the job.
        """
        ...

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """Mark a job as done or failed. Does nothing if somebody else has claimed it."""
        ...

    async def retry(self, job: Job, delay_s: float) -> None:
        """Give the job up and make it due again after the delay. Does nothing if somebody else has claimed it."""
        ...

    async def release(self, owner: str) -> None:
        """Release all jobs of an owner that stops. Their last attempt doesn't count."""
        ...

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
        ...

    async def withdraw_unshared(self, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> None:
        """Record what a job found out about an unsharing, so that nothing is added from the messages that it ended."""
        ...

    async def is_wanted(self, job: int, file: str) -> bool:
        """Return whether the file of a job was neither withdrawn nor deleted. Inside a unit, this takes the write lock.

        A deletion or an unsharing may have arrived before the share.
        """
        ...

    async def is_deleted(self, workspace: WorkspaceId, file: str, channel: str = "", message: str = "") -> bool:
        """Return whether the deletion of a file, its message or its channel has arrived, or its unsharing was handled.

        Inside a unit, this takes the write lock.
        """
        ...

    async def any_deleted(self, workspace: WorkspaceId, places: Collection[tuple[str, str, str]]) -> bool:
        """Return whether one of several files, given with channel and message, was deleted, as ``is_deleted`` says."""
        ...

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """Return the newest file that was shared in the channel and not withdrawn."""
        ...

    async def depth(self, workspace: WorkspaceId | None = None) -> InboxDepth:
        """Return the number of unfinished jobs, of all workspaces or one, and when the oldest was stored."""
        ...

    async def open_obligations(self) -> OpenObligations:
        """Return the unfinished jobs that fulfil promises. Writes nothing."""
        ...

    async def purge(self, before: datetime) -> int:
        """Delete jobs that finished before a moment, in small transactions. Return how many."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all jobs of a workspace except running ones of kind UNINSTALL, in small transactions."""
        ...

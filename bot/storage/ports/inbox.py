"""The port of the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, NewJob, StoredShare


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

    async def has_seen(self, job: NewJob) -> bool:
        """Return whether all files of the job were stored before and not purged since."""
        ...

    async def is_waiting(self, job: NewJob) -> bool:
        """Return whether a job of the same message waits that nobody has claimed yet."""
        ...

    async def claim(self, owner: str, limit: int, lease_s: float) -> tuple[Job, ...]:
        """Lease up to ``limit`` due jobs to the owner, oldest first, and count an attempt of each.

        After ``lease_s`` seconds, others may claim them unless ``extend`` was called.
        """
        ...

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> None:
        """Extend the leases of the owner's jobs."""
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

    async def withdraw(self, workspace: WorkspaceId, *, file: str = "", channel: str = "", message: str = "") -> None:
        """Record that a file or message was deleted, so that its files are not processed any more."""
        ...

    async def is_wanted(self, job: int, file: str) -> bool:
        """Return whether the file of a job was not withdrawn. Inside a unit, this takes the write lock."""
        ...

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """Return the newest file that was shared in the channel and not withdrawn."""
        ...

    async def depth(self) -> InboxDepth:
        """Return the number of unfinished jobs and when the oldest was stored."""
        ...

    async def purge(self, before: datetime) -> int:
        """Delete jobs that finished before a moment. Return how many."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all jobs of a workspace except running ones of kind UNINSTALL."""
        ...

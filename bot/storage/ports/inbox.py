"""The port of the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, Job, NewJob, StoredShare


class Inbox(Protocol):
    """Work that Slack delivered, kept until it is done; each piece goes to one worker at a time."""

    async def put(self, job: NewJob) -> bool:
        """Keep the job; when this returns it survives a crash. False if all its files were known already."""
        ...

    def arrivals(self) -> AsyncIterator[None]:
        """Goes on for ever; a turn of it says that some process has put something. It may be silent: ask too."""
        ...

    async def enter(self, owner: str) -> int:
        """An owner begins. What owners held that are known to have died is due now; how many jobs that are."""
        ...

    async def has_seen(self, job: NewJob) -> bool:
        """Whether all its files were put earlier, and not purged since."""
        ...

    async def is_waiting(self, job: NewJob) -> bool:
        """Whether nobody has taken it up yet, or anything else of its message."""
        ...

    async def claim(self, owner: str, limit: int, lease_s: float) -> tuple[Job, ...]:
        """Take up what is due, oldest first, and count an attempt. Without ``extend``, others may after the lease."""
        ...

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> None:
        """Keep jobs for longer."""
        ...

    async def mark_answering(self, job: Job) -> bool:
        """An answer is about to be posted: whoever takes the job up again has to look whether it was.

        False if somebody has taken it up already, since this process was held up for longer than its lease.
        """
        ...

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """The job is done, or was given up; nothing happens if somebody else has taken it up since."""
        ...

    async def retry(self, job: Job, delay_s: float) -> None:
        """Let go of the job; it is due again after the delay. Nothing happens to one that is somebody else's by now."""
        ...

    async def release(self, owner: str) -> None:
        """Let go of all that this owner holds, without counting the attempt: it stops."""
        ...

    async def withdraw(self, workspace: WorkspaceId, *, file: str = "", channel: str = "", message: str = "") -> None:
        """The file (or the message) was deleted: nothing is to be made of it any more."""
        ...

    async def is_wanted(self, job: int, file: str) -> bool:
        """Whether the file of the job was not withdrawn; inside a unit, with the write lock held."""
        ...

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """The newest file that was shared in the channel and not withdrawn."""
        ...

    async def depth(self) -> InboxDepth:
        """What is not done yet."""
        ...

    async def purge(self, before: datetime) -> int:
        """Forget what was done earlier than that; how many jobs went."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Drop all jobs of a workspace but those of kind UNINSTALL that are under way."""
        ...

"""The ports of pending removals and of databases that are being deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PendingCounts:
    """The number of open removals, and of those that have failed at least once."""

    open: int
    failed: int


@dataclass(frozen=True, slots=True)
class ClaimedRemoval:
    """A removal that this process is making. ``claims`` identifies the claim."""

    id: int
    name: str
    claims: int


class PendingRemovals(Protocol):
    """What still has to be removed outside SQL. A removal is never given up; failures only delay it."""

    async def counts(self) -> PendingCounts:
        """Return how many removals are open, and how many of these have failed before."""
        ...

    async def forget_done(self) -> None:
        """Delete finished removals that are older than a day."""
        ...


class DeletedDatabases(Protocol):
    """Databases that were deleted and still have rows. Nobody sees these rows any more."""

    async def purge_some(self) -> int:
        """Delete a batch of rows in a short transaction. Return how many; 0 means that none are left."""
        ...

    async def remaining(self) -> int:
        """Return the number of images whose rows are still to be deleted."""
        ...

    async def scrub(self) -> bool:
        """Remove deleted content from SQLite's write-ahead log. Return False if readers kept it from finishing."""
        ...

    async def compact(self) -> bool:
        """Rewrite SQLite's file if anything was deleted from it. Return False if that has to be tried again."""
        ...

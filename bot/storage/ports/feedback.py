"""The ports of feedback: labels to learn from, what was learned, and counts of what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from bot.domain.channels.feedback import LearnedScores, ScoreModel, StoredLabel, UsageEvent, UsageOutcome, WeekCounts
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId


class Labels(Protocol):
    """What people said about matches. ``ports.moderation.Feedback`` records it."""

    async def of(self, key: DatabaseKey) -> tuple[StoredLabel, ...]:
        """Return the newest LABELS_USED labels of likeness, newest first. Raises UnknownDatabase."""
        ...

    async def count(self, key: DatabaseKey) -> int:
        """Return the number of all labels of likeness. Raises UnknownDatabase."""
        ...

    async def forget(self, workspace: WorkspaceId, *, channel: str = "", message: str = "", file: str = "") -> None:
        """Delete the labels of pictures that were asked in a channel or a message, or as a file."""
        ...


class Learning(Protocol):
    """What databases learned. Each change is another revision of the database."""

    async def newest(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what a database learned last, undone or not. Raises UnknownDatabase."""
        ...

    async def current(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what a database learned last and nobody undid. Raises UnknownDatabase."""
        ...

    async def all_current(self, workspace: WorkspaceId) -> Mapping[DatabaseName, LearnedScores]:
        """Return the same for each database of a workspace that learned something."""
        ...

    async def add(self, key: DatabaseKey, model: ScoreModel | None, labels: int, after: int) -> bool:
        """Add what was learned, unless there is something newer than ``after``. Raises UnknownDatabase."""
        ...

    async def undo(self, key: DatabaseKey, learned: int, user: str) -> bool:
        """Undo what was learned. Return whether nobody had. Raises UnknownDatabase."""
        ...


class UsageCounts(Protocol):
    """How often what was asked, by week. Counts alone are kept."""

    async def add(self, events: Sequence[UsageEvent], week: date) -> None:
        """Count events. What belongs to databases or images that are gone is left out."""
        ...

    async def weeks(self, key: DatabaseKey, since: date) -> tuple[WeekCounts, ...]:
        """Return the counts of each week with any, oldest first. Raises UnknownDatabase."""
        ...

    async def top(
        self, key: DatabaseKey, outcomes: Sequence[UsageOutcome], since: date, limit: int
    ) -> tuple[tuple[DataId, int], ...]:
        """Return the images with the highest counts, and these. Raises UnknownDatabase."""
        ...

    async def purge(self, before: date) -> None:
        """Delete the counts of earlier weeks."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the counts of a workspace's databases, and what these learned."""
        ...

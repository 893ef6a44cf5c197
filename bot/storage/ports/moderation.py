"""The ports of moderation: reports, what was done about them, pairs that never match, labels, and editors."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from bot.domain.channels import SettingsEditors
from bot.domain.channels.reports import ExcludedPair, Label, NewReport, Report, ReportAction, TakenAction
from bot.domain.identifiers import DatabaseKey, WorkspaceId


class EditorSettings(Protocol):
    """Who may change the settings of each workspace's channels."""

    async def get(self, workspace: WorkspaceId) -> SettingsEditors:
        """Return who may change settings: everybody, unless it was set."""
        ...

    async def put(self, workspace: WorkspaceId, editors: SettingsEditors, user: str) -> None:
        """Set who may change settings."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the settings of a workspace."""
        ...


class Feedback(Protocol):
    """What people said about matches."""

    async def record(self, label: Label) -> None:
        """Record what somebody said about a match. It replaces what they said before. Raises UnknownDatabase."""
        ...


class ExcludedPairs(Protocol):
    """Pairs of a stored image and a picture that never match."""

    async def of(self, key: DatabaseKey) -> tuple[ExcludedPair, ...]:
        """Return the pairs of a database. Raises UnknownDatabase."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the pairs of a workspace's databases, and what people said about their matches."""
        ...


class GuardReports(Protocol):
    """The reports of guard channels."""

    async def create(self, new: NewReport) -> Report:
        """Store a report, unless this file of the message was reported before. Raises UnknownDatabase."""
        ...

    async def get(self, workspace: WorkspaceId, report: int) -> Report | None:
        """Return a report of a workspace."""
        ...

    async def of_message(self, workspace: WorkspaceId, channel: str, message: str) -> tuple[Report, ...]:
        """Return the reports about a message."""
        ...

    async def of_file(self, workspace: WorkspaceId, file: str) -> tuple[Report, ...]:
        """Return the reports about a file, whatever messages it was shared in."""
        ...

    async def grouped(self, workspace: WorkspaceId, channel: str, ts: str) -> tuple[Report, ...]:
        """Return the reports that one message in a channel for reports is about."""
        ...

    async def earlier(self, report: Report) -> frozenset[str]:
        """Return the messages before this one in its channel that were reported to repeat one of its images."""
        ...

    async def set_thread(self, ids: Collection[int], ts: str) -> None:
        """Record which message in the thread shows reports."""
        ...

    async def set_copy(self, ids: Collection[int], channel: str, ts: str, *, is_grouped: bool = False) -> None:
        """Record which message in a channel for reports shows reports; an empty ``ts`` before it is posted."""
        ...

    async def recent_copies(self, workspace: WorkspaceId, channel: str, since: datetime) -> tuple[Report, ...]:
        """Return the reports that were posted to a channel for reports since a moment, oldest first."""
        ...

    async def recent_threads(self, workspace: WorkspaceId, channel: str, since: datetime) -> tuple[str, ...]:
        """Return the messages in threads of a channel that show reports from since a moment."""
        ...

    async def forget(self, workspace: WorkspaceId, *, channel: str = "", message: str = "", file: str = "") -> None:
        """Delete the reports about a file, a message or a channel; all of the workspace if none is named.

        One whose original is to be deleted is purged after that.
        """
        ...

    async def purge(self, before: datetime) -> None:
        """Delete reports from before a moment, in small transactions. Those with a later effect stay until then."""
        ...


class ReportActions(Protocol):
    """What moderators do about reports. An action and its effect are one transaction."""

    async def take(self, report: Report, action: ReportAction, user: str, target: str = "") -> TakenAction | None:
        """Record an action, and let it take effect. Return None if it, or another that settles, stands already.

        ``target``: the data id of the image to delete; that takes effect later. Raises UnknownDatabase.
        """
        ...

    async def undo(self, report: Report, taken: int, user: str) -> TakenAction | None:
        """Undo an action, and its effect. Return it, or None if it can't be undone any more. Raises UnknownDatabase."""
        ...

    async def set_place(self, taken: int, place: str) -> None:
        """Record the message that an action sent."""
        ...

    async def due(self) -> tuple[tuple[Report, TakenAction], ...]:
        """Return actions that must take effect now, with their reports."""
        ...

    async def finish(self, taken: int) -> None:
        """Record that an action took effect."""
        ...

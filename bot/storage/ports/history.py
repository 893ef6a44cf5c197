"""The port of imports of channels' histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import HistoryImport, HistoryPage, HistoryStatus, NewHistoryImport, PastCounts, PastMessage

SeenTimes = Mapping[tuple[WorkspaceId, str], str]
"""The times of the newest events, by workspace and channel."""


class HistoryImports(Protocol):
    """Imports of channels' past pictures, and what each still has to do. All changes are durable on return."""

    async def start(self, new: NewHistoryImport, first: HistoryPage | None = None) -> HistoryImport | None:
        """Begin an import, with its first page if that was read. Return None if the channel has one that isn't over."""
        ...

    async def get(self, number: int) -> HistoryImport | None:
        """Return an import, or None."""
        ...

    async def of_channel(self, workspace: WorkspaceId, channel: str) -> HistoryImport | None:
        """Return the newest import of a channel that somebody started, or None."""
        ...

    async def due(self, limit: int) -> tuple[HistoryImport, ...]:
        """Return the running imports that may go on now, the one that waited longest first."""
        ...

    async def record_page(self, number: int, page: HistoryPage) -> None:
        """Record a page of the channel."""
        ...

    async def record_replies(self, number: int, thread: str, page: HistoryPage) -> None:
        """Record a page of a thread. The last one removes the thread from what is still to be read."""
        ...

    async def next_thread(self, number: int) -> tuple[str, str] | None:
        """Return the oldest thread that is still to be read, and the cursor of its next page; None if there is none."""
        ...

    async def next_messages(self, number: int, limit: int, after: str = "") -> tuple[PastMessage, ...]:
        """Return the oldest messages whose pictures are still to be added, of those after a message."""
        ...

    async def begin_messages(self, number: int) -> int:
        """Count an attempt at the next messages, and return how many there were with it."""
        ...

    async def return_messages(self, number: int) -> None:
        """Take the last attempt back, because it did not end with the process."""
        ...

    async def finish_messages(self, number: int, messages: Sequence[str], counts: PastCounts) -> None:
        """Remove messages from what is still to be added, and count their pictures. The next attempt is the first."""
        ...

    async def list_again(self, number: int) -> None:
        """Forget the cursor, because Slack doesn't take it any more. What was found stays."""
        ...

    async def set_notice(self, number: int, notice: str) -> None:
        """Record the message with the progress."""
        ...

    async def set_status(self, number: int, status: HistoryStatus, reason: str = "") -> HistoryImport | None:
        """Change the status of an import that isn't over. Return it, or None if it is over.

        One that ends forgets what it has still to do.
        """
        ...

    async def postpone(self, number: int, until: datetime, reason: str = "") -> None:
        """Let an import go on at a later time."""
        ...

    async def record_seen(self, seen: SeenTimes) -> None:
        """Record the times of events of watched channels, unless later ones are known."""
        ...

    async def seen(self, workspace: WorkspaceId) -> SeenTimes:
        """Return the times of the last events of a workspace's channels that add pictures.

        Before the first event, it is when the settings began, with a tolerance.
        """
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all imports of a workspace."""
        ...

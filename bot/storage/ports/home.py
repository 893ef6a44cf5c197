"""The ports of what App Home shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.catalogue import ImageRecord, Moment, NewImages
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.domain.jobs import Job, WorkspaceJobs


@dataclass(frozen=True, slots=True)
class Visit:
    """What somebody had seen when they last opened App Home, and at the opening before; None if there was none.

    ``event`` is Slack's id of the last opening.
    """

    seen: Moment
    since: Moment | None
    event: str


@dataclass(frozen=True, slots=True)
class DatabasesSeen:
    """What readers see of several databases at one moment.

    Attributes:
        newest: the newest image of each database that has any.
        hidden: the number of images without a visible origin, by database. Databases without such images are left out.
        news: the images that are new, by database, author and conversation.
        news_cut: whether there are more new images than were counted.
        unread: the number of images whose text is still to be read; at most ``MAX_COUNTED`` + 1.
        unprepared: the number of images that can't be recognised in other photos yet; at most ``MAX_COUNTED`` + 1.
        moment: the state of the catalogue that this is read from.

    """

    newest: Mapping[DatabaseName, ImageRecord]
    hidden: Mapping[DatabaseName, int]
    news: tuple[NewImages, ...]
    news_cut: bool
    unread: int
    unprepared: int
    moment: Moment


MAX_COUNTED = 1000
"""New or unfinished images that are counted. People want to know whether there are many."""


class HomeRecords(Protocol):
    """Reads what readers may see of many databases in a few statements, however many databases there are."""

    async def channels(
        self, workspace: WorkspaceId, names: Collection[DatabaseName]
    ) -> tuple[tuple[str, ChannelKind], ...]:
        """Return the conversations that images of the databases came from, with stored kinds; an empty id for none."""
        ...

    async def databases_seen(
        self, workspace: WorkspaceId, names: Collection[DatabaseName], visible: VisibleOrigins, since: Moment
    ) -> DatabasesSeen:
        """Return what those who see these origins see of the databases, and what is new to them since a moment.

        An image is new if none of its visible origins is older.
        """
        ...

    async def visit(self, workspace: WorkspaceId, person: str) -> Visit | None:
        """Return what a person has seen; None before the first opening."""
        ...

    async def record_visit(self, workspace: WorkspaceId, person: str, visit: Visit) -> None:
        """Replace what a person has seen."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete what all people of a workspace have seen."""
        ...


class JobOverview(Protocol):
    """Reads what waits or failed in a workspace, and records what was refused."""

    async def of(self, workspace: WorkspaceId, failed_since: datetime) -> WorkspaceJobs:
        """Return what waits now, and what failed or was refused since a moment."""
        ...

    async def record_refusals(self, job: Job, reasons: Mapping[str, str], link: str) -> None:
        """Replace which files of a share could not be added, with a sentence for each, and its message's permalink.

        Files that were deleted meanwhile stay without one.
        """
        ...

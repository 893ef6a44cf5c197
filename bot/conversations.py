"""Values about Slack's conversations: what happens in a channel, who reads an answer, and shares that wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.models import ChannelKind, DatabaseName, WorkspaceId

GUARD_MINIMUM = 9.0
"""From this score on, a guard calls an image a repost."""


class ChannelMode(StrEnum):
    """What happens to images shared in a channel."""

    LOOKUP = "lookup"
    COLLECT = "collect"
    GUARD = "guard"
    OFF = "off"
    """Somebody said ``unwatch``."""


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What was set for a channel. ``database`` and ``minimum``: None where nothing was said."""

    workspace: WorkspaceId
    channel: str
    mode: ChannelMode = ChannelMode.LOOKUP
    database: DatabaseName | None = None
    minimum: float | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who will read an answer: one person (``user`` set), or all who read ``channel``."""

    workspace: WorkspaceId
    channel: str
    kind: ChannelKind
    user: str = ""

    @property
    def is_one_person(self) -> bool:
        """Whether nobody but ``user`` sees the answer."""
        return bool(self.user)


class JobKind(StrEnum):
    """What a job in the inbox is about."""

    SHARE = "share"
    """Images that were shared, to be looked up, collected or guarded."""
    FORGET = "forget"
    """A file or a message was deleted in Slack."""
    UNINSTALL = "uninstall"
    """The app was removed from a workspace."""
    REQUEST = "request"
    """Somebody asked by a mention, or by a command or a form in a process that does no jobs."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work that Slack delivered. ``files`` has at least one name, unique with workspace, channel and message."""

    kind: JobKind
    workspace: WorkspaceId
    enterprise: str
    channel: str
    message: str
    files: tuple[str, ...]
    payload: str


@dataclass(frozen=True, slots=True)
class Job:
    """Work that was taken up by ``owner``. ``attempts`` counts this one.

    ``answering``: an earlier one may have answered already.
    """

    id: int
    kind: JobKind
    workspace: WorkspaceId
    enterprise: str
    channel: str
    message: str
    files: tuple[str, ...]
    payload: str
    attempts: int
    answering: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class StoredShare:
    """A share that was delivered earlier: ``file`` is one of those in ``payload``."""

    message: str
    file: str
    payload: str


@dataclass(frozen=True, slots=True)
class InboxDepth:
    """How much is waiting, and since when (None: nothing is)."""

    waiting: int
    oldest: datetime | None = None

"""Values of the inbox: jobs, and shares that were delivered earlier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.identifiers import WorkspaceId


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

"""Values of the inbox: jobs and stored shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.identifiers import WorkspaceId


class JobKind(StrEnum):
    """The kind of a job."""

    SHARE = "share"
    """Handle images shared in a channel, by the channel's mode."""
    FORGET = "forget"
    """Delete images whose file or message was deleted in Slack."""
    UNINSTALL = "uninstall"
    """Clean up after the app was removed from a workspace."""
    REQUEST = "request"
    """Answer a mention, or a command or form that a web process left to a worker."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to put into the inbox.

    ``files`` has at least one name. Each is unique together with workspace, channel and message.
    """

    kind: JobKind
    workspace: WorkspaceId
    enterprise: str
    channel: str
    message: str
    files: tuple[str, ...]
    payload: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job that the worker ``owner`` has taken. ``attempts`` includes the current one.

    ``answering``: an earlier attempt may already have sent the answer.
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
    """A share that was delivered earlier; ``file`` is one of the files in ``payload``."""

    message: str
    file: str
    payload: str


@dataclass(frozen=True, slots=True)
class InboxDepth:
    """The number of waiting jobs, and when the oldest arrived (None if there is none)."""

    waiting: int
    oldest: datetime | None = None

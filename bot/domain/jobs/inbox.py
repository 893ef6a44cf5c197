"""Values of the inbox: its jobs, stored shares, and what waits or failed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
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

    @property
    def is_obligation(self) -> bool:
        """Whether the job fulfils a promise, so that it is retried until it succeeds."""
        # A kind added later counts as an obligation unless it is named here.
        return self not in {JobKind.SHARE, JobKind.REQUEST}


UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)


ANY = "-"
"""Stands for all channels, messages or files in the key of a FORGET job. Key columns can't be null."""


def deletion_key(channel: str = "") -> str:
    """Return the value that FORGET jobs have as their channel.

    A job for the deletion of a file is stored under it with the message ANY, one for the deletion of a message with the
    file ANY, and one for the deletion of a channel with both.
    """
    return f"forget:{channel or ANY}"


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
    """A job that the worker ``owner`` has taken. ``attempts`` counts those that began, with the current one.

    ``answering``: an earlier attempt may already have sent the answer. ``created_at``: when the job was stored.
    ``trace``: the trace of its delivery, as a W3C ``traceparent``, or empty.
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
    created_at: datetime = UNKNOWN_TIME
    trace: str = ""


@dataclass(frozen=True, slots=True)
class LaneRoom:
    """How many more jobs of a lane a worker can run.

    ``running`` has the number of jobs that run for each workspace. None may get more than ``most_each``.
    """

    free: int
    most_each: int
    running: Mapping[WorkspaceId, int] = field(default_factory=dict)


UNLIMITED = 2**31
_UNLIMITED_ROOM = LaneRoom(UNLIMITED, UNLIMITED)


@dataclass(frozen=True, slots=True)
class WorkerRoom:
    """The two lanes of a worker: obligations, and everything else (shares and requests)."""

    obligations: LaneRoom = _UNLIMITED_ROOM
    others: LaneRoom = _UNLIMITED_ROOM


@dataclass(frozen=True, slots=True)
class Unsharing:
    """The unsharing of a file, which doesn't name the message, and where the file was still shared afterwards.

    Attributes:
        file: The file.
        moment: When it happened, in seconds since 1970 by Slack's clock. Later messages are other shares.
        channel: The only channel in question, or empty for all.
        messages: Channels with messages that still have the file.
        channels: Channels of which Slack names no message. Shares in them may still stand.
    """

    file: str
    moment: float
    channel: str = ""
    messages: Collection[tuple[str, str]] = ()
    channels: Collection[str] = ()

    def ends(self, channel: str, message: str) -> bool:
        """Return whether a message of a channel no longer has the file."""
        if not message or self.channel not in {"", channel} or channel in self.channels:
            return False
        return (channel, message) not in self.messages and time_of_message(message) <= self.moment


def time_of_message(ts: str) -> float:
    """Return the time of a Slack message in seconds since 1970, or 0 if ``ts`` isn't one."""
    try:
        return max(0.0, float(ts)) if math.isfinite(float(ts)) else 0.0
    except ValueError:
        return 0.0


def message_at(moment: float) -> str:
    """Return the ``ts`` of a message at a time in seconds since 1970."""
    return f"{moment:.6f}"


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


@dataclass(frozen=True, slots=True)
class OpenObligations:
    """The unfinished jobs that fulfil promises, by kind.

    ``oldest``: when the oldest was stored. ``most_attempts``: how often the one that failed most has begun.
    ``overdue_since``: when the oldest image that is still there should have been deleted by its age.
    """

    counts: Mapping[JobKind, int] = field(default_factory=dict)
    oldest: datetime | None = None
    most_attempts: int = 0
    overdue_since: datetime | None = None

    @property
    def total(self) -> int:
        """The number of all kinds together."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class ChannelJobs:
    """The messages with images of one channel: those that wait, and those that failed for good lately."""

    channel: str
    waiting: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A shared file that could not be added: why, when it was shared, and where.

    ``payload`` is the share that brought it, and ``link`` the permalink of its message; empty if that is unknown.
    """

    channel: str
    file: str
    reason: str
    link: str
    payload: str
    shared_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelRefusals:
    """The files of one channel that could not be added lately: how many there are, and the newest of them."""

    channel: str
    total: int
    newest: tuple[RefusedFile, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceJobs:
    """What waits, failed or was refused in a workspace.

    ``questions`` are the payloads of unfinished messages to the bot; some of them import a table. ``failing_removals``
    counts deletions that failed before and are tried again.
    """

    channels: tuple[ChannelJobs, ...] = ()
    questions: tuple[str, ...] = ()
    failing_removals: int = 0
    refusals: tuple[ChannelRefusals, ...] = ()

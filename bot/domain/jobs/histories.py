"""Values of imports of channels' histories: how far one is, a page of messages, and what became of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs.inbox import UNKNOWN_TIME, message_at

LIMITED_PAGE = 15
"""Messages a page that Slack gives apps that are distributed outside its Marketplace."""

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far Slack's clock may be from ours."""


def latest_to_read(now: datetime) -> str:
    """Return the ``ts`` after which an import that begins now leaves messages out."""
    return message_at((now + CLOCK_TOLERANCE).timestamp())


class HistoryStatus(StrEnum):
    """The status of an import of a channel's history."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        """Whether the import may go on."""
        return self in {HistoryStatus.RUNNING, HistoryStatus.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHistoryImport:
    """An import of a channel's past pictures to begin.

    Attributes:
        workspace: The workspace.
        enterprise: Its organisation, or empty.
        channel: The channel.
        database: Where the pictures go; empty for what the channel's settings say.
        started_by: Slack user id; empty for the command line and for a catch-up.
        is_catch_up: Whether it reads what was missed while the bot was away. It says nothing in the channel.
        oldest: Messages at this time or before are left out; empty for none.
        latest: Messages after this time are left out: their events arrive.
        max_messages: Number of messages to list at most; 0 for all.
    """

    workspace: WorkspaceId
    enterprise: str
    channel: str
    database: str = ""
    started_by: str = ""
    is_catch_up: bool = False
    oldest: str = ""
    latest: str
    max_messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryImport(NewHistoryImport):
    """An import of a channel's past pictures, and how far it is.

    Attributes:
        id: Its number.
        status: Whether it goes on.
        reason: Why it failed, or what it waits for.
        cursor: Slack's cursor of the next page.
        reached: The oldest message that was listed.
        is_listed: Whether all messages were listed.
        is_limited: Whether Slack gave fewer messages a page than were asked for.
        messages: Messages that were listed, with those of threads.
        pictures: Pictures that were found in them.
        added: Pictures that were added or checked.
        known: Pictures that this channel's images have from the same message.
        refused: Pictures that can't be read or added.
        notice: The message with the progress: its timestamp, NOTICE_BEGUN while it is being posted, or empty.
        attempts: How often the next pictures were begun without an end.
        due_at: When it goes on.
        created_at: When it began.
    """

    id: int
    status: HistoryStatus = HistoryStatus.RUNNING
    reason: str = ""
    cursor: str = ""
    reached: str = ""
    is_listed: bool = False
    is_limited: bool = False
    messages: int = 0
    pictures: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    notice: str = ""
    attempts: int = 0
    due_at: datetime = UNKNOWN_TIME
    created_at: datetime = UNKNOWN_TIME

    @property
    def done(self) -> int:
        """The pictures that are finished."""
        return self.added + self.known + self.refused


NOTICE_BEGUN = "?"


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message with pictures that a history has; ``payload`` is the encoded share with ``files``."""

    message: str
    files: tuple[str, ...]
    payload: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of a channel's or a thread's messages.

    Attributes:
        messages: Those with pictures.
        threads: Messages whose replies are still to be read.
        count: How many messages the page has.
        reached: The oldest of them.
        newest: The newest of them.
        cursor: Slack's cursor of the next page; empty for the last one.
        is_limited: Whether Slack gave fewer messages than were asked for.
    """

    messages: tuple[PastMessage, ...] = ()
    threads: tuple[str, ...] = ()
    count: int = 0
    reached: str = ""
    newest: str = ""
    cursor: str = ""
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class PastCounts:
    """What became of some past pictures: how many were added or checked, known from the same message, and refused."""

    added: int = 0
    known: int = 0
    refused: int = 0

"""Reports of a guard: a repost, the images that it repeats, and what moderators did about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.matches import Caveat, Edit, Verdict

UNDO_FOR = timedelta(days=1)
"""How long an action can be undone."""

FORGET_AFTER = timedelta(minutes=10)
"""How long the deletion of an original can be undone."""

CLOCK_MARGIN = timedelta(seconds=5)
"""Difference between the clocks of two machines that an undo and a deletion at the same time allow for."""

REPORTS_KEPT = timedelta(days=90)
"""How long reports are kept. The buttons of older ones are out of date."""

MOST_MATCHES = 10
"""Images of one report that are remembered."""


class ReportAction(StrEnum):
    """What people do about a report."""

    OK = "ok"
    NEVER = "never"
    NOT_SAME = "not_same"
    ASK = "ask"
    FORGET = "forget"

    @property
    def settles(self) -> bool:
        """Whether a report needs no other such action."""
        return self in {ReportAction.OK, ReportAction.NEVER, ReportAction.FORGET}


@dataclass(frozen=True, slots=True)
class ReportedMatch:
    """An image that a reported one repeats."""

    data_id: DataId
    score: float
    verdict: Verdict
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class NewReport:
    """A repost: a file of a message, and the images that it repeats, best first.

    ``digest`` and ``fingerprint`` are those of the posted picture, which itself is not kept.
    """

    workspace: WorkspaceId
    channel: str
    message: str
    thread: str
    file: str
    name: str
    author: str
    database: DatabaseName
    digest: str
    fingerprint: bytes
    posted_at: datetime
    matches: tuple[ReportedMatch, ...]
    is_shown: bool = False
    """Whether Slack can show the file in a message."""
    is_preview: bool = False
    """Whether not the file itself was compared, but a preview of it."""
    caveats: frozenset[Caveat] = frozenset()

    @property
    def is_link(self) -> bool:
        """Whether the message only links to the picture. Slack's files have ids that begin with F."""
        return not self.file.startswith("F")

    @property
    def key(self) -> DatabaseKey:
        """The database with the images."""
        return DatabaseKey(self.workspace, self.database)


@dataclass(frozen=True, slots=True)
class TakenAction:
    """What somebody did about a report.

    ``due_at``: when it takes effect, if that is later. ``done_at``: when it did. ``place``: the channel and the time of
    the message that it sent, with a blank between; for FORGET, the data id of the image. ``undone_by`` is empty unless
    somebody undid it.
    """

    id: int
    action: ReportAction
    user: str
    taken_at: datetime
    due_at: datetime | None = None
    done_at: datetime | None = None
    place: str = ""
    undone_by: str = ""

    def is_undoable(self, now: datetime) -> bool:
        """Return whether it can still be undone."""
        if self.undone_by or (self.due_at is not None and self.done_at is not None):
            return False
        return now < (self.taken_at + UNDO_FOR if self.due_at is None else self.due_at - CLOCK_MARGIN)


@dataclass(frozen=True, slots=True)
class Report:
    """A stored report. ``thread_ts`` and ``copy_ts`` are the messages that show it, empty until they are known.

    ``copy_channel`` is the channel for reports that has a copy. ``is_grouped``: the copy is a message about many.
    """

    id: int
    about: NewReport
    created_at: datetime
    thread_ts: str = ""
    copy_channel: str = ""
    copy_ts: str = ""
    is_grouped: bool = False
    actions: tuple[TakenAction, ...] = ()

    @property
    def standing(self) -> tuple[TakenAction, ...]:
        """The actions that nobody undid."""
        return tuple(taken for taken in self.actions if not taken.undone_by)

    @property
    def settled(self) -> TakenAction | None:
        """The action that settled the report, if there is one."""
        return next((taken for taken in self.standing if taken.action.settles), None)

    def taken(self, action: ReportAction) -> TakenAction | None:
        """Return who did this, if anybody did and nobody undid it."""
        return next((taken for taken in self.standing if taken.action is action), None)


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said about a match, for a database to learn from.

    ``is_same`` is None if they took it back. ``fingerprint`` is that of the asked picture, which itself is not kept.
    ``score`` is the back end's own, before the database's labels change it, and ``lead`` that over the next id.
    ``by_likeness``: nothing but likeness gave it, so that scores can be fitted to it. The message and the file that
    asked, if it was one, take the label along when they are deleted in Slack. ``pressed_at`` is Slack's time of the
    press in seconds since 1970, or 0 if it is unknown: presses may arrive in another order.
    """

    database: DatabaseKey
    data_id: DataId
    fingerprint: bytes
    score: float
    verdict: Verdict
    user: str
    is_same: bool | None
    by_likeness: bool = False
    lead: float = 0.0
    channel: str = ""
    message: str = ""
    file: str = ""
    pressed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ExcludedPair:
    """A stored image and a picture that never match: the picture's ``digest`` and ``fingerprint``, and the image's.

    ``partner`` is the image with exactly the picture's pixels, if there is one in the database.
    """

    data_id: DataId
    image_digest: str
    image_fingerprint: bytes
    digest: str
    fingerprint: bytes
    partner: DataId | None = None

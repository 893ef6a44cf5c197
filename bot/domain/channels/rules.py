"""The rules of a guard channel: which images it checks, which earlier postings count, and where reports go.

This is the one place that applies them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

MAX_WINDOW_DAYS = 3650
MAX_LEEWAY_MINUTES = 7 * 24 * 60


class OwnReposts(StrEnum):
    """What a guard does when somebody posts their own image again."""

    REPORT = "report"
    IGNORE = "ignore"


class FileKind(StrEnum):
    """Kinds of files that people post again and again, and mean nothing by it."""

    GIF = "gif"
    STICKER = "sticker"
    """A WebP picture as messengers make them."""
    EMOJI = "emoji"
    """A picture that is not larger than a custom emoji."""


class Treatment(StrEnum):
    """What a guard does with an image."""

    CHECK = "check"
    """Compare it with earlier ones; report it or add it."""
    ADD = "add"
    """Add it without a check, so that reposts of it are found."""
    LEAVE = "leave"
    """Do nothing."""


class Posting(Protocol):
    """When somebody posted an image. Whoever posted it is unknown if ``author`` is empty."""

    @property
    def author(self) -> str: ...  # noqa: D102 - see the class
    @property
    def posted_at(self) -> datetime: ...  # noqa: D102


PostingType = TypeVar("PostingType", bound=Posting)


@dataclass(frozen=True, slots=True)
class GuardRules:
    """The rules of a guard channel.

    Attributes:
        window_days: Postings that are older don't count; None: all count.
        own: What happens when people post their own images again.
        leeway_minutes: For so long, people's own reposts are ignored in any case.
        people: Slack user ids of people who may post anything again.
        exempt: Kinds of files that are not checked.
        report_to: The channel that gets the reports too; empty for none.
        quiet: Whether reposts get a reaction, and no reply in their thread.
        groups: Ids of Slack's user groups whose members may post anything again.
    """

    window_days: int | None = None
    own: OwnReposts = OwnReposts.REPORT
    leeway_minutes: int = 0
    people: frozenset[str] = frozenset()
    exempt: frozenset[FileKind] = frozenset()
    report_to: str = ""
    quiet: bool = False
    groups: frozenset[str] = frozenset()

    def treatment(self, author: str, kinds: Iterable[FileKind], groups: Iterable[str] = ()) -> Treatment:
        """Return what to do with an image of these kinds. ``groups``: user groups that its author is in."""
        if not self.exempt.isdisjoint(kinds):
            return Treatment.LEAVE
        is_allowed = author in self.people or not self.groups.isdisjoint(groups)
        return Treatment.ADD if author and is_allowed else Treatment.CHECK

    def counting(self, posting: Posting, earlier: Iterable[PostingType]) -> tuple[PostingType, ...]:
        """Return those of the earlier postings of an image that make another posting of it a repost."""
        return tuple(one for one in earlier if self._counts(posting, one))

    def _counts(self, posting: Posting, earlier: Posting) -> bool:
        age = posting.posted_at - earlier.posted_at
        if self.window_days is not None and age > timedelta(days=self.window_days):
            return False
        if not posting.author or posting.author != earlier.author:
            return True
        # Two postings at about the same time may arrive in any order.
        is_slip = bool(self.leeway_minutes) and abs(age) <= timedelta(minutes=self.leeway_minutes)
        return self.own is OwnReposts.REPORT and not is_slip


NO_RULES = GuardRules()
"""Every image is checked, and every earlier posting counts."""

DEFAULT_RULES = replace(NO_RULES, exempt=frozenset(FileKind))
"""The rules of a channel that becomes a guard channel."""


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """What a command changes in a channel's rules. None keeps what it is.

    ``window_days`` is 0 for no window. ``people`` and ``report_to`` are ids, or names as they were typed; such a name
    may be that of a user group. ``groups`` are ids. ``report_to`` is empty for no channel.
    """

    window_days: int | None = None
    own: OwnReposts | None = None
    leeway_minutes: int | None = None
    people: tuple[str, ...] | None = None
    exempt: frozenset[FileKind] | None = None
    report_to: str | None = None
    quiet: bool | None = None
    groups: tuple[str, ...] | None = None

    def applied_to(self, rules: GuardRules) -> GuardRules:
        """Return the rules with the changes."""
        window = rules.window_days if self.window_days is None else self.window_days or None
        people = rules.people if self.people is None else frozenset(self.people)
        return GuardRules(
            window,
            rules.own if self.own is None else self.own,
            rules.leeway_minutes if self.leeway_minutes is None else self.leeway_minutes,
            people,
            rules.exempt if self.exempt is None else self.exempt,
            rules.report_to if self.report_to is None else self.report_to,
            rules.quiet if self.quiet is None else self.quiet,
            rules.groups if self.groups is None else frozenset(self.groups),
        )


NO_CHANGES = RuleChanges()

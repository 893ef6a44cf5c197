"""How fast Slack lets an app read histories, and how long a channel takes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from bot.domain.jobs import LIMITED_PAGE, HistoryPage, time_of_message

PAGE = 200
"""Messages that are asked for in a call."""

LIMITED_CALLS = 1
"""Calls a minute for apps that are distributed outside Slack's Marketplace."""

WINDOW_S = 60.0


class CallPacer:
    """Spaces calls of a method, of which Slack allows an app some a minute in each workspace.

    Args:
        calls_per_min: Calls a minute if Slack doesn't limit the app more.
        clock: Returns the time.
    """

    def __init__(self, calls_per_min: int, clock: Callable[[], datetime]) -> None:
        self._calls_per_min = calls_per_min
        self._clock = clock
        self._made: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def delay_s(self, workspace: str, method: str, *, is_limited: bool) -> float:
        """Return the seconds until the next call; 0 if it may be made, which counts it."""
        most = LIMITED_CALLS if is_limited else self._calls_per_min
        now, made = self._clock().timestamp(), self._made[workspace, method]
        while made and (now - made[0] >= WINDOW_S or made[0] > now):
            made.popleft()
        if len(made) >= most:
            return made[-most] + WINDOW_S - now
        made.append(now)
        return 0.0


@dataclass(slots=True)
class PastWork:
    """Whether past pictures are being added, for which what may come later waits: points and texts of pictures."""

    running: int = 0

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Count as running inside the context."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


@dataclass(frozen=True, slots=True)
class ReadingPace:
    """How fast histories are read."""

    page: int
    calls_per_min: int

    @classmethod
    def of(cls, *, is_limited: bool, calls_per_min: int) -> ReadingPace:
        """Return the pace of an app."""
        return cls(LIMITED_PAGE, LIMITED_CALLS) if is_limited else cls(PAGE, calls_per_min)

    @property
    def messages_per_min(self) -> int:
        """Messages that are read a minute."""
        return self.page * self.calls_per_min

    def seconds(self, messages: int, threads: int = 0) -> float:
        """Return how long so many messages take, with a call for each thread."""
        calls = -(-messages // self.page) + threads
        return WINDOW_S * calls / self.calls_per_min


def estimated_messages(page: HistoryPage, oldest: float, latest: float) -> int | None:
    """Return how many messages a channel has if they are as close to each other as those of its newest page.

    ``oldest`` is when the messages to read begin, in seconds since 1970. None: that, or the page's span, is unknown.
    """
    if not page.cursor:
        return page.count
    span = latest - time_of_message(page.reached)
    if oldest <= 0 or span <= 0:
        return None
    return max(page.count, round(page.count * (latest - oldest) / span))

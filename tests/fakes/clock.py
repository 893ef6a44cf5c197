"""A clock that tests set and advance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """Tells the time that a test sets, which is in UTC and stands still."""

    def __init__(self, now: datetime = BEGINNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)

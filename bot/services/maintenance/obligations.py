"""Report what the bot has promised to delete and has not deleted yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.catalogue import OriginScope
from bot.domain.jobs import OpenObligations
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox

LATE_AFTER = timedelta(minutes=10)
"""Age at which an obligation is reported as late. The first four attempts take six minutes."""

RETENTION_LATE_AFTER = timedelta(hours=2)
"""The retention runs once an hour."""


class ObligationReporter:
    """Reports open obligations. Writes nothing."""

    def __init__(
        self,
        inbox: Inbox,
        catalogue: Catalogue,
        retention_days: int | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inbox = inbox
        self._catalogue = catalogue
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._clock = clock

    async def report(self) -> OpenObligations:
        """Return the open obligations. Raises BackendError."""
        found = await self._inbox.open_obligations()
        if self._retention is None:
            return found
        oldest = await self._catalogue.with_origins(OriginScope(None, before=self._clock() - self._retention), 1)
        return replace(found, overdue_since=oldest[0].added_at + self._retention) if oldest else found

    async def late(self) -> tuple[str, ...]:
        """Return a sentence for each kind of obligation that is late. Raises BackendError."""
        found, now, sentences = await self.report(), self._clock(), list[str]()
        if found.oldest is not None and now - found.oldest > LATE_AFTER:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.counts.items()))
            sentences.append(f"open obligations: {kinds}; the oldest is from {_minute(found.oldest)}")
        if found.overdue_since is not None and now - found.overdue_since > RETENTION_LATE_AFTER:
            sentences.append(f"retention: images should have been deleted since {_minute(found.overdue_since)}")
        return tuple(sentences)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

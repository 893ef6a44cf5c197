"""The port that services record metrics with, and an implementation that discards everything.

The implementation for Prometheus has a module of its own, since commands other than ``serve`` don't need its library.
"""

from __future__ import annotations

from typing import Protocol


class Metrics(Protocol):
    """Records metrics. Kinds and outcomes come from the code, never from users, since each makes a time series."""

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Record the seconds from a delivery to its acknowledgement."""
        ...

    def searched(self, outcome: str, seconds: float) -> None:
        """Record a finished search."""
        ...

    def added(self, outcome: str) -> None:
        """Count an attempt to add an image."""
        ...

    def cache(self, hit: bool) -> None:
        """Count a lookup in the cache of recent results."""
        ...

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """Record an attempt at a job of the inbox."""
        ...

    def backend_error(self, kind: str) -> None:
        """Count an error of the search back end; ``kind`` is the error's class."""
        ...

    def embedded(self, seconds: float) -> None:
        """Record the seconds that the model took to embed a picture."""
        ...

    def text_read(self, outcome: str, seconds: float) -> None:
        """Record that the text of a stored picture was read; ``outcome`` is text, none, unreadable or failed."""
        ...

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """Record a call to the hosted service; ``outcome`` is ``answered``, ``given_up`` or the error's class."""
        ...

    def hosted_charged(self, calls: int) -> None:
        """Count calls that the hosted service charges for."""
        ...


class NullMetrics:
    """Implements ``Metrics`` and discards everything."""

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Do nothing."""

    def searched(self, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def added(self, outcome: str) -> None:
        """Do nothing."""

    def cache(self, hit: bool) -> None:
        """Do nothing."""

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def backend_error(self, kind: str) -> None:
        """Do nothing."""

    def embedded(self, seconds: float) -> None:
        """Do nothing."""

    def text_read(self, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def hosted_charged(self, calls: int) -> None:
        """Do nothing."""

"""What is counted and timed: a port that services speak to, one that forgets all, and Prometheus."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from bot.domain.jobs import InboxDepth

# The command line loads this module, and counts nothing.
if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# Slack waits 3 seconds for an acknowledgement; ours is to take 0.3 at most.
_ACKNOWLEDGEMENT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3)
_SEARCH_S = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30)
_JOB_S = (0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 300)
_HOSTED_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7, 10)
_EMBEDDING_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics(Protocol):
    """What is worth counting. Kinds and outcomes are words of the program, never of a user: each is a series."""

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Slack had its acknowledgement this long after it delivered."""
        ...

    def searched(self, outcome: str, seconds: float) -> None:
        """A search ended."""
        ...

    def added(self, outcome: str) -> None:
        """An image was added, or was not."""
        ...

    def cache(self, hit: bool) -> None:
        """A search was answered from recent results, or was done."""
        ...

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """A job of the inbox ended, or is to be tried again."""
        ...

    def backend_error(self, kind: str) -> None:
        """The search back end failed."""
        ...

    def embedded(self, seconds: float) -> None:
        """The model turned a picture into a vector."""
        ...

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """The hosted service was called, once; ``outcome`` is ``answered``, ``given_up`` or the error's class."""
        ...

    def hosted_charged(self, calls: int) -> None:
        """So many calls go on the account's bill."""
        ...


class NullMetrics:
    """Satisfies ``Metrics`` and counts nothing."""

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Nothing."""

    def searched(self, outcome: str, seconds: float) -> None:
        """Nothing."""

    def added(self, outcome: str) -> None:
        """Nothing."""

    def cache(self, hit: bool) -> None:
        """Nothing."""

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """Nothing."""

    def backend_error(self, kind: str) -> None:
        """Nothing."""

    def embedded(self, seconds: float) -> None:
        """Nothing."""

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """Nothing."""

    def hosted_charged(self, calls: int) -> None:
        """Nothing."""


class PrometheusMetrics:
    """Satisfies ``Metrics``; ``render`` tells what was counted. The registry is our own, never the global one."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        from prometheus_client import (  # noqa: PLC0415 - as above
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            ProcessCollector,
        )

        self._registry = registry = registry or CollectorRegistry()
        self._acknowledged = Histogram(
            "vsearch_acknowledgement_seconds",
            "Time until Slack had its acknowledgement",
            ["kind"],
            buckets=_ACKNOWLEDGEMENT_S,
            registry=registry,
        )
        self._searched = Histogram(
            "vsearch_search_seconds", "Time of a search", ["outcome"], buckets=_SEARCH_S, registry=registry
        )
        self._added = Counter("vsearch_adds", "Images added, or not", ["outcome"], registry=registry)
        self._cache = Counter(
            "vsearch_cache", "Searches by whether a recent result did", ["outcome"], registry=registry
        )
        self._jobs = Histogram(
            "vsearch_job_seconds", "Time of a job of the inbox", ["kind", "outcome"], buckets=_JOB_S, registry=registry
        )
        self._backend_errors = Counter(
            "vsearch_backend_errors", "Failures of the search back end", ["kind"], registry=registry
        )
        self._embedded = Histogram(
            "vsearch_embedding_seconds", "Time of the model for a picture", buckets=_EMBEDDING_S, registry=registry
        )
        self._hosted = Histogram(
            "vsearch_hosted_call_seconds",
            "Time of a call of the hosted service",
            ["operation", "outcome"],
            buckets=_HOSTED_S,
            registry=registry,
        )
        self._charged = Counter(
            "vsearch_hosted_charged_calls", "Calls that the hosted service charges for", registry=registry
        )
        self._waiting = Gauge("vsearch_inbox_jobs", "Jobs that are not done yet", registry=registry)
        self._oldest = Gauge("vsearch_inbox_oldest_seconds", "Age of the oldest of them", registry=registry)
        # Both are asked for at each scrape; until then nothing is known.
        self.inbox(None)
        for hit in (True, False):
            self._cache.labels(_cache_outcome(hit))
        ProcessCollector(namespace="vsearch", registry=registry)

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Slack had its acknowledgement this long after it delivered."""
        self._acknowledged.labels(kind).observe(seconds)

    def searched(self, outcome: str, seconds: float) -> None:
        """A search ended."""
        self._searched.labels(outcome).observe(seconds)

    def added(self, outcome: str) -> None:
        """An image was added, or was not."""
        self._added.labels(outcome).inc()

    def cache(self, hit: bool) -> None:
        """A search was answered from recent results, or was done."""
        self._cache.labels(_cache_outcome(hit)).inc()

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """A job of the inbox ended, or is to be tried again."""
        self._jobs.labels(kind, outcome).observe(seconds)

    def backend_error(self, kind: str) -> None:
        """The search back end failed."""
        self._backend_errors.labels(kind).inc()

    def embedded(self, seconds: float) -> None:
        """The model turned a picture into a vector."""
        self._embedded.observe(seconds)

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """The hosted service was called, once."""
        self._hosted.labels(operation, outcome).observe(seconds)

    def hosted_charged(self, calls: int) -> None:
        """So many calls go on the account's bill."""
        self._charged.inc(calls)

    def inbox(self, depth: InboxDepth | None, now: datetime | None = None) -> None:
        """What waits in the inbox; None: that can't be told, which is not the same as nothing."""
        if depth is None:
            self._waiting.set(math.nan)
            self._oldest.set(math.nan)
            return
        self._waiting.set(depth.waiting)
        age = ((now or datetime.now(UTC)) - depth.oldest).total_seconds() if depth.oldest else 0.0
        self._oldest.set(max(age, 0.0))

    def render(self) -> bytes:
        """All of it, in the text form of Prometheus."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - as above

        return generate_latest(self._registry)


def _cache_outcome(hit: bool) -> str:
    return "hit" if hit else "miss"

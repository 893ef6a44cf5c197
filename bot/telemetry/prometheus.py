"""Metrics for Prometheus."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from bot.domain.jobs import InboxDepth, JobKind, OpenObligations
from bot.domain.texts import TextCounts

# Buckets in seconds. Slack waits 3 seconds for an acknowledgement; our target is 0.3.
_ACKNOWLEDGEMENT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3)
_SEARCH_S = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30)
_JOB_S = (0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 300)
_HOSTED_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7, 10)
_EMBEDDING_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_TEXT_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)


class PrometheusMetrics:
    """Implements ``Metrics`` for Prometheus, in a registry of its own instead of the global one."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry = registry or CollectorRegistry()
        self._acknowledged = Histogram(
            "vsearch_acknowledgement_seconds",
            "Seconds from a Slack delivery to its acknowledgement",
            ["kind"],
            buckets=_ACKNOWLEDGEMENT_S,
            registry=registry,
        )
        self._searched = Histogram(
            "vsearch_search_seconds",
            "Duration of searches by outcome",
            ["outcome"],
            buckets=_SEARCH_S,
            registry=registry,
        )
        self._added = Counter("vsearch_adds", "Add attempts by outcome", ["outcome"], registry=registry)
        self._cache = Counter("vsearch_cache", "Searches by cache hit or miss", ["outcome"], registry=registry)
        self._jobs = Histogram(
            "vsearch_job_seconds",
            "Duration of inbox jobs by kind and outcome",
            ["kind", "outcome"],
            buckets=_JOB_S,
            registry=registry,
        )
        self._backend_errors = Counter(
            "vsearch_backend_errors", "Search back end errors by kind", ["kind"], registry=registry
        )
        self._embedded = Histogram(
            "vsearch_embedding_seconds", "Duration of one embedding", buckets=_EMBEDDING_S, registry=registry
        )
        self._texts_read = Histogram(
            "vsearch_text_read_seconds",
            "Duration of reading the text of a stored picture by outcome",
            ["outcome"],
            buckets=_TEXT_S,
            registry=registry,
        )
        self._texts = Gauge(
            "vsearch_picture_texts",
            "Stored images by whether their text is read, unreadable or waiting",
            ["state"],
            registry=registry,
        )
        self._hosted = Histogram(
            "vsearch_hosted_call_seconds",
            "Duration of calls to the hosted service",
            ["operation", "outcome"],
            buckets=_HOSTED_S,
            registry=registry,
        )
        self._charged = Counter(
            "vsearch_hosted_charged_calls", "Calls that the hosted service charges for", registry=registry
        )
        self._waiting = Gauge("vsearch_inbox_jobs", "Unfinished jobs in the inbox", registry=registry)
        self._oldest = Gauge("vsearch_inbox_oldest_seconds", "Age of the oldest unfinished job", registry=registry)
        self._obligations = Gauge(
            "vsearch_obligations", "Unfinished deletions and uninstalls by kind", ["kind"], registry=registry
        )
        self._oldest_obligation = Gauge(
            "vsearch_obligations_oldest_seconds",
            "Age of the oldest unfinished deletion or uninstall",
            registry=registry,
        )
        self._overdue = Gauge(
            "vsearch_retention_overdue_seconds",
            "Time since the oldest image that is still there should have been deleted by its age",
            registry=registry,
        )
        self._backed_up = Gauge(
            "vsearch_backup_timestamp_seconds",
            "Unix time of the newest scheduled backup; NaN if there is none",
            registry=registry,
        )
        self._backed_up.set(math.nan)
        # Each scrape updates these gauges; until the first one they are unknown.
        self.inbox(None)
        self.obligations(None)
        self.texts(None)
        for hit in (True, False):
            self._cache.labels(_cache_outcome(hit))
        ProcessCollector(namespace="vsearch", registry=registry)

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Record the seconds from a delivery to its acknowledgement."""
        self._acknowledged.labels(kind).observe(seconds)

    def searched(self, outcome: str, seconds: float) -> None:
        """Record a finished search."""
        self._searched.labels(outcome).observe(seconds)

    def added(self, outcome: str) -> None:
        """Count an attempt to add an image."""
        self._added.labels(outcome).inc()

    def cache(self, hit: bool) -> None:
        """Count a lookup in the cache of recent results."""
        self._cache.labels(_cache_outcome(hit)).inc()

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        """Record an attempt at a job of the inbox."""
        self._jobs.labels(kind, outcome).observe(seconds)

    def backend_error(self, kind: str) -> None:
        """Count an error of the search back end."""
        self._backend_errors.labels(kind).inc()

    def embedded(self, seconds: float) -> None:
        """Record the seconds that the model took to embed a picture."""
        self._embedded.observe(seconds)

    def text_read(self, outcome: str, seconds: float) -> None:
        """Record that the text of a stored picture was read."""
        self._texts_read.labels(outcome).observe(seconds)

    def texts(self, counts: TextCounts | None) -> None:
        """Set the gauges of texts; None sets them to NaN, because they are unknown."""
        for state in ("read", "unreadable", "waiting"):
            self._texts.labels(state).set(math.nan if counts is None else getattr(counts, state))

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        """Record a call to the hosted service."""
        self._hosted.labels(operation, outcome).observe(seconds)

    def hosted_charged(self, calls: int) -> None:
        """Count calls that the hosted service charges for."""
        self._charged.inc(calls)

    def inbox(self, depth: InboxDepth | None, now: datetime | None = None) -> None:
        """Set the inbox gauges; None sets them to NaN, because the depth is unknown."""
        if depth is None:
            self._waiting.set(math.nan)
            self._oldest.set(math.nan)
            return
        self._waiting.set(depth.waiting)
        age = ((now or datetime.now(UTC)) - depth.oldest).total_seconds() if depth.oldest else 0.0
        self._oldest.set(max(age, 0.0))

    def obligations(self, found: OpenObligations | None, now: datetime | None = None) -> None:
        """Set the gauges of obligations; None sets them to NaN, because they are unknown."""
        for kind in JobKind:
            if kind.is_obligation:
                self._obligations.labels(kind).set(math.nan if found is None else found.counts.get(kind, 0))
        if found is None:
            self._oldest_obligation.set(math.nan)
            self._overdue.set(math.nan)
            return
        now = now or datetime.now(UTC)
        for gauge, since in ((self._oldest_obligation, found.oldest), (self._overdue, found.overdue_since)):
            gauge.set(max((now - since).total_seconds(), 0.0) if since else 0.0)

    def backed_up(self, at: datetime) -> None:
        """Set the time of the newest scheduled backup."""
        self._backed_up.set(at.timestamp())

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def _cache_outcome(hit: bool) -> str:
    return "hit" if hit else "miss"

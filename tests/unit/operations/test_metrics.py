"""Prometheus metrics."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.jobs import InboxDepth
from bot.telemetry.metrics import Metrics, NullMetrics
from bot.telemetry.prometheus import PrometheusMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _samples(metrics: PrometheusMetrics) -> dict[str, float]:
    return {
        sample.name + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def _used(metrics: Metrics) -> None:
    metrics.acknowledged("command", 0.02)
    metrics.searched("found", 0.7)
    metrics.added("added")
    metrics.cache(hit=True)
    metrics.job("share", "done", 1.2)
    metrics.backend_error("timeout")
    metrics.embedded(0.04)
    metrics.hosted_call("search", "answered", 0.3)
    metrics.hosted_charged(1)


def test_all_metrics_are_exposed() -> None:
    metrics = PrometheusMetrics()
    _used(metrics)
    samples = _samples(metrics)
    for name in (
        "vsearch_acknowledgement_seconds_count kind=command",
        "vsearch_acknowledgement_seconds_bucket kind=command le=0.3",
        "vsearch_search_seconds_count outcome=found",
        "vsearch_adds_total outcome=added",
        "vsearch_cache_total outcome=hit",
        "vsearch_job_seconds_count kind=share outcome=done",
        "vsearch_backend_errors_total kind=timeout",
        "vsearch_embedding_seconds_count",
        "vsearch_hosted_call_seconds_count operation=search outcome=answered",
        "vsearch_hosted_charged_calls_total",
    ):
        assert samples[name] == 1, name
    assert samples["vsearch_acknowledgement_seconds_bucket kind=command le=0.01"] == 0
    assert samples["vsearch_job_seconds_sum kind=share outcome=done"] == pytest.approx(1.2)
    assert samples["vsearch_cache_total outcome=miss"] == 0


def test_every_metric_has_the_vsearch_prefix() -> None:
    metrics = PrometheusMetrics()
    _used(metrics)
    assert all(name.startswith("vsearch_") for name in _samples(metrics))


def test_inbox_metrics_include_the_age_of_the_oldest_job() -> None:
    metrics = PrometheusMetrics()
    metrics.inbox(InboxDepth(7, NOW - timedelta(seconds=90)), NOW)
    assert _samples(metrics)["vsearch_inbox_jobs"] == 7
    assert _samples(metrics)["vsearch_inbox_oldest_seconds"] == 90


@pytest.mark.parametrize("oldest", [None, NOW + timedelta(seconds=5)])
def test_age_is_zero_for_an_empty_inbox_and_for_jobs_from_the_future(oldest: datetime | None) -> None:
    metrics = PrometheusMetrics()
    metrics.inbox(InboxDepth(0, oldest), NOW)
    assert _samples(metrics)["vsearch_inbox_oldest_seconds"] == 0


def test_unreadable_inbox_is_not_reported_as_empty() -> None:
    metrics = PrometheusMetrics()
    assert math.isnan(_samples(metrics)["vsearch_inbox_jobs"])
    metrics.inbox(InboxDepth(1, NOW), NOW)
    metrics.inbox(None)
    assert math.isnan(_samples(metrics)["vsearch_inbox_jobs"])


def test_registries_are_independent() -> None:
    one, other = PrometheusMetrics(), PrometheusMetrics()
    _used(one)
    assert "vsearch_adds_total outcome=added" not in _samples(other)
    assert b"vsearch" not in prometheus_client.generate_latest()


def test_null_metrics_accept_every_call() -> None:
    _used(NullMetrics())


def test_newest_backup_is_unknown_until_there_is_one() -> None:
    metrics = PrometheusMetrics()
    assert math.isnan(_samples(metrics)["vsearch_backup_timestamp_seconds"])
    metrics.backed_up(NOW)
    assert _samples(metrics)["vsearch_backup_timestamp_seconds"] == NOW.timestamp()

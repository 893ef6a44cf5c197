"""Health and metrics over HTTP."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from starlette.requests import Request

from bot.domain.errors import BackendDown
from bot.domain.jobs import InboxDepth, JobKind, OpenObligations
from bot.storage.ports.inbox import Inbox
from bot.telemetry.prometheus import PrometheusMetrics
from bot.web.health import MetricsEndpoint, ReadinessEndpoint
from tests.unit.web.web_application import WebClient


async def test_liveness_does_not_depend_on_anything() -> None:
    web = WebClient(checks={"database": _failing})
    web.storage.failure = BackendDown("gone")
    assert (await web.get("/healthz")).text == "ok"
    assert (await web.ask("HEAD", "/healthz")).status_code == 200


async def _passing() -> None:
    return


async def _failing() -> None:
    raise BackendDown("postgresql://user:hidden@10.0.0.7 is gone")


async def test_readiness_is_200_when_all_checks_pass() -> None:
    answer = await WebClient(checks={"database": _passing, "Slack": _passing}).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "Slack": "ok"}}


async def test_readiness_names_failed_checks_without_details(caplog: pytest.LogCaptureFixture) -> None:
    answer = await WebClient(checks={"database": _failing, "Slack": _passing}).get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "checks": {"database": "failing", "Slack": "ok"}}
    assert "database is failing: BackendDown" in caplog.text


async def test_hanging_check_times_out() -> None:
    async def stubborn() -> None:
        # The check even ignores a cancellation for a while.
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    request = Request({"type": "http", "method": "GET", "headers": []})
    answer = await ReadinessEndpoint({"engine": stubborn, "database": _passing}, timeout_s=0.01).answer(request)
    assert answer.status_code == 503
    assert json.loads(bytes(answer.body))["checks"] == {"engine": "slow", "database": "ok"}


async def test_checks_run_at_most_once_a_second() -> None:
    asked, now = 0, 0.0

    async def check() -> None:
        nonlocal asked
        asked += 1

    readiness = ReadinessEndpoint({"database": check}, clock=lambda: now)
    request = Request({"type": "http", "method": "GET", "headers": []})
    await asyncio.gather(*(readiness.answer(request) for _ in range(10)))
    assert asked == 1
    now = 1.0
    await readiness.answer(request)
    assert asked == 2


async def test_metrics_show_the_current_inbox() -> None:
    web = WebClient()
    web.metrics.added("added")
    answer = await web.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'vsearch_adds_total{outcome="added"} 1.0' in answer.text
    assert "vsearch_inbox_jobs 3.0" in answer.text
    oldest = next(line for line in answer.text.splitlines() if line.startswith("vsearch_inbox_oldest_seconds"))
    assert 3600 <= float(oldest.split()[1]) < 3700


async def test_metrics_are_served_without_an_inbox() -> None:
    web = WebClient()
    web.metrics.added("added")
    web.storage.failure = BackendDown("gone")
    text = (await web.get("/metrics")).text
    assert "vsearch_inbox_jobs NaN" in text
    assert "vsearch_adds_total" in text


async def test_hanging_inbox_does_not_delay_the_metrics() -> None:
    class Stuck:
        async def depth(self) -> InboxDepth:
            await asyncio.Event().wait()
            raise AssertionError

        async def open_obligations(self) -> OpenObligations:
            await asyncio.Event().wait()
            raise AssertionError

    scrape = MetricsEndpoint(PrometheusMetrics(), cast("Inbox", Stuck()), timeout_s=0.01)
    answer = await scrape.answer(Request({"type": "http", "method": "GET", "headers": []}))
    assert answer.status_code == 200


async def test_late_deletions_are_reported_beside_the_checks() -> None:
    async def late() -> tuple[str, ...]:
        return ("open obligations: 2 forget",)

    answer = await WebClient(checks={"database": _passing}, details=late).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"database": "ok"},
        "details": ["open obligations: 2 forget"],
    }


async def test_metrics_show_open_obligations() -> None:
    async def report() -> OpenObligations:
        long_ago = datetime.now(UTC) - timedelta(hours=3)
        return OpenObligations({JobKind.FORGET: 2}, long_ago, 9, long_ago)

    text = (await WebClient(obligations=report).get("/metrics")).text
    assert 'vsearch_obligations{kind="forget"} 2.0' in text
    assert 'vsearch_obligations{kind="uninstall"} 0.0' in text
    values = dict(
        line.split() for line in text.splitlines() if line.startswith(("vsearch_obligations_o", "vsearch_ret"))
    )
    assert {round(float(value) / 3600) for value in values.values()} == {3}
    assert len(values) == 2

"""Endpoints for operators: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.domain.jobs import OpenObligations
from bot.domain.texts import TextCounts
from bot.storage.ports.inbox import Inbox
from bot.telemetry.prometheus import PrometheusMetrics

log = logging.getLogger(__name__)

Count = TypeVar("Count")

HealthCheck = Callable[[], Awaitable[None]]

Details = Callable[[], Awaitable[Sequence[str]]]
"""Returns sentences for the answer that don't make the process unready. Writes nothing."""

TextProgress = Callable[[], Awaitable[TextCounts]]
"""Counts the images whose text was read. Raises BackendError."""

OpenObligationsReport = Callable[[], Awaitable[OpenObligations]]

CHECK_TIMEOUT_S = 2.0
CACHE_S = 1.0
"""Answers are cached this long, so that public requests can't overload the dependencies."""

OK = "ok"
FAILING = "failing"
TIMED_OUT = "slow"

_FRESH = {"Cache-Control": "no-store"}


async def no_details() -> Sequence[str]:
    """Return no sentences."""
    return ()


class LivenessEndpoint:
    """``GET /healthz``: answers 200 as long as the process runs, with the version of the program.

    A restart would not repair a broken dependency.
    """

    def __init__(self, version: str) -> None:
        self._text = f"{OK}\nvsearch {version}\n" if version else OK

    async def answer(self, _request: Request) -> Response:
        """Answer 200."""
        return PlainTextResponse(self._text, headers=_FRESH)


class ReadinessEndpoint:
    """Checks each dependency. The answer names failing ones; the reasons go to the log.

    If there are ``details``, such as deletions that are late, the answer has them too.
    """

    def __init__(
        self,
        checks: Mapping[str, HealthCheck],
        *,
        details: Details = no_details,
        timeout_s: float = CHECK_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = dict(checks)
        self._details = details
        self._timeout_s = timeout_s
        self._clock = clock
        self._checking = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._sentences: Sequence[str] = ()
        self._fresh_until = -1.0

    async def answer(self, _request: Request) -> Response:
        """Answer 200 if every check succeeds, else 503."""
        async with self._checking:
            if self._clock() >= self._fresh_until:
                self._found, self._sentences = await asyncio.gather(self._run_checks(), self._find_details())
                self._fresh_until = self._clock() + CACHE_S
            found, details = self._found, self._sentences
        ready = all(status == OK for status in found.values())
        answer = {"ready": ready, "checks": found} | ({"details": list(details)} if details else {})
        return JSONResponse(answer, 200 if ready else 503, headers=_FRESH)

    async def _find_details(self) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._details()
        except Exception as error:  # noqa: BLE001 - the checks say whether the process is ready
            log.warning("no details: %s: %s", type(error).__name__, error)
            return ()

    async def _run_checks(self) -> dict[str, str]:
        running = {name: asyncio.ensure_future(check()) for name, check in self._checks.items()}
        if running:
            # Not wait_for, which would wait for a check that ignores its cancellation.
            await asyncio.wait(running.values(), timeout=self._timeout_s)
        return {name: _status(name, task) for name, task in running.items()}


def _status(name: str, task: asyncio.Future[None]) -> str:
    if not task.done():
        task.cancel()
        log.warning("%s did not answer in time", name)
        return TIMED_OUT
    if task.cancelled():
        return FAILING
    if error := task.exception():
        log.warning("%s is failing: %s: %s", name, type(error).__name__, error)
        return FAILING
    return OK


class MetricsEndpoint:
    """``GET /metrics``: metrics in Prometheus' text format."""

    def __init__(
        self,
        metrics: PrometheusMetrics,
        inbox: Inbox,
        obligations: OpenObligationsReport | None = None,
        texts: TextProgress | None = None,
        *,
        timeout_s: float = CHECK_TIMEOUT_S,
    ) -> None:
        self._metrics = metrics
        self._texts = texts
        self._inbox = inbox
        self._obligations = obligations
        self._timeout_s = timeout_s

    async def answer(self, _request: Request) -> Response:
        """Return all metrics. Gauges of what can't be counted are NaN."""
        await self._update("inbox", self._inbox.depth, self._metrics.inbox)
        await self._update("obligations", self._obligations or self._inbox.open_obligations, self._metrics.obligations)
        if self._texts is not None:
            await self._update("texts", self._texts, self._metrics.texts)
        return Response(self._metrics.render(), headers=_FRESH | {"Content-Type": self._metrics.content_type})

    async def _update(
        self, what: str, count: Callable[[], Awaitable[Count]], set_gauges: Callable[[Count | None], None]
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                set_gauges(await count())
        except Exception as error:  # noqa: BLE001 - the other metrics are still useful
            log.warning("the %s could not be counted: %s: %s", what, type(error).__name__, error)
            set_gauges(None)

"""Whether the bot is alive, whether what it depends on is well, and its metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.storage.ports.inbox import Inbox
from bot.telemetry.metrics import PrometheusMetrics

log = logging.getLogger(__name__)

HealthCheck = Callable[[], Awaitable[None]]

CHECK_TIMEOUT_S = 2.0
CACHE_S = 1.0
"""Anyone may ask; what we depend on is not asked more often than this."""

OK = "ok"
FAILING = "failing"
TIMED_OUT = "slow"

_FRESH = {"Cache-Control": "no-store"}


async def alive(_request: Request) -> Response:
    """The process answers, whatever else is broken: restarting it would mend nothing."""
    return PlainTextResponse(OK, headers=_FRESH)


class ReadinessEndpoint:
    """Asks each dependency. What is wrong with one goes to the log; the answer only names it."""

    def __init__(
        self,
        checks: Mapping[str, HealthCheck],
        *,
        timeout_s: float = CHECK_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s
        self._clock = clock
        self._checking = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._fresh_until = -1.0

    async def answer(self, _request: Request) -> Response:
        """200 if all are well, else 503."""
        async with self._checking:
            if self._clock() >= self._fresh_until:
                self._found = await self._ask()
                self._fresh_until = self._clock() + CACHE_S
            found = self._found
        ready = all(word == OK for word in found.values())
        return JSONResponse({"ready": ready, "checks": found}, 200 if ready else 503, headers=_FRESH)

    async def _ask(self) -> dict[str, str]:
        asked = {name: asyncio.ensure_future(check()) for name, check in self._checks.items()}
        if asked:
            # Not wait_for: a check that does not let itself be cancelled would hold the answer back.
            await asyncio.wait(asked.values(), timeout=self._timeout_s)
        return {name: _word(name, task) for name, task in asked.items()}


def _word(name: str, task: asyncio.Future[None]) -> str:
    if not task.done():
        task.cancel()
        log.warning("%s does not answer", name)
        return TIMED_OUT
    if task.cancelled():
        return FAILING
    if error := task.exception():
        log.warning("%s is not well: %s: %s", name, type(error).__name__, error)
        return FAILING
    return OK


class MetricsEndpoint:
    """``GET /metrics``."""

    def __init__(self, metrics: PrometheusMetrics, inbox: Inbox, *, timeout_s: float = CHECK_TIMEOUT_S) -> None:
        self._metrics = metrics
        self._inbox = inbox
        self._timeout_s = timeout_s

    async def answer(self, _request: Request) -> Response:
        """All that was counted, and the inbox as it is now; the rest is told even if that can't be."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._metrics.inbox(await self._inbox.depth())
        except Exception as error:  # noqa: BLE001 - whatever keeps the inbox away
            log.warning("the inbox could not be counted: %s: %s", type(error).__name__, error)
            self._metrics.inbox(None)
        return Response(self._metrics.render(), headers=_FRESH | {"Content-Type": self._metrics.content_type})

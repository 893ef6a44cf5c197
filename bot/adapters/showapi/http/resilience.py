"""Timeouts, retries, the rate limiter and the circuit breaker of the hosted service's client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import stamina
import stamina.instrumentation
from aiolimiter import AsyncLimiter
from circuitbreaker import CircuitBreaker

from bot.adapters.showapi.http.error_codes import RetryRule
from bot.adapters.showapi.http.error_mapping import CallFailure
from bot.domain.errors import BackendDown, BackendGarbled, BackendThrottled, BackendTimeout
from bot.telemetry.supervision import supervise

log = logging.getLogger(__name__)

T = TypeVar("T")

_OUTAGES = (BackendDown, BackendTimeout, BackendGarbled)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts in seconds, and retry limits. The service's documentation recommends the connect and read timeouts."""

    connect_s: float = 5.0
    read_s: float = 5.0
    attempt_s: float = 10.0
    """For one attempt, including a response that arrives slowly."""
    overall_s: float = 12.0
    """For all attempts of a call and the pauses between them."""
    attempts: int = 3
    pause_s: float = 0.5
    """Pause before the second attempt. It doubles before the third. Up to ``pause_s`` of random jitter is added."""
    throttled_pause_s: float = 1.1
    """Pause after too many calls, times 1 to 2 at random. The service counts calls by the second."""
    last_start_s: float = 3.0
    """A call with less time left is not retried."""
    failures: int = 5
    """Failures in a row that open the circuit."""
    probe_after_s: float = 30.0
    """Time between the probes of an open circuit."""


DEFAULT_RETRY_POLICY = RetryPolicy()


class RateLimiter:
    """Spaces calls evenly. A burst after a pause, followed by the usual rate, would exceed the limit of one second."""

    # Spacing above the limit, because the network changes the intervals between calls.
    MARGIN = 1.05

    def __init__(self, calls_per_s: float) -> None:
        self._limiter = AsyncLimiter(1, self.MARGIN / calls_per_s)

    async def acquire(self, until: float) -> bool:
        """Wait for permission to make a call. Returns False if there is none before ``until``, in the loop's time."""
        try:
            async with asyncio.timeout_at(until):
                await self._limiter.acquire()
        except TimeoutError:
            return False
        return True


class Circuit:
    """A circuit breaker. It opens after ``policy.failures`` failures in a row; then only ``probe`` calls the service.

    The first successful probe closes it.
    """

    def __init__(self, policy: RetryPolicy, probe: Callable[[], Awaitable[object]]) -> None:
        self._policy = policy
        self._probe = probe
        self._breaker = CircuitBreaker(policy.failures, policy.probe_after_s, _is_outage, name="showapi")
        self._was_closed = True
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether calls are allowed. False while a probe is running."""
        return bool(self._breaker.closed)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the success or failure of the call inside. A cancelled call counts as neither."""
        try:
            yield
        except Exception as error:
            self._record(error)
            raise
        else:
            self._record(None)

    def describe(self) -> str:
        """Return the log text for calls that are refused while the circuit is open."""
        return (
            f"the service failed {self._policy.failures} times in a row; no calls until it answers a probe; "
            f"the next probe is at {self._breaker.open_until:%H:%M:%S} UTC"
        )

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    def _record(self, error: Exception | None) -> None:
        with contextlib.suppress(Exception), self._breaker:
            if error is not None:
                raise error
        if self.is_closed == self._was_closed:
            return
        self._was_closed = self.is_closed
        if self.is_closed:
            log.warning("the image search answers again")
        else:
            self._on_open()

    def _on_open(self) -> None:
        log.warning(
            "the image search failed %d times in a row; no calls until it answers a probe; the next probe is in %g s",
            self._policy.failures,
            self._policy.probe_after_s,
        )
        if self._probing is None or self._probing.done():
            probe = supervise("showapi-probe", self._probe_until_recovered)
            self._probing = asyncio.create_task(probe, name="showapi-probe")

    async def _probe_until_recovered(self) -> None:
        while not self.is_closed:
            await asyncio.sleep(self._policy.probe_after_s)
            if not self.is_closed:
                try:
                    await self._probe()
                except CallFailure as failure:
                    log.info("the image search doesn't answer yet: %s", failure.description)


class Retrier:
    """Retries a call if that is safe and may help."""

    def __init__(self, policy: RetryPolicy, circuit: Circuit) -> None:
        self._policy = policy
        self._circuit = circuit
        # By default, stamina logs a warning for each retry and counts retries in the global metrics registry.
        stamina.instrumentation.set_on_retry_hooks([])

    async def run(self, call: Callable[[float], Awaitable[T]], *, idempotent: bool) -> T:
        """Return the result of ``call``, which gets its deadline in the loop's time. Raises the last CallFailure."""
        policy = self._policy
        until = asyncio.get_running_loop().time() + policy.overall_s
        doubtful, last_failure = False, ""

        def wait(error: Exception) -> bool | float:
            return isinstance(error, CallFailure) and self._wait(error, until, idempotent=idempotent)

        async for attempt in stamina.retry_context(
            wait,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.pause_s,
            wait_jitter=policy.pause_s,
            wait_max=policy.overall_s,
        ):
            if last_failure:
                log.info("retrying after: %s", last_failure)
            with attempt:
                try:
                    return await call(until)
                except CallFailure as failure:
                    if doubtful:
                        failure.mark_doubtful()
                    doubtful, last_failure = failure.may_have_been_done, failure.description
                    raise
        raise AssertionError

    def _wait(self, failure: CallFailure, until: float, *, idempotent: bool) -> bool | float:
        """Return False for no retry, True for one after the usual pause, or the length of the pause in seconds."""
        if not self._circuit.is_closed or until - asyncio.get_running_loop().time() < self._policy.last_start_s:
            return False
        if failure.retry is RetryRule.NEVER or (failure.retry is RetryRule.IF_IDEMPOTENT and not idempotent):
            return False
        if isinstance(failure.error, BackendThrottled):
            return self._policy.throttled_pause_s * random.uniform(1, 2)  # noqa: S311 - not for cryptography
        return True


def _is_outage(_kind: type[BaseException], error: BaseException) -> bool:
    return isinstance(error, CallFailure) and isinstance(error.error, _OUTAGES)

"""How long a call is waited for, when it is made again, and when the service is left alone for a while."""

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

log = logging.getLogger(__name__)

T = TypeVar("T")

_OUTAGES = (BackendDown, BackendTimeout, BackendGarbled)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How much is borne. Connecting and reading have the limits that the service's own description names."""

    connect_s: float = 5.0
    read_s: float = 5.0
    attempt_s: float = 10.0
    """For a whole answer, however it drips."""
    overall_s: float = 12.0
    """For all attempts of a call, and what lies between."""
    attempts: int = 3
    pause_s: float = 0.5
    """Before the second attempt; twice as long before the third; up to as much again is added by chance."""
    throttled_pause_s: float = 1.1
    """The same after too many calls: the service counts by the second."""
    last_start_s: float = 3.0
    """With less than this left of a call's time, it is not made again."""
    failures: int = 5
    """In a row, until the service is left alone."""
    probe_after_s: float = 30.0
    """Until it is asked again, by us alone."""


DEFAULT_RETRY_POLICY = RetryPolicy()


class RateLimiter:
    """The rate limit. No bursts: after a pause, a burst and the usual rate would be too much for one second."""

    # A second of ours is no longer than one of theirs, whatever the network does to the spaces between.
    MARGIN = 1.05

    def __init__(self, calls_per_s: float) -> None:
        self._limiter = AsyncLimiter(1, self.MARGIN / calls_per_s)

    async def acquire(self, until: float) -> bool:
        """Whether there was a turn before that moment of the loop's clock."""
        try:
            async with asyncio.timeout_at(until):
                await self._limiter.acquire()
        except TimeoutError:
            return False
        return True


class Circuit:
    """Open after some failures in a row: nobody but ``probe`` asks the service then, until that goes well."""

    def __init__(self, policy: RetryPolicy, probe: Callable[[], Awaitable[object]]) -> None:
        self._policy = policy
        self._probe = probe
        self._breaker = CircuitBreaker(policy.failures, policy.probe_after_s, _is_outage, name="showapi")
        self._known_to_be_closed = True
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the service may be asked. Not yet while a probe is under way."""
        return bool(self._breaker.closed)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """How it goes inside tells how the service is; only giving up waiting says nothing."""
        try:
            yield
        except Exception as error:
            self._record(error)
            raise
        else:
            self._record(None)

    def describe(self) -> str:
        """What operators are told of calls that are not made while it is open."""
        return (
            f"the service failed {self._policy.failures} times in a row, and is not asked again until it answers "
            f"a probe of ours; the next is due at {self._breaker.open_until:%H:%M:%S} UTC"
        )

    async def close(self) -> None:
        """Probe no more."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    def _record(self, error: Exception | None) -> None:
        with contextlib.suppress(Exception), self._breaker:
            if error is not None:
                raise error
        if self.is_closed == self._known_to_be_closed:
            return
        self._known_to_be_closed = self.is_closed
        if self.is_closed:
            log.warning("the image search answers again")
        else:
            self._on_open()

    def _on_open(self) -> None:
        log.warning(
            "the image search failed %d times in a row: it is left alone, and asked again in %g s by a probe only",
            self._policy.failures,
            self._policy.probe_after_s,
        )
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe_until_recovered(), name="showapi-probe")

    async def _probe_until_recovered(self) -> None:
        while not self.is_closed:
            await asyncio.sleep(self._policy.probe_after_s)
            if not self.is_closed:
                try:
                    await self._probe()
                except CallFailure as failure:
                    log.info("the image search doesn't answer yet: %s", failure.description)


class Retrier:
    """Makes a call again where that is safe and may help."""

    def __init__(self, policy: RetryPolicy, circuit: Circuit) -> None:
        self._policy = policy
        self._circuit = circuit
        # The library's own would write a warning for each, and count in a registry that nobody asked for.
        stamina.instrumentation.set_on_retry_hooks([])

    async def run(self, call: Callable[[float], Awaitable[T]], *, idempotent: bool) -> T:
        """The call's result; it is given the moment when all must be over. Raises the last Trouble."""
        patience = self._policy
        until = asyncio.get_running_loop().time() + patience.overall_s
        doubtful, told = False, ""

        def wait(error: Exception) -> bool | float:
            return isinstance(error, CallFailure) and self._wait(error, until, idempotent=idempotent)

        async for attempt in stamina.retry_context(
            wait,
            attempts=patience.attempts,
            timeout=None,
            wait_initial=patience.pause_s,
            wait_jitter=patience.pause_s,
            wait_max=patience.overall_s,
        ):
            if told:
                log.info("once more, after %s", told)
            with attempt:
                try:
                    return await call(until)
                except CallFailure as failure:
                    if doubtful:
                        failure.mark_doubtful()
                    doubtful, told = failure.may_have_been_done, failure.description
                    raise
        raise AssertionError

    def _wait(self, failure: CallFailure, until: float, *, idempotent: bool) -> bool | float:
        """Whether to make the call again, and if not after the usual pause, after which."""
        if not self._circuit.is_closed or until - asyncio.get_running_loop().time() < self._policy.last_start_s:
            return False
        if failure.again is RetryRule.NEVER or (failure.again is RetryRule.IF_IDEMPOTENT and not idempotent):
            return False
        if isinstance(failure.error, BackendThrottled):
            return self._policy.throttled_pause_s * random.uniform(1, 2)  # noqa: S311 - no secret
        return True


def _is_outage(_kind: type[BaseException], error: BaseException) -> bool:
    return isinstance(error, CallFailure) and isinstance(error.error, _OUTAGES)

"""Does what waits in the inbox: so much at once, again after a failure, and at last given up with a word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bot.domain.errors import BackendError, BotError, RetryLater
from bot.domain.jobs import Job
from bot.storage.ports.inbox import Inbox
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics, NullMetrics

log = logging.getLogger(__name__)

CONCURRENCY = 4
LEASE_S = 15.0
RETRY_DELAYS_S = (2.0, 10.0, 60.0, 300.0)
"""Between the attempts: a hiccup, a restart, a minute's limit of Slack's, an outage."""

POLL_S = 1.0
JITTER = 0.2
"""Jobs that failed together shall not come back together."""

_CANCELLED_WITHIN_S = 5.0
_HOST_CHARACTERS = 32

_NO_METRICS = NullMetrics()

HandleJob = Callable[[Job], Awaitable[None]]
"""Does a job. Whatever it raises, the job is done again later, so it has to bear that."""

GiveUpJob = Callable[[Job, Exception], Awaitable[None]]
"""Says the last word on a job that failed too often."""


class AttemptsCrashed(BotError):
    """Every attempt ended with its process: the job may be what ends it, so it is not begun again."""


class JobWorker:
    """One process's share of the inbox."""

    def __init__(
        self,
        inbox: Inbox,
        handle: HandleJob,
        give_up: GiveUpJob,
        *,
        concurrency: int = CONCURRENCY,
        lease_s: float = LEASE_S,
        delays_s: Sequence[float] = RETRY_DELAYS_S,
        poll_s: float = POLL_S,
        metrics: Metrics = _NO_METRICS,
    ) -> None:
        self._inbox = inbox
        self._handle = handle
        self._give_up = give_up
        self._at_once = concurrency
        self._lease_s = lease_s
        self._delays_s = tuple(delays_s)
        self._poll_s = poll_s
        self._metrics = metrics
        self._owner = f"{socket.gethostname()[:_HOST_CHARACTERS]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: dict[int, asyncio.Task[None]] = {}
        self._claiming = asyncio.Lock()
        self._woken, self._stopping, self._quiet = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._inbox_fails = False

    @property
    def owner(self) -> str:
        """The name that this worker's leases bear; no two workers share one."""
        return self._owner

    def wake(self) -> None:
        """Something was put into the inbox: look now, not at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Take up what is due until ``stop`` is through. Nothing that the inbox raises ends it."""
        beating, listening = asyncio.create_task(self._extend_leases()), asyncio.create_task(self._listen())
        try:
            await self._register()
            while not self._stopping.is_set():
                self._woken.clear()
                # An inbox that fails is asked at the pace of the poll, however often somebody calls.
                rested = self._woken if await self._take_up() else self._stopping
                await _until(rested, self._poll_s)
            # What still runs keeps its leases until then.
            await self._quiet.wait()
        finally:
            beating.cancel()
            listening.cancel()
            await asyncio.wait([beating, listening])

    async def stop(self, timeout_s: float) -> int:
        """Take up nothing more and let what runs finish; how many jobs had to be cut short.

        Those are let go of, so that the next process takes them up at once.
        """
        end = time.monotonic() + timeout_s
        self._stopping.set()
        self._woken.set()
        # A claim that is under way may still bring jobs, which are to be let go of too.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._claiming:
                pass
        unfinished = await self._finish_running(end)
        try:
            await self._inbox.release(self._owner)
        except Exception:
            log.exception("what was not finished could not be let go of: it is taken up when its lease is over")
        self._quiet.set()
        return unfinished

    async def _finish_running(self, end: float) -> int:
        running = set(self._running.values())
        if not running:
            return 0
        _, unfinished = await asyncio.wait(running, timeout=max(end - time.monotonic(), 0.0))
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=_CANCELLED_WITHIN_S)
        return len(unfinished)

    async def _register(self) -> None:
        try:
            left = await self._inbox.enter(self._owner)
        except Exception:
            log.exception("what a dead process left can't be seen to now: it is taken up when its lease is over")
        else:
            if left:
                log.info("%d jobs of a process that died are taken up again", left)

    async def _take_up(self) -> bool:
        """Begin what is due, as far as there is room; False if the inbox can't be asked."""
        free = self._at_once - len(self._running)
        if free <= 0:
            return True
        async with self._claiming:
            if self._stopping.is_set():
                return True
            try:
                jobs = await self._inbox.claim(self._owner, free, self._lease_s)
            except Exception as error:  # noqa: BLE001 - it is logged there, at the first failure of a row
                self._note_failure(error)
                return False
            self._inbox_fails = False
            if not self._stopping.is_set():
                self._begin(jobs)
        return True

    def _begin(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            # A process that was stopped for longer than a lease is given its own jobs again.
            if job.id in self._running:
                continue
            task = asyncio.create_task(self._run(job), name=f"job {job.id}")
            self._running[job.id] = task
            task.add_done_callback(partial(self._ended, job.id))

    def _ended(self, job: int, _task: asyncio.Task[None]) -> None:
        del self._running[job]
        self._woken.set()

    def _note_failure(self, error: Exception) -> None:
        if not self._inbox_fails:
            log.error("the inbox can't be asked; tried again every %s s", self._poll_s, exc_info=error)
        self._inbox_fails = True

    async def _extend_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if not self._running:
                continue
            try:
                await self._inbox.extend(self._owner, tuple(self._running), self._lease_s)
            except Exception:
                log.exception("the leases of %s jobs could not be extended", len(self._running))

    async def _listen(self) -> None:
        """Other processes put things too."""
        async for _ in self._inbox.arrivals():
            self._woken.set()

    async def _run(self, job: Job) -> None:
        outcome, started = "stopped", time.perf_counter()
        with request_scope():
            try:
                outcome = await self._outcome(job)
            except Exception:
                outcome = "lost"
                log.exception("what became of job %s can't be kept: it is taken up when its lease is over", job.id)
            finally:
                self._metrics.job(job.kind, outcome, time.perf_counter() - started)

    async def _outcome(self, job: Job) -> str:
        if job.attempts > len(self._delays_s) + 1:
            return await self._end(
                job, AttemptsCrashed(f"The process ended during each of {job.attempts - 1} attempts.")
            )
        try:
            await self._handle(job)
            await self._inbox.finish(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may go well
            return await self._handle_outcome(job, error)
        return "done"

    async def _handle_outcome(self, job: Job, error: Exception) -> str:
        if isinstance(error, BackendError):
            self._metrics.backend_error(type(error).__name__)
        if job.attempts > len(self._delays_s):
            return await self._end(job, error)
        delay = self._delay_s(job, error)
        log.warning(
            "attempt %s at job %s (%s) failed, again in %.1f s: %s",
            job.attempts,
            job.id,
            job.kind,
            delay,
            error or type(error).__name__,
            exc_info=None if isinstance(error, BotError) else error,
        )
        await self._inbox.retry(job, delay)
        return "retried"

    def _delay_s(self, job: Job, error: Exception) -> float:
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing secret about it
        delay = self._delays_s[max(job.attempts, 1) - 1] * jitter
        return max(delay, error.after_s) if isinstance(error, RetryLater) else delay

    async def _end(self, job: Job, error: Exception) -> str:
        log.error("job %s (%s) is given up", job.id, job.kind, exc_info=error)
        try:
            await self._give_up(job, error)
        except Exception:
            log.exception("the last word on job %s could not be said", job.id)
        await self._inbox.finish(job, failed=True)
        return "given_up"


async def _until(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

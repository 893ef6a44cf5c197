"""Worker for inbox jobs: runs several at once, and retries failures with a delay.

After the last attempt it gives a share or a request up. Obligations are retried until they succeed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bot.domain.errors import BackendError, BotError
from bot.domain.jobs import Job, LaneRoom, WorkerRoom
from bot.images.memory import on_behalf_of
from bot.services.job_leases import JobLeases
from bot.services.job_retries import RETRY_DELAYS_S, RetryPolicy
from bot.storage.ports.inbox import Inbox
from bot.telemetry import traces
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics, NullMetrics
from bot.telemetry.supervision import supervise

log = logging.getLogger(__name__)

CONCURRENCY = 4
OBLIGATIONS_AT_ONCE = 2
"""Obligations run beside the shares and requests, not in place of them."""

LEASE_S = 15.0
"""How long a claimed job stays with this worker unless the lease is extended."""

POLL_S = 1.0

_CANCELLED_WITHIN_S = 5.0
_HOST_CHARACTERS = 32

_NO_METRICS = NullMetrics()

HandleJob = Callable[[Job], Awaitable[None]]
"""Runs a job. It may run again after any exception or crash, so it must be idempotent."""

GiveUpJob = Callable[[Job, Exception], Awaitable[None]]
"""Called after the last attempt failed, to tell people."""


class AttemptsCrashed(BotError):
    """The process died during every attempt. The job may be the cause, so it isn't started again."""


class JobWorker:
    """Claims and runs jobs in one process.

    Workspaces take turns. While all the places of a lane are taken, one more is open to workspaces that have fewer than
    all of them, so that nobody waits for the slow jobs of one workspace. Obligations have places of their own.

    Args:
        inbox: The queue.
        handle: Runs a job.
        give_up: Called when the last attempt at a share or request has failed.
        concurrency: Maximum shares and requests of one workspace running at the same time.
        lease_s: Duration of a lease in seconds. It is extended every third of that.
        delays_s: Delays between attempts in seconds. There is one more attempt than there are delays. For obligations,
            OBLIGATION_DELAYS_S follow.
        poll_s: How often the inbox is polled in seconds, besides notifications.
        metrics: Receives the outcome and duration of each job.
    """

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
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._retries = RetryPolicy(tuple(delays_s))
        self._poll_s = poll_s
        self._metrics = metrics
        self._owner = f"{socket.gethostname()[:_HOST_CHARACTERS]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: dict[int, asyncio.Task[None]] = {}
        self._jobs: dict[int, Job] = {}
        self._leases = JobLeases(inbox, self._owner, lease_s, self._running)
        self._claiming = asyncio.Lock()
        self._wake_event, self._stopping, self._finished = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._inbox_failing = False

    @property
    def owner(self) -> str:
        """The unique name that this worker's leases are stored under."""
        return self._owner

    def wake(self) -> None:
        """Claim jobs now instead of at the next poll."""
        self._wake_event.set()

    async def run(self) -> None:
        """Claim and run due jobs until ``stop`` has finished. Errors of the inbox don't end it."""
        lease_task, listen_task = (
            asyncio.create_task(supervise(name, run), name=name)
            for name, run in (("leases of jobs", self._leases.keep_extending), ("notifications of jobs", self._listen))
        )
        try:
            await self._register()
            while not self._stopping.is_set():
                self._wake_event.clear()
                # While the inbox fails, ignore wake-ups and retry at the poll interval.
                wait_event = self._wake_event if await self._claim_and_start() else self._stopping
                await _wait_for(wait_event, self._poll_s)
            # Keep extending leases until the running jobs have finished.
            await self._finished.wait()
        finally:
            lease_task.cancel()
            listen_task.cancel()
            await asyncio.wait([lease_task, listen_task])

    async def stop(self, timeout_s: float) -> int:
        """Claim no more jobs, wait for the running ones, and return how many had to be cancelled.

        The leases of cancelled jobs are released, so that another process can claim them at once.
        """
        end = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake_event.set()
        # Wait for a claim in progress: the jobs that it returns must be released too.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._claiming:
                pass
        unfinished = await self._finish_running(end)
        try:
            await self._inbox.release(self._owner)
        except Exception:
            log.exception("could not release unfinished jobs; they run again when their leases expire")
        self._finished.set()
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
            recovered = await self._inbox.enter(self._owner)
        except Exception:
            log.exception("could not recover jobs of dead processes; they run again when their leases expire")
        else:
            if recovered:
                log.info("recovered %d jobs of processes that died", recovered)

    async def _claim_and_start(self) -> bool:
        """Claim and start jobs while there is room. Return False if the inbox fails."""
        room = self._room()
        free = max(room.obligations.free, 0) + max(room.others.free, 0)
        if not free:
            return True
        async with self._claiming:
            if self._stopping.is_set():
                return True
            try:
                jobs = await self._inbox.claim(self._owner, free, self._lease_s, room)
            except Exception as error:  # noqa: BLE001 - _log_failure logs the first of consecutive failures
                self._log_failure(error)
                return False
            self._inbox_failing = False
            if not self._stopping.is_set():
                self._start(jobs)
        return True

    def _room(self) -> WorkerRoom:
        obligations = Counter(job.workspace for job in self._jobs.values() if job.kind.is_obligation)
        others = Counter(job.workspace for job in self._jobs.values() if not job.kind.is_obligation)
        return WorkerRoom(
            LaneRoom(OBLIGATIONS_AT_ONCE - obligations.total(), OBLIGATIONS_AT_ONCE - 1, obligations),
            LaneRoom(self._concurrency + 1 - others.total(), self._concurrency, others),
        )

    def _start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            # A process that was suspended for longer than its lease may claim its own running jobs again.
            if job.id in self._running:
                continue
            task = asyncio.create_task(self._run(job), name=f"job {job.id}")
            self._running[job.id], self._jobs[job.id] = task, job
            task.add_done_callback(partial(self._on_task_done, job.id))

    def _on_task_done(self, job: int, _task: asyncio.Task[None]) -> None:
        del self._running[job], self._jobs[job]
        self._leases.forget(job)
        self._wake_event.set()

    def _log_failure(self, error: Exception) -> None:
        if not self._inbox_failing:
            log.error("the inbox is unavailable; retrying every %s s", self._poll_s, exc_info=error)
        self._inbox_failing = True

    async def _listen(self) -> None:
        """Wake up when another process adds a job."""
        async for _ in self._inbox.arrivals():
            self._wake_event.set()

    async def _run(self, job: Job) -> None:
        outcome, started = "stopped", time.perf_counter()
        with request_scope() as scope, traces.span(f"job {job.kind}", parent=job.trace, request_id=scope):
            try:
                outcome = await self._attempt(job)
            except Exception:
                outcome = "lost"
                log.exception("could not record the outcome of job %s; it runs again when its lease expires", job.id)
            finally:
                if self._leases.is_lost(job.id):
                    outcome = "lost"
                self._metrics.job(job.kind, outcome, time.perf_counter() - started)

    async def _attempt(self, claimed: Job) -> str:
        leased_at = time.monotonic()
        job = await self._inbox.begin(claimed)
        if job is None:
            return "lost"
        if self._retries.is_past_last(job):
            return await self._give_up_job(
                job, AttemptsCrashed(f"The process ended during each of {job.attempts - 1} attempts.")
            )
        failure = None
        try:
            # A process may have died of a picture at an earlier attempt. A decoder process dies alone.
            with self._leases.handling(job.id, leased_at), on_behalf_of(job.workspace, isolated=job.attempts > 1):
                await self._handle(job)
        except Exception as error:  # noqa: BLE001 - the next attempt may succeed after any error
            failure = error
        if failure is not None:
            return await self._handle_failure(job, failure)
        await self._inbox.finish(job)
        return "done"

    async def _handle_failure(self, job: Job, error: Exception) -> str:
        if isinstance(error, BackendError):
            self._metrics.backend_error(type(error).__name__)
        if self._retries.is_last(job):
            return await self._give_up_job(job, error)
        delay = self._retries.delay_s(job, error)
        log.log(
            logging.ERROR if self._retries.has_used_all_delays(job) else logging.WARNING,
            "attempt %s at job %s (%s) failed, retrying in %.1f s: %s",
            job.attempts,
            job.id,
            job.kind,
            delay,
            error or type(error).__name__,
            exc_info=None if isinstance(error, BotError) else error,
        )
        await self._inbox.retry(job, delay)
        return "retried"

    async def _give_up_job(self, job: Job, error: Exception) -> str:
        log.error("gave up job %s (%s)", job.id, job.kind, exc_info=error)
        try:
            await self._give_up(job, error)
        except Exception:
            log.exception("could not report the failure of job %s", job.id)
        await self._inbox.finish(job, failed=True)
        return "given_up"


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

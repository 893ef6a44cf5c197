"""Helpers for worker tests: a job handler that can be held or made to fail, and metrics that record calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bot.domain.jobs import Job
from bot.services.job_worker import JobWorker
from bot.telemetry.metrics import NullMetrics
from tests.fakes.inbox import MemoryInbox, share

LONG_S = 10.0
NEVER_S = 3600.0


class RecordingMetrics(NullMetrics):
    def __init__(self) -> None:
        self.jobs: list[tuple[str, str]] = []

    def job(self, kind: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.jobs.append((kind, outcome))


class Handler:
    """Records the jobs that it handles. If ``gate`` is cleared, jobs wait. ``errors`` are raised by the next jobs."""

    def __init__(self) -> None:
        self.begun: list[Job] = []
        self.done: list[int] = []
        self.given_up: list[tuple[int, Exception]] = []
        self.errors: list[Exception] = []
        self.at_once, self.most_at_once = 0, 0
        self.give_up_fails = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, job: Job) -> None:
        self.begun.append(job)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
            self.done.append(job.id)
        finally:
            self.at_once -= 1

    async def give_up(self, job: Job, error: Exception) -> None:
        self.given_up.append((job.id, error))
        if self.give_up_fails:
            raise ConnectionError("Slack is away")


async def eventually(true: Callable[[], object]) -> None:
    end = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.001)


@asynccontextmanager
async def running(worker: JobWorker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        await asyncio.wait_for(worker.stop(LONG_S), LONG_S)
        await asyncio.wait_for(task, LONG_S)


def worker_of(inbox: MemoryInbox, handler: Handler, **options: Any) -> JobWorker:
    return JobWorker(inbox, handler.handle, handler.give_up, **{"poll_s": NEVER_S, **options})


async def put(inbox: MemoryInbox, count: int = 1) -> None:
    for number in range(count):
        assert await inbox.put(share(number))

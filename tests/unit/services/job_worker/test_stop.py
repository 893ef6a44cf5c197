"""The job worker's stop, and its behaviour while the inbox fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from bot.domain.errors import BackendDown
from bot.domain.jobs import Job
from tests.fakes.inbox import MemoryInbox
from tests.fakes.jobs import LONG_S, Handler, RecordingMetrics, eventually, put, running, worker_of


async def test_stop_waits_for_running_jobs_and_claims_no_more(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 3)
    handler.gate.clear()
    worker = worker_of(inbox, handler, concurrency=2)
    task = asyncio.create_task(worker.run())
    await eventually(lambda: len(handler.begun) == 2)
    stopping = asyncio.create_task(worker.stop(LONG_S))
    await asyncio.sleep(0.001)
    assert not stopping.done()
    assert not task.done()
    handler.gate.set()
    assert await stopping == 0
    await asyncio.wait_for(task, LONG_S)
    assert inbox.states() == ["done", "done", "waiting"]


async def test_jobs_running_after_the_timeout_are_cancelled_and_released(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 2)
    handler.gate.clear()
    metrics = RecordingMetrics()
    worker = worker_of(inbox, handler, metrics=metrics)
    task = asyncio.create_task(worker.run())
    await eventually(lambda: len(handler.begun) == 2)
    assert await worker.stop(0.001) == 2
    await asyncio.wait_for(task, LONG_S)
    assert inbox.released == [worker.owner]
    assert metrics.jobs == [("share", "stopped")] * 2
    assert handler.given_up == []
    # Another process can claim them at once, and the cancelled attempt isn't counted.
    assert [job.attempts for job in await inbox.claim("next", 5, 15)] == [0, 0]


async def test_leases_are_extended_during_a_stop(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    handler.gate.clear()
    worker = worker_of(inbox, handler, lease_s=0.003)
    async with running(worker):
        await eventually(lambda: handler.begun)
        stopping = asyncio.create_task(worker.stop(LONG_S))
        await asyncio.sleep(0)
        before = len(inbox.extended)
        await eventually(lambda: len(inbox.extended) > before + 1)
        handler.gate.set()
        assert await stopping == 0


async def test_jobs_claimed_during_a_stop_are_released(handler: Handler) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    class Slow(MemoryInbox):
        async def claim(self, *given: Any) -> tuple[Job, ...]:
            entered.set()
            await go_on.wait()
            return await super().claim(*given)

    inbox = Slow()
    await put(inbox, 2)
    worker = worker_of(inbox, handler)
    task = asyncio.create_task(worker.run())
    await entered.wait()
    stopping = asyncio.create_task(worker.stop(LONG_S))
    await asyncio.sleep(0.001)
    go_on.set()
    assert await stopping == 0
    await asyncio.wait_for(task, LONG_S)
    assert handler.begun == []
    assert inbox.states() == ["waiting", "waiting"]


async def test_stop_ends_although_the_inbox_fails(inbox: MemoryInbox, handler: Handler) -> None:
    worker = worker_of(inbox, handler)
    task = asyncio.create_task(worker.run())
    await eventually(lambda: inbox.claims)
    inbox.failing = BackendDown("away")
    assert await worker.stop(LONG_S) == 0
    await asyncio.wait_for(task, LONG_S)


async def test_worker_that_never_ran_can_be_stopped(inbox: MemoryInbox, handler: Handler) -> None:
    worker = worker_of(inbox, handler)
    assert await worker.stop(LONG_S) == 0
    await asyncio.wait_for(worker.run(), LONG_S)
    assert inbox.claims == []


async def test_failing_inbox_is_retried_and_logged_once(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    await put(inbox)
    inbox.failing = BackendDown("the disk is full")
    worker = worker_of(inbox, handler, poll_s=0.001)
    async with running(worker) as task:
        await asyncio.sleep(0.01)
        assert not task.done()
        inbox.failing = None
        await eventually(lambda: inbox.states() == ["done"])
    assert caplog.text.count("the inbox is unavailable") == 1


async def test_wake_ups_do_not_shorten_the_backoff(inbox: MemoryInbox, handler: Handler) -> None:
    asked = 0

    class Failing(MemoryInbox):
        async def claim(self, *_: Any) -> tuple[Job, ...]:
            nonlocal asked
            asked += 1
            raise BackendDown("away")

    worker = worker_of(Failing(), handler)
    async with running(worker):
        for _ in range(50):
            worker.wake()
            await asyncio.sleep(0)
    assert asked == 1


async def test_job_whose_outcome_is_not_recorded_runs_again_after_its_lease(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    await put(inbox)
    handler.gate.clear()
    metrics = RecordingMetrics()
    worker = worker_of(inbox, handler, metrics=metrics, poll_s=0.001)
    async with running(worker):
        await eventually(lambda: handler.begun)
        inbox.failing = BackendDown("away")
        handler.gate.set()
        await eventually(lambda: metrics.jobs == [("share", "lost")])
        inbox.failing = None
        assert inbox.states() == ["running"]
        inbox.advance(16)
        worker.wake()
        await eventually(lambda: inbox.states() == ["done"])
    assert "could not record the outcome of job 1" in caplog.text


async def test_worker_recovers_jobs_of_dead_processes_first(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.left = 3
    worker = worker_of(inbox, handler)
    await put(inbox)
    with caplog.at_level(logging.INFO):
        async with running(worker):
            await eventually(lambda: handler.done)
    assert inbox.entered == [worker.owner]
    assert "recovered 3 jobs of processes that died" in caplog.text

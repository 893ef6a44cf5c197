"""Obligations are never given up and run beside other work; and a job ends when its lease is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest

from bot.domain.errors import BackendDown
from bot.domain.jobs import Job, JobKind
from bot.services.job_retries import JITTER, OBLIGATION_DELAYS_S, RETRY_DELAYS_S
from bot.services.job_worker import JobWorker
from tests.fakes.inbox import MemoryInbox, share
from tests.fakes.jobs import NEVER_S, Handler, RecordingMetrics, eventually, put, running, worker_of

DAY_S = 86_400.0


async def put_deletion(inbox: MemoryInbox, number: int = 900, workspace: str = "T1") -> None:
    deletion = dataclasses.replace(share(number, workspace), kind=JobKind.FORGET, channel="forget:C1")
    assert await inbox.put(deletion)


async def test_failing_obligation_is_retried_for_days_until_it_succeeds(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    await put_deletion(inbox)
    handler.errors = [BackendDown("away")] * 40
    metrics, passed = RecordingMetrics(), 0.0
    worker = worker_of(inbox, handler, metrics=metrics)
    async with running(worker):
        for number in range(1, 41):
            await eventually(lambda: len(inbox.retries) == number)  # noqa: B023 - it is over before the next
            _, delay = inbox.retries[-1]
            passed += delay
            assert delay <= OBLIGATION_DELAYS_S[-1] * (1 + JITTER)
            open_now = await inbox.open_obligations()
            assert (open_now.total, open_now.most_attempts) == (1, number)
            inbox.advance(delay)
            worker.wake()
        await eventually(lambda: inbox.states() == ["done"])
    assert passed > 4 * DAY_S
    assert handler.given_up == []
    assert metrics.jobs == [("forget", "retried")] * 40 + [("forget", "done")]
    levels = [record.levelno for record in caplog.records if "failed, retrying" in record.getMessage()]
    assert levels == [logging.WARNING] * len(RETRY_DELAYS_S) + [logging.ERROR] * (40 - len(RETRY_DELAYS_S))


async def test_deletion_does_not_wait_behind_running_shares(inbox: MemoryInbox, handler: Handler) -> None:
    slow = asyncio.Event()

    async def handle(job: Job) -> None:
        if job.kind is JobKind.SHARE and job.workspace == "T1":
            await slow.wait()
        await handler.handle(job)

    await put(inbox, 50)
    worker = JobWorker(inbox, handle, handler.give_up, concurrency=2, poll_s=NEVER_S)
    async with running(worker):
        await eventually(lambda: inbox.states().count("running") == 2)
        await put_deletion(inbox)
        # Nor does the share of another workspace.
        assert await inbox.put(share(1, "T2"))
        worker.wake()
        await eventually(lambda: len(handler.done) == 2)
        assert {job.kind for job in handler.begun} == {JobKind.FORGET, JobKind.SHARE}
        assert inbox.states().count("running") == 2
        slow.set()


async def test_shares_do_not_wait_behind_running_obligations(inbox: MemoryInbox, handler: Handler) -> None:
    slow = asyncio.Event()

    async def handle(job: Job) -> None:
        if job.kind.is_obligation:
            await slow.wait()
        await handler.handle(job)

    for number in range(9):
        await put_deletion(inbox, number, f"T{number}")
    async with running(JobWorker(inbox, handle, handler.give_up, concurrency=1, poll_s=NEVER_S)) as task:
        assert await inbox.put(share(1))
        await eventually(lambda: len(handler.done) == 1)
        assert not task.done()
        slow.set()


async def test_job_whose_lease_was_lost_is_cancelled(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    await put(inbox)
    handler.gate.clear()
    metrics = RecordingMetrics()
    async with running(worker_of(inbox, handler, lease_s=0.03, metrics=metrics)):
        await eventually(lambda: handler.begun)
        inbox.advance(NEVER_S)
        [job] = await inbox.claim("another", 1, 1e6)
        await eventually(lambda: metrics.jobs == [("share", "lost")])
        assert inbox.kept[job.id].owner == "another"
    assert handler.done == []
    assert "has run out" in caplog.text


async def test_job_is_cancelled_if_its_lease_cannot_be_extended_in_time(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    handler.gate.clear()
    metrics = RecordingMetrics()
    async with running(worker_of(inbox, handler, lease_s=0.03, metrics=metrics)):
        await eventually(lambda: handler.begun)
        inbox.failing = BackendDown("away")
        await eventually(lambda: metrics.jobs == [("share", "lost")])
        inbox.failing = None
    assert handler.done == []

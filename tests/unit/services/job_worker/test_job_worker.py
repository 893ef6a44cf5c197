"""The job worker: concurrency, wake-ups, retries and leases."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bot.domain.errors import BackendDown, RetryLater
from bot.domain.jobs import Job
from bot.images.memory import must_isolate
from bot.services.job_retries import JITTER, RETRY_DELAYS_S
from bot.services.job_worker import AttemptsCrashed, JobWorker
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.logs import TextFormatter
from tests.fakes.inbox import MemoryInbox, share
from tests.fakes.jobs import NEVER_S, Handler, RecordingMetrics, eventually, put, running, worker_of
from tests.fixtures.storages import StoragePlace


async def begin_and_crash(inbox: MemoryInbox, owner: str) -> None:
    """Let a process begin a job and die, and its lease expire."""
    [job] = await inbox.claim(owner, 1, lease_s=15)
    assert await inbox.begin(job)
    inbox.advance(16)


async def test_jobs_from_before_the_start_are_run(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 3)
    metrics = RecordingMetrics()
    async with running(worker_of(inbox, handler, metrics=metrics)):
        await eventually(lambda: inbox.states() == ["done"] * 3)
    assert handler.done == [1, 2, 3]
    assert metrics.jobs == [("share", "done")] * 3


async def test_wake_claims_jobs_before_the_next_poll(inbox: MemoryInbox, handler: Handler) -> None:
    worker = worker_of(inbox, handler)
    async with running(worker):
        await eventually(lambda: inbox.claims)
        await put(inbox)
        worker.wake()
        await eventually(lambda: handler.done == [1])


async def test_repeated_job_decodes_in_decoder_processes_only(inbox: MemoryInbox) -> None:
    """The process may have died of a picture at the first attempt."""
    isolated: list[bool] = []

    async def handle(_job: Job) -> None:
        isolated.append(must_isolate())
        if len(isolated) == 1:
            raise RetryLater("busy")

    await put(inbox)
    async with running(JobWorker(inbox, handle, Handler().give_up, poll_s=0.001)):
        await eventually(lambda: inbox.retries)
        inbox.advance(NEVER_S)
        await eventually(lambda: inbox.states() == ["done"])
    assert isolated == [False, True]


async def test_poll_finds_jobs_without_a_wake_up(inbox: MemoryInbox, handler: Handler) -> None:
    async with running(worker_of(inbox, handler, poll_s=0.001)):
        await eventually(lambda: inbox.claims)
        await put(inbox)
        await eventually(lambda: handler.done == [1])


async def test_concurrency_limits_claimed_and_running_jobs(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 9)
    handler.gate.clear()
    worker = worker_of(inbox, handler, concurrency=2)
    async with running(worker):
        await eventually(lambda: len(handler.begun) == 2)
        for _ in range(20):
            worker.wake()
            await asyncio.sleep(0)
        assert inbox.states().count("running") == 2
        handler.gate.set()
        await eventually(lambda: inbox.states() == ["done"] * 9)
    assert handler.most_at_once == 2
    assert max(inbox.claims) == 2


async def test_free_slot_is_used_while_another_job_still_runs(inbox: MemoryInbox, handler: Handler) -> None:
    slow = asyncio.Event()

    async def handle(job: Job) -> None:
        if job.id == 1:
            await slow.wait()
        await handler.handle(job)

    await put(inbox, 6)
    async with running(JobWorker(inbox, handle, handler.give_up, concurrency=2, poll_s=NEVER_S)):
        await eventually(lambda: handler.done == [2, 3, 4, 5, 6])
        slow.set()
        await eventually(lambda: handler.done[-1] == 1)


@pytest.mark.parametrize("error", [BackendDown("away"), RetryLater("busy"), RuntimeError("a mistake of ours")])
async def test_failed_job_is_retried_after_each_delay_and_then_given_up(
    inbox: MemoryInbox, handler: Handler, error: Exception
) -> None:
    await put(inbox)
    handler.errors = [error] * 10
    metrics = RecordingMetrics()
    worker = worker_of(inbox, handler, metrics=metrics)
    async with running(worker):
        for number, delay in enumerate(RETRY_DELAYS_S, start=1):
            await eventually(inbox.retries.__len__)
            job, delayed = inbox.retries.pop()
            assert job == 1
            assert delay * (1 - JITTER) <= delayed <= delay * (1 + JITTER)
            inbox.advance(delayed * 0.99)
            worker.wake()
            await asyncio.sleep(0.001)
            assert len(handler.begun) == number
            inbox.advance(delayed)
            worker.wake()
        await eventually(lambda: inbox.states() == ["failed"])
    assert [job.attempts for job in handler.begun] == [1, 2, 3, 4, 5]
    assert handler.given_up == [(1, error)]
    assert metrics.jobs == [("share", "retried")] * 4 + [("share", "given_up")]


async def test_job_that_succeeds_on_retry_is_done(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    handler.errors = [BackendDown("away")]
    async with running(worker_of(inbox, handler, delays_s=(0.0,), poll_s=0.001)):
        await eventually(lambda: inbox.states() == ["done"])
    assert (handler.done, handler.given_up) == ([1], [])


async def test_retry_after_of_slack_is_honoured(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    handler.errors = [RetryLater("busy", after_s=77.0)]
    async with running(worker_of(inbox, handler)):
        await eventually(lambda: inbox.retries)
    assert inbox.retries == [(1, 77.0)]


async def test_retry_delays_have_jitter(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 8)
    handler.errors = [BackendDown("away") for _ in range(8)]
    async with running(worker_of(inbox, handler)):
        await eventually(lambda: len(inbox.retries) == 8)
    assert len({delay for _, delay in inbox.retries}) > 1


async def test_job_that_crashed_every_attempt_is_given_up(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    for number in range(len(RETRY_DELAYS_S) + 1):
        await begin_and_crash(inbox, f"process {number}")
    async with running(worker_of(inbox, handler)):
        await eventually(lambda: inbox.states() == ["failed"])
    assert handler.begun == []
    [(job, error)] = handler.given_up
    assert job == 1
    assert isinstance(error, AttemptsCrashed)


async def test_last_attempt_runs_although_earlier_ones_crashed(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    for number in range(len(RETRY_DELAYS_S)):
        await begin_and_crash(inbox, f"process {number}")
    async with running(worker_of(inbox, handler)):
        await eventually(lambda: inbox.states() == ["done"])
    assert [job.attempts for job in handler.begun] == [5]


async def test_failed_give_up_is_logged_and_ends_the_job(
    inbox: MemoryInbox, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    await put(inbox)
    handler.errors = [BackendDown("away")]
    handler.give_up_fails = True
    async with running(worker_of(inbox, handler, delays_s=())):
        await eventually(lambda: inbox.states() == ["failed"])
    assert "could not report the failure of job 1" in caplog.text


async def test_leases_are_extended_while_a_job_runs(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox, 2)
    handler.gate.clear()
    async with running(worker_of(inbox, handler, lease_s=0.003)):
        await eventually(lambda: len(inbox.extended) >= 3)
        handler.gate.set()
    assert inbox.extended[0] == (1, 2)
    assert len(handler.begun) == 2


async def test_running_job_that_is_claimed_again_is_not_started_twice(inbox: MemoryInbox, handler: Handler) -> None:
    await put(inbox)
    handler.gate.clear()
    worker = worker_of(inbox, handler)
    async with running(worker):
        await eventually(lambda: handler.begun)
        # Like after a suspended machine: the lease has expired, and no other worker claimed the job.
        inbox.advance(NEVER_S)
        worker.wake()
        await eventually(lambda: inbox.kept[1].due > inbox.now)
        handler.gate.set()
        await eventually(lambda: inbox.states() == ["done"])
    assert len(handler.begun) == 1


async def test_each_job_logs_with_its_own_request_id(inbox: MemoryInbox, caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(TextFormatter().format(record))

    log = logging.getLogger("tests.jobs")
    caplog.set_level(logging.INFO, "tests.jobs")
    log.addHandler(own := Lines())

    async def handle(job: Job) -> None:
        log.info("job %s", job.id)

    try:
        await put(inbox, 2)
        async with running(JobWorker(inbox, handle, Handler().give_up, poll_s=NEVER_S)):
            await eventually(lambda: inbox.states() == ["done"] * 2)
    finally:
        log.removeHandler(own)
    identifiers = {line.split()[3] for line in lines}
    assert len(identifiers) == 2
    assert "-" not in identifiers


async def test_job_from_another_process_is_claimed_at_once(inbox: MemoryInbox, handler: Handler) -> None:
    async with running(JobWorker(inbox, handler.handle, handler.give_up, poll_s=NEVER_S)):
        await eventually(lambda: len(inbox.claims) == 1)
        await put(inbox)
        inbox.arrived.set()
        await eventually(lambda: handler.done == [1])


async def test_worker_is_notified_of_jobs_from_another_process_in_postgresql(
    tmp_path: Path, postgres_address: str, handler: Handler
) -> None:
    here, there = [await SqlStorage.open(tmp_path, postgres_address) for _ in range(2)]
    try:
        async with running(JobWorker(here.inbox, handler.handle, handler.give_up, poll_s=NEVER_S)):
            for number in range(3):
                await there.inbox.put(share(number))
                await eventually(lambda: len(handler.done) == number + 1)  # noqa: B023 - it is over before the next
    finally:
        for storage in (here, there):
            await storage.close()


def test_owner_names_are_unique_and_fit_the_column(inbox: MemoryInbox, handler: Handler) -> None:
    owners = {worker_of(inbox, handler).owner for _ in range(20)}
    assert len(owners) == 20
    assert max(map(len, owners)) <= 64


async def test_two_workers_on_one_sql_inbox_run_each_job_once(storage_place: StoragePlace) -> None:
    storage = await storage_place.open()
    done: list[int] = []

    async def handle(job: Job) -> None:
        await asyncio.sleep(0)
        done.append(job.id)

    def one() -> JobWorker:
        return JobWorker(storage.inbox, handle, Handler().give_up, poll_s=0.001)

    try:
        for number in range(20):
            assert await storage.inbox.put(share(number))
        async with running(one()), running(one()):
            await eventually(lambda: len(done) == 20)
        assert (await storage.inbox.depth()).waiting == 0
        assert len(set(done)) == len(done) == 20
    finally:
        await storage.close()

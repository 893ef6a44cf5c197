"""BatchRunner: each caller gets its own vector, queued requests form batches, and close is clean."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bot.adapters.embedded.model.batch_runner import MAX_BATCH, BatchRunner
from bot.domain.errors import BackendDown, BackendError

Values = npt.NDArray[Any]

LONG_S = 10.0


class RecordingModel:
    """A model that doubles numbers and records its batches. It runs only while its gate is open."""

    model_id = "doubling"
    dimensions = 1

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def prepare(self, pixels: Values) -> Values:
        return pixels

    def run(self, prepared: Sequence[Values]) -> npt.NDArray[np.float32]:
        self.batches.append([int(one[0]) for one in prepared])
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.gate.wait(LONG_S)
        if any(one[0] < 0 for one in prepared):
            raise ArithmeticError("no negative numbers")
        return np.stack([np.asarray(one, np.float32) * 2 for one in prepared])


def number(value: int) -> Values:
    return np.array([value])


async def let_tasks_run(count: int = 20) -> None:
    """Let all tasks that are ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def model() -> RecordingModel:
    return RecordingModel()


@pytest.fixture
async def runner(model: RecordingModel) -> AsyncIterator[BatchRunner]:
    one = BatchRunner(model, 1)
    yield one
    model.gate.set()
    await asyncio.wait_for(one.close(), LONG_S)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embedding-")]


async def busy_worker(runner: BatchRunner, model: RecordingModel) -> asyncio.Task[Values]:
    """A request that keeps the worker busy until the gate opens."""
    model.gate.clear()
    busy = asyncio.create_task(runner.embed(number(1)))
    assert await asyncio.to_thread(model.entered.acquire, timeout=LONG_S)
    return busy


async def test_each_caller_gets_its_own_vector(model: RecordingModel) -> None:
    runner = BatchRunner(model, 3)
    answers = await asyncio.gather(*(runner.embed(number(value)) for value in range(200)))
    assert [int(answer[0]) for answer in answers] == [2 * value for value in range(200)]
    assert sorted(value for batch in model.batches for value in batch) == list(range(200))
    assert max(map(len, model.batches)) <= MAX_BATCH
    await runner.close()


async def test_single_request_runs_at_once(runner: BatchRunner, model: RecordingModel) -> None:
    assert (await asyncio.wait_for(runner.embed(number(4)), LONG_S))[0] == 8
    assert model.batches == [[4]]


async def test_queued_requests_run_as_batches(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await busy_worker(runner, model)
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in range(10, 10 + MAX_BATCH + 3)]
    await let_tasks_run()
    model.gate.set()
    await asyncio.gather(busy, *waiting)
    assert model.batches == [[1], list(range(10, 10 + MAX_BATCH)), [18, 19, 20]]


async def test_failure_reaches_only_the_callers_of_its_batch(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await busy_worker(runner, model)
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in (5, -1, 6)]
    await let_tasks_run()
    model.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [BackendError] * 3
    assert all(isinstance(result, BackendError) and "no negative" in str(result) for result in results)
    assert all(isinstance(result.__cause__, ArithmeticError) for result in results if isinstance(result, BackendError))
    assert len({id(result) for result in results}) == 3
    assert (await busy)[0] == 2
    assert (await runner.embed(number(7)))[0] == 14


async def test_too_few_vectors_raise_an_error_for_all_callers() -> None:
    class Forgetful(RecordingModel):
        def run(self, prepared: Sequence[Values]) -> npt.NDArray[np.float32]:
            return super().run(prepared)[:-1]

    runner = BatchRunner(Forgetful(), 1)
    for _ in range(2):
        with pytest.raises(BackendError):
            await asyncio.wait_for(runner.embed(number(1)), LONG_S)
    await runner.close()


async def test_cancelled_caller_does_not_affect_others(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await busy_worker(runner, model)
    leaving, staying = (asyncio.create_task(runner.embed(number(value))) for value in (2, 3))
    await let_tasks_run()
    leaving.cancel()
    busy.cancel()
    await let_tasks_run()
    model.gate.set()
    assert (await staying)[0] == 6
    assert leaving.cancelled()
    assert busy.cancelled()
    assert (await runner.embed(number(9)))[0] == 18


@pytest.mark.parametrize("threads", [1, 3])
async def test_close_finishes_queued_requests(model: RecordingModel, threads: int) -> None:
    runner = BatchRunner(model, threads)
    model.gate.clear()
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in range(50)]
    await let_tasks_run()
    closing = asyncio.create_task(runner.close())
    await let_tasks_run()
    assert not closing.done()
    model.gate.set()
    await asyncio.wait_for(closing, LONG_S)
    assert [int((await task)[0]) for task in waiting] == [2 * value for value in range(50)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embedding-")]


async def test_embed_after_close_raises_an_error(model: RecordingModel) -> None:
    runner = BatchRunner(model, 2)
    await runner.close()
    with pytest.raises(BackendDown):
        await asyncio.wait_for(runner.embed(number(1)), LONG_S)
    await asyncio.wait_for(runner.close(), LONG_S)
    assert model.batches == []


async def test_new_requests_are_refused_while_closing(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await busy_worker(runner, model)
    closing = asyncio.create_task(runner.close())
    await let_tasks_run()
    with pytest.raises(BackendDown):
        await runner.embed(number(2))
    model.gate.set()
    await closing
    assert (await busy)[0] == 2


def test_closed_event_loop_does_not_stop_the_workers(model: RecordingModel) -> None:
    """One caller's event loop is closed. Other callers still get their vectors."""
    runner = BatchRunner(model, 1)

    async def leave() -> None:
        model.gate.clear()
        asked = asyncio.create_task(runner.embed(number(1)))
        await let_tasks_run()
        asked.cancel()

    async def stay() -> None:
        model.gate.set()
        assert (await asyncio.wait_for(runner.embed(number(2)), LONG_S))[0] == 4
        await runner.close()

    asyncio.run(leave())
    asyncio.run(stay())

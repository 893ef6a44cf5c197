"""The model's queue: right answers to the right callers, batches under load, and a clean end."""

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
    """Doubles numbers. Remembers its batches; runs only while the gate is open."""

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


async def settled(count: int = 20) -> None:
    """Let every task that can go on do so."""
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


async def held(runner: BatchRunner, model: RecordingModel) -> asyncio.Task[Values]:
    """A worker that is busy with a picture until the gate opens."""
    model.gate.clear()
    busy = asyncio.create_task(runner.embed(number(1)))
    assert await asyncio.to_thread(model.entered.acquire, timeout=LONG_S)
    return busy


async def test_each_caller_gets_its_own_answer(model: RecordingModel) -> None:
    runner = BatchRunner(model, 3)
    answers = await asyncio.gather(*(runner.embed(number(value)) for value in range(200)))
    assert [int(answer[0]) for answer in answers] == [2 * value for value in range(200)]
    assert sorted(value for batch in model.batches for value in batch) == list(range(200))
    assert max(map(len, model.batches)) <= MAX_BATCH
    await runner.close()


async def test_a_lone_request_goes_at_once(runner: BatchRunner, model: RecordingModel) -> None:
    assert (await asyncio.wait_for(runner.embed(number(4)), LONG_S))[0] == 8
    assert model.batches == [[4]]


async def test_what_queues_up_goes_as_batches(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await held(runner, model)
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in range(10, 10 + MAX_BATCH + 3)]
    await settled()
    model.gate.set()
    await asyncio.gather(busy, *waiting)
    assert model.batches == [[1], list(range(10, 10 + MAX_BATCH)), [18, 19, 20]]


async def test_a_failure_reaches_all_of_its_batch_and_no_others(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await held(runner, model)
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in (5, -1, 6)]
    await settled()
    model.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [BackendError] * 3
    assert all(isinstance(result, BackendError) and "no negative" in str(result) for result in results)
    assert all(isinstance(result.__cause__, ArithmeticError) for result in results if isinstance(result, BackendError))
    assert len({id(result) for result in results}) == 3
    assert (await busy)[0] == 2
    assert (await runner.embed(number(7)))[0] == 14


async def test_a_model_that_gives_too_few_answers_leaves_nobody_waiting() -> None:
    class Forgetful(RecordingModel):
        def run(self, prepared: Sequence[Values]) -> npt.NDArray[np.float32]:
            return super().run(prepared)[:-1]

    runner = BatchRunner(Forgetful(), 1)
    for _ in range(2):
        with pytest.raises(BackendError):
            await asyncio.wait_for(runner.embed(number(1)), LONG_S)
    await runner.close()


async def test_a_caller_who_leaves_disturbs_nobody(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await held(runner, model)
    leaving, staying = (asyncio.create_task(runner.embed(number(value))) for value in (2, 3))
    await settled()
    leaving.cancel()
    busy.cancel()
    await settled()
    model.gate.set()
    assert (await staying)[0] == 6
    assert leaving.cancelled()
    assert busy.cancelled()
    assert (await runner.embed(number(9)))[0] == 18


@pytest.mark.parametrize("threads", [1, 3])
async def test_close_finishes_what_is_queued(model: RecordingModel, threads: int) -> None:
    runner = BatchRunner(model, threads)
    model.gate.clear()
    waiting = [asyncio.create_task(runner.embed(number(value))) for value in range(50)]
    await settled()
    closing = asyncio.create_task(runner.close())
    await settled()
    assert not closing.done()
    model.gate.set()
    await asyncio.wait_for(closing, LONG_S)
    assert [int((await task)[0]) for task in waiting] == [2 * value for value in range(50)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embedding-")]


async def test_after_close_there_is_an_error_and_no_wait(model: RecordingModel) -> None:
    runner = BatchRunner(model, 2)
    await runner.close()
    with pytest.raises(BackendDown):
        await asyncio.wait_for(runner.embed(number(1)), LONG_S)
    await asyncio.wait_for(runner.close(), LONG_S)
    assert model.batches == []


async def test_while_it_closes_nothing_new_is_taken(runner: BatchRunner, model: RecordingModel) -> None:
    busy = await held(runner, model)
    closing = asyncio.create_task(runner.close())
    await settled()
    with pytest.raises(BackendDown):
        await runner.embed(number(2))
    model.gate.set()
    await closing
    assert (await busy)[0] == 2


def test_an_event_loop_that_ended_stops_no_worker(model: RecordingModel) -> None:
    """The one who asked is gone, loop and all; others are answered."""
    runner = BatchRunner(model, 1)

    async def leave() -> None:
        model.gate.clear()
        asked = asyncio.create_task(runner.embed(number(1)))
        await settled()
        asked.cancel()

    async def stay() -> None:
        model.gate.set()
        assert (await asyncio.wait_for(runner.embed(number(2)), LONG_S))[0] == 4
        await runner.close()

    asyncio.run(leave())
    asyncio.run(stay())

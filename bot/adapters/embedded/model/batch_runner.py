"""Runs the model off the event loop, in batches when work queues up."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from bot.adapters.embedded.model.embedding import EmbeddingModel, Vectors
from bot.domain.errors import BackendDown, BackendError

MAX_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    prepared: npt.NDArray[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Vectors]


class BatchRunner:
    """Worker threads that share one model. A worker takes its share of what waits, up to MAX_BATCH, as one run.

    A lone picture is never held back to wait for company.
    """

    def __init__(self, model: EmbeddingModel, threads: int) -> None:
        self._model = model
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._entrance = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run_worker, name=f"embedding-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def embed(self, prepared: npt.NDArray[Any]) -> Vectors:
        """The vector of one prepared picture. Raises BackendError if the model fails, BackendDown once it is closed."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Vectors] = loop.create_future()
        with self._entrance:
            if self._closed:
                raise BackendDown("the embedding model was shut down")
            self._queue.put(_Job(prepared, loop, answer))
        return await answer

    async def close(self) -> None:
        """Finish what is queued, then end the threads."""
        with self._entrance:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _run_worker(self) -> None:
        while (jobs := self._take_batch()) is not None:
            try:
                vectors = self._model.run([job.prepared for job in jobs])
                answers = list(zip(jobs, vectors, strict=True))
            except Exception as exc:  # noqa: BLE001 - it belongs to those who wait
                for job in jobs:
                    _resolve(job, exc)
            else:
                for job, vector in answers:
                    _resolve(job, vector)

    def _take_batch(self) -> list[_Job] | None:
        first = self._queue.get()
        if first is None:
            return None
        jobs = [first]
        # A fair share of what waits: one worker with all of it would leave the others without work.
        share = min(MAX_BATCH, math.ceil((self._queue.qsize() + 1) / len(self._threads)))
        while len(jobs) < share:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)  # an end was asked for: finish this batch first
                break
            jobs.append(job)
        return jobs


def _resolve(job: _Job, result: Vectors | Exception) -> None:
    def settle() -> None:
        if job.future.done():  # whoever asked has gone
            return
        if isinstance(result, Exception):
            # Each gets an error of its own: one that is raised in several places gathers all their tracebacks.
            error = BackendError(f"the embedding model failed: {result}")
            error.__cause__ = result
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    try:
        job.loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return

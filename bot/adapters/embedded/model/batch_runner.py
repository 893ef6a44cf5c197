"""Runs the embedding model in worker threads, in batches when several pictures wait."""

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
"""Most pictures in one run of the model."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    prepared: npt.NDArray[Any]
    future: asyncio.Future[Vectors]


class BatchRunner:
    """Worker threads that share one model.

    A worker takes its share of the waiting pictures, up to MAX_BATCH, and runs them as one batch. A single picture runs
    at once; no worker waits for a batch to fill.
    """

    def __init__(self, model: EmbeddingModel, threads: int) -> None:
        self._model = model
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run_worker, name=f"embedding-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def embed(self, prepared: npt.NDArray[Any]) -> Vectors:
        """Return the vector of one prepared picture (float32, one dimension).

        Raises BackendError if the model fails, and BackendDown after ``close``.
        """
        future: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self.submit(prepared, future)
        return await future

    def submit(self, prepared: npt.NDArray[Any], future: asyncio.Future[Vectors]) -> None:
        """Give ``future`` the vector of one prepared picture. Any thread may call this. Raises like ``embed``."""
        with self._lock:
            if self._closed:
                raise BackendDown("the embedding model is closed")
            self._queue.put(_Job(prepared, future))

    async def close(self) -> None:
        """Finish the queued pictures, then stop the threads."""
        with self._lock:
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
            except Exception as exc:  # noqa: BLE001 - the callers get it
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
        # Take a fair share of the queue. If one worker took it all, the others would be idle.
        share = min(MAX_BATCH, math.ceil((self._queue.qsize() + 1) / len(self._threads)))
        while len(jobs) < share:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)  # a request to stop: finish this batch first
                break
            jobs.append(job)
        return jobs


def _resolve(job: _Job, result: Vectors | Exception) -> None:
    def settle() -> None:
        if job.future.done():  # the caller was cancelled
            return
        if isinstance(result, Exception):
            # Each caller gets its own exception, because a shared one would collect all callers' tracebacks.
            error = BackendError(f"the embedding model failed: {result}")
            error.__cause__ = result
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    try:
        job.future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed, so nothing awaits the future
        return

"""Process many sources in batches, with bounded memory and a few workers. A stop finishes what is in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Generic, TypeVar

from bot.domain.errors import InvalidInput

_CHUNK = 64
_QUEUED = 2 * _CHUNK

T = TypeVar("T")


class Batches(Generic[T]):
    """A counter, a producer and the workers of one run.

    ``process`` gets a batch of sources with their places in the order, and ``counted`` the number of all sources.
    """

    def __init__(
        self,
        workers: int,
        size: int,
        process: Callable[[Sequence[tuple[int, T]]], Awaitable[None]],
        counted: Callable[[int], None],
    ) -> None:
        self._workers = workers
        self._size = size
        self._process = process
        self._counted = counted
        self._queue: asyncio.Queue[tuple[int, T] | None] = asyncio.Queue(_QUEUED)
        self._interrupted = False

    async def run(self, sources: Iterable[T], stop: asyncio.Event | None = None) -> bool:
        """Process all sources, and return whether the stop came first.

        Iterates over ``sources`` twice: once to count them and once to read them. Raises the first error of a batch,
        and InvalidInput if the sources aren't readable.
        """
        stop = stop or asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._count(sources, stop))
                group.create_task(self._enqueue(sources, stop))
                for _ in range(self._workers):
                    group.create_task(self._work(stop))
        except BaseExceptionGroup as failures:
            # The first exception is the cause. The group cancelled the other tasks because of it.
            raise failures.exceptions[0] from None
        return self._interrupted

    async def _count(self, sources: Iterable[T], stop: asyncio.Event) -> None:
        """Count the sources for the progress report while the workers run."""
        counted = 0
        walk = iter(sources)
        while not stop.is_set():
            chunk = await asyncio.to_thread(_next_chunk, walk)
            counted += len(chunk)
            if not chunk:
                self._counted(counted)
                return

    async def _enqueue(self, sources: Iterable[T], stop: asyncio.Event) -> None:
        """Put all sources into the queue, then one None for each worker to end it."""
        walk, places = iter(sources), count()
        while chunk := await asyncio.to_thread(_next_chunk, walk):
            if stop.is_set():
                self._interrupted = True
                break
            for source in chunk:
                await self._queue.put((next(places), source))
        for _ in range(self._workers):
            await self._queue.put(None)

    async def _work(self, stop: asyncio.Event) -> None:
        """Process queued sources in batches until None arrives.

        After a stop, only drain the queue, so that ``_enqueue`` doesn't block on a full queue.
        """
        more = True
        while more:
            batch = [await self._queue.get()]
            while batch[-1] and len(batch) < self._size and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            more = batch[-1] is not None
            wanted = [queued for queued in batch if queued]
            if stop.is_set():
                self._interrupted = self._interrupted or bool(wanted)
            elif wanted:
                await self._process(wanted)


def _next_chunk(walk: Iterator[T]) -> list[T]:
    try:
        return list(islice(walk, _CHUNK))
    except OSError as error:
        raise InvalidInput(f"Can't read {error.filename}: {error.strerror}.") from None

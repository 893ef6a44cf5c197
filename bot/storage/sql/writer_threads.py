"""A pool of writer threads, each of which runs one transaction at a time, and how to wait for what they run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from bot.domain.errors import BackendTimeout

T = TypeVar("T")
_Waiter = asyncio.Future[ThreadPoolExecutor]


class WriterPool:
    """As many threads as transactions may write at the same time.

    A transaction acquires a thread and runs all its statements there. Transactions wait for a thread here and not in
    the database, where waiting would occupy a connection (PostgreSQL) or poll (SQLite). Those that somebody waits for
    go ahead of the others.
    """

    def __init__(self, count: int, wait_s: float | None) -> None:
        self._all = [ThreadPoolExecutor(1, thread_name_prefix=f"storage-write-{number}") for number in range(count)]
        self._free = list(self._all)
        self._first: deque[_Waiter] = deque()
        self._others: deque[_Waiter] = deque()
        self._wait_s = wait_s

    async def acquire(self, *, first: bool = False) -> ThreadPoolExecutor:
        """Wait for a free thread and reserve it; ``first``: ahead of all callers without this.

        Raises BackendTimeout after ``wait_s`` seconds.
        """
        if self._free:
            return self._free.pop()
        queue = self._first if first else self._others
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        try:
            async with asyncio.timeout(self._wait_s):
                return await waiter
        except BaseException as error:
            if waiter in queue:
                queue.remove(waiter)
            elif not waiter.cancelled():
                # The thread arrived while this caller was being cancelled.
                self.release(waiter.result())
            if not isinstance(error, TimeoutError):
                raise
        raise BackendTimeout(f"All {len(self._all)} connections that write were busy for {self._wait_s:g} s.")

    def release(self, writer: ThreadPoolExecutor) -> None:
        """Return a thread to the pool, or hand it to the next caller that waits."""
        for queue in (self._first, self._others):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(writer)
                    return
        self._free.append(writer)

    @asynccontextmanager
    async def writer(self, *, first: bool = False) -> AsyncIterator[ThreadPoolExecutor]:
        """Reserve a thread inside the ``with`` block, as ``acquire`` does. Raises BackendTimeout."""
        writer = await self.acquire(first=first)
        try:
            yield writer
        finally:
            self.release(writer)

    def close(self) -> None:
        """Wait until all threads have finished. Blocks."""
        for writer in self._all:
            writer.shutdown()


async def run_to_end(work: asyncio.Future[T]) -> T:
    """Wait for ``work`` and return its result. A cancelled caller still waits for the end, and is cancelled then."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        if not work.cancelled():
            # Retrieve the exception, or asyncio logs that it never was.
            work.exception()
        raise

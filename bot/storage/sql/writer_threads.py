"""A pool of writer threads, each of which runs one transaction at a time, and how to wait for what they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from bot.domain.errors import BackendTimeout

T = TypeVar("T")


class WriterPool:
    """As many threads as transactions may write at the same time.

    A transaction acquires a thread and runs all its statements there. Transactions wait for a thread here and not in
    the database, where waiting would occupy a connection (PostgreSQL) or poll (SQLite).
    """

    def __init__(self, count: int, wait_s: float | None) -> None:
        self._all = [ThreadPoolExecutor(1, thread_name_prefix=f"storage-write-{number}") for number in range(count)]
        self._free: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        self._wait_s = wait_s
        for writer in self._all:
            self._free.put_nowait(writer)

    async def acquire(self) -> ThreadPoolExecutor:
        """Wait for a free thread and reserve it. Raises BackendTimeout after ``wait_s`` seconds."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._free.get()
        except TimeoutError:
            raise BackendTimeout(
                f"All {len(self._all)} connections that write were busy for {self._wait_s:g} s."
            ) from None

    def release(self, writer: ThreadPoolExecutor) -> None:
        """Return a thread to the pool."""
        self._free.put_nowait(writer)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[ThreadPoolExecutor]:
        """Reserve a thread inside the ``with`` block. Raises BackendTimeout."""
        writer = await self.acquire()
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

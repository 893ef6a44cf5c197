"""Threads that write, one transaction at a time each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from bot.domain.errors import BackendTimeout


class WriterPool:
    """A thread for each transaction that may write at once. Who has one runs its statements there, one after another.

    A writer is waited for here and not in the database, where that would cost a connection or spinning.
    """

    def __init__(self, count: int, wait_s: float | None) -> None:
        self._all = [ThreadPoolExecutor(1, thread_name_prefix=f"storage-write-{number}") for number in range(count)]
        self._free: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        self._wait_s = wait_s
        for writer in self._all:
            self._free.put_nowait(writer)

    async def acquire(self) -> ThreadPoolExecutor:
        """A writer of one's own, until it is given back. Raises BackendTimeout."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._free.get()
        except TimeoutError:
            raise BackendTimeout(
                f"All {len(self._all)} connections that write were busy for {self._wait_s:g} s."
            ) from None

    def release(self, writer: ThreadPoolExecutor) -> None:
        """The next may have it."""
        self._free.put_nowait(writer)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[ThreadPoolExecutor]:
        """A writer for what happens inside. Raises BackendTimeout."""
        writer = await self.acquire()
        try:
            yield writer
        finally:
            self.release(writer)

    def close(self) -> None:
        """Finish what runs. Blocks."""
        for writer in self._all:
            writer.shutdown()

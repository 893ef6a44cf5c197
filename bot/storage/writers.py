"""Threads that write, one transaction at a time each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from bot.errors import BackendTimeout


class Writers:
    """A thread for each transaction that may write at once. Who has one runs its statements there, one after another.

    A writer is waited for here and not in the database, where that would cost a connection or spinning.
    """

    def __init__(self, count: int, patience_s: float | None) -> None:
        self._all = [ThreadPoolExecutor(1, thread_name_prefix=f"storage-write-{number}") for number in range(count)]
        self._free: asyncio.LifoQueue[ThreadPoolExecutor] = asyncio.LifoQueue()
        self._patience_s = patience_s
        for writer in self._all:
            self._free.put_nowait(writer)

    async def take(self) -> ThreadPoolExecutor:
        """A writer of one's own, until it is given back. Raises BackendTimeout."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._free.get()
        except TimeoutError:
            raise BackendTimeout(
                f"All {len(self._all)} connections that write were busy for {self._patience_s:g} s."
            ) from None

    def give_back(self, writer: ThreadPoolExecutor) -> None:
        """The next may have it."""
        self._free.put_nowait(writer)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[ThreadPoolExecutor]:
        """A writer for what happens inside. Raises BackendTimeout."""
        writer = await self.take()
        try:
            yield writer
        finally:
            self.give_back(writer)

    def close(self) -> None:
        """Finish what runs. Blocks."""
        for writer in self._all:
            writer.shutdown()

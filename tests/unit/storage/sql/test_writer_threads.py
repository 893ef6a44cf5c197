"""The pool of writer threads: who gets the next free one."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.errors import BackendTimeout
from bot.storage.sql.writer_threads import WriterPool


async def test_urgent_writes_go_ahead_of_those_that_wait() -> None:
    pool, order = WriterPool(1, None), list[str]()

    async def write(name: str, *, first: bool) -> None:
        async with pool.writer(first=first):
            order.append(name)

    held = await pool.acquire()
    tasks = []
    for name in ("job 1", "job 2", "share 1", "share 2"):
        tasks.append(asyncio.create_task(write(name, first=name.startswith("share"))))
        await asyncio.sleep(0)
    pool.release(held)
    await asyncio.gather(*tasks)
    assert order == ["share 1", "share 2", "job 1", "job 2"]
    pool.close()


async def test_writer_is_not_lost_with_a_caller_that_gives_up() -> None:
    pool = WriterPool(1, 0.01)
    held = await pool.acquire()
    with pytest.raises(BackendTimeout):
        await pool.acquire()
    cancelled = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    pool.release(held)  # handed over, but its new holder never runs
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await pool.acquire() is held
    pool.close()

"""Background tasks: an unexpected error is logged and does not end them."""

from __future__ import annotations

import asyncio

import pytest

from bot.telemetry.supervision import supervise, supervised


async def test_failed_task_starts_again(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise ValueError("a mistake of ours")

    await supervise("sweeper", run, first_delay_s=0.001)
    assert runs == 4
    assert caplog.text.count("the background task “sweeper” failed") == 3


async def test_task_ends_with_its_context() -> None:
    ended = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with supervised("sweeper", run) as task:
        await asyncio.sleep(0)
        assert not task.done()
    assert ended.is_set()

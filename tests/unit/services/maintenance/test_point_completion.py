"""Points are computed in the background, a few at a time, and not while searches wait."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from bot.adapters.memory import MemorySearch
from bot.services.maintenance import point_completion
from bot.services.maintenance.point_completion import BackgroundPoints


class _Pending(MemorySearch):
    """A back end with pending points."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.waiting = waiting
        self.done = asyncio.Event()

    async def complete_points(self, limit: int) -> int:
        done = min(limit, self.waiting)
        self.waiting -= done
        if not self.waiting:
            self.done.set()
        return done

    async def pending_points(self) -> int:
        return self.waiting


async def test_all_points_are_computed_with_progress() -> None:
    visual = _Pending(20)
    background = BackgroundPoints(visual, lambda: False, lambda: False)
    assert await background.progress() == ("points of pictures: 20 still to compute",)
    running = asyncio.create_task(background.run(0, 60))
    await asyncio.wait_for(visual.done.wait(), 5)
    assert await background.progress() == ()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_work_pauses_while_searches_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_completion, "PAUSE_S", 0.001)
    visual, busy = _Pending(20), True
    running = asyncio.create_task(BackgroundPoints(visual, lambda: busy, lambda: False).run(0, 60))
    await asyncio.sleep(0.02)
    assert visual.waiting == 20 - point_completion.BATCH
    busy = False
    await asyncio.wait_for(visual.done.wait(), 5)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_steps_are_small_shortly_after_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_completion, "PAUSE_S", 0.001)
    visual = _Pending(20)
    background = BackgroundPoints(visual, lambda: True, lambda: True)
    running = asyncio.create_task(background.run(0, 60))
    await asyncio.sleep(0.02)
    assert visual.waiting == 20 - point_completion.BATCH_BESIDE_SEARCHES
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_back_end_without_pending_points_has_no_progress() -> None:
    assert await BackgroundPoints(MemorySearch(), lambda: False, lambda: False).progress() == ()

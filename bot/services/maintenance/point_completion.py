"""Computes points in the background that adds left out, by which searches recognise items in other photos."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bot.adapters.port import CompletingPoints, VisualSearch

FIRST_DELAY_S = 2.0
"""Time that a process has to start before it computes points."""

INTERVAL_S = 5.0
"""How often new pictures are looked for once all are done."""

BATCH = 8
"""Images of one step, which takes 0.2 s of one core."""

BATCH_BESIDE_SEARCHES = 2
"""The same shortly after a search, because the next one may begin during the step."""

PAUSE_S = 0.2
MAX_PAUSE_S = 10.0
"""How often a busy process is asked again, and for how long at most. Even then, the work goes on slowly."""


class BackgroundPoints:
    """Computes the points of a few pictures at a time, and pauses while searches need the processor.

    Each step is a transaction, so a process that stops loses one step at most. A back end without pending points has
    nothing to do.

    Args:
        visual: The back end.
        is_busy: Returns whether the work should pause.
        is_beside_searches: Returns whether a search ended a short time ago.
    """

    def __init__(
        self, visual: VisualSearch, is_busy: Callable[[], bool], is_beside_searches: Callable[[], bool]
    ) -> None:
        self._visual = visual
        self._is_busy = is_busy
        self._is_beside_searches = is_beside_searches

    async def run(self, first_delay_s: float = FIRST_DELAY_S, interval_s: float = INTERVAL_S) -> None:
        """Compute points until cancelled. Raises the first error; ``supervise`` starts it again."""
        if not isinstance(self._visual, CompletingPoints):
            await asyncio.Event().wait()
            return
        await asyncio.sleep(first_delay_s)
        while True:
            while await self._visual.complete_points(self._batch()):
                await self._pause()
            await asyncio.sleep(interval_s)

    async def progress(self) -> tuple[str, ...]:
        """Return a sentence if pictures still wait for their points. Raises BackendError."""
        waiting = await self._visual.pending_points() if isinstance(self._visual, CompletingPoints) else 0
        return (f"points of pictures: {waiting:,} still to compute",) if waiting else ()

    def _batch(self) -> int:
        return BATCH_BESIDE_SEARCHES if self._is_beside_searches() else BATCH

    async def _pause(self) -> None:
        deadline = time.monotonic() + MAX_PAUSE_S
        while self._is_busy() and time.monotonic() < deadline:  # noqa: ASYNC110 - several services say so
            await asyncio.sleep(PAUSE_S)

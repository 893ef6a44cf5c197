"""Supervision of background tasks: an unexpected error is logged, and the task is started again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

FIRST_DELAY_S = 1.0
MAX_DELAY_S = 300.0
STABLE_AFTER_S = 600.0
"""After running for that long, the next restart comes quickly again."""

Run = Callable[[], Awaitable[None]]


async def supervise(name: str, run: Run, *, first_delay_s: float = FIRST_DELAY_S) -> None:
    """Run a background task until it returns or is cancelled. Whenever it raises, log the error and start it again."""
    delay = first_delay_s
    while True:
        started = time.monotonic()
        try:
            await run()
        except Exception:
            if time.monotonic() - started > STABLE_AFTER_S:
                delay = first_delay_s
            log.exception("the background task “%s” failed; it starts again in %g s", name, delay)
        else:
            return
        await asyncio.sleep(delay)
        delay = min(delay * 2, MAX_DELAY_S)


@asynccontextmanager
async def supervised(name: str, run: Run) -> AsyncIterator[asyncio.Task[None]]:
    """Run a supervised background task until the context exits, which cancels it."""
    task = asyncio.create_task(supervise(name, run), name=name)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

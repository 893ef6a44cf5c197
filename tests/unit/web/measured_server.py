"""A server in a thread of its own, whose event loop measures how long one turn keeps everything else waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from starlette.types import ASGIApp

from bot.web import freeze_heap, serving
from bot.web.http_protocol import DEFAULT_LIMITS, HttpLimits


class MeasuredLoop(asyncio.SelectorEventLoop):
    """Records the longest turn in seconds of its thread's CPU time, which no other process can stretch."""

    longest_s = 0.0

    def _run_once(self) -> None:
        began = time.thread_time()
        cast("Any", super())._run_once()
        self.longest_s = max(self.longest_s, time.thread_time() - began)


@contextmanager
def measured_server(
    app: ASGIApp, limits: HttpLimits = DEFAULT_LIMITS
) -> Iterator[tuple[MeasuredLoop, tuple[str, int]]]:
    """Serve an app on a free port of 127.0.0.1 until the context exits."""
    loop, ready, stopped = MeasuredLoop(), threading.Event(), asyncio.Event()
    address: list[tuple[str, int]] = []

    async def run() -> None:
        async with serving(app, "127.0.0.1", 0, grace_s=1, limits=limits) as bound:
            address.append(bound)
            ready.set()
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    freeze_heap()
    try:
        loop.longest_s = 0.0
        yield loop, address[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()

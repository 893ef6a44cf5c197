"""Lets lookups go first: past pictures wait while one runs, and come in small portions for some time after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

RECENT_S = 3.0
"""How long after a lookup the next one is expected."""

PAUSE_S = 0.01
MAX_PAUSE_S = 10.0
"""How often a busy process is asked again, and for how long at most. Even then, the import goes on slowly."""

Sleep = Callable[[float], Awaitable[None]]


class LookupYield:
    """Says whether lookups need the processor.

    Args:
        idle_s: Returns the seconds since the last lookup ended; 0 while one runs.
        sleep: Waits.
    """

    def __init__(self, idle_s: Callable[[], float], sleep: Sleep = asyncio.sleep) -> None:
        self._idle_s = idle_s
        self._sleep = sleep

    @property
    def is_beside_lookups(self) -> bool:
        """Whether a lookup runs, or another one may come soon."""
        return self._idle_s() < RECENT_S

    async def wait(self) -> None:
        """Wait while a lookup runs."""
        deadline = time.monotonic() + MAX_PAUSE_S
        while not self._idle_s() and time.monotonic() < deadline:
            await self._sleep(PAUSE_S)

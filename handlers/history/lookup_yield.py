"""Lets lookups go first: past pictures wait while one runs, and come in small portions for some time after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.domain.pictures import Picture
from handlers.slack.files import PictureReader

T = TypeVar("T")
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


class YieldingPictureReader:
    """Decodes past pictures while no lookup runs. Beside lookups one at a time, so that the next one waits for little.

    Satisfies ``handlers.slack.files.PictureReader``.
    """

    def __init__(self, pictures: PictureReader, lookups: LookupYield) -> None:
        self._pictures = pictures
        self._lookups = lookups
        self._decodes = asyncio.Lock()

    async def picture(self, data: bytes) -> Picture:
        """Return the verified picture. Raises PictureRefused."""
        return await self._after_lookups(self._pictures.picture, data)

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return the verified picture and the JPEG to store. Raises PictureRefused."""
        return await self._after_lookups(self._pictures.picture_and_jpeg, data)

    async def _after_lookups(self, decode: Callable[[bytes], Awaitable[T]], data: bytes) -> T:
        if not self._lookups.is_beside_lookups:
            return await decode(data)
        async with self._decodes:
            await self._lookups.wait()
            return await decode(data)

"""Pictures that callers name by address: fetched, and held to the service's limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.api.errors import CallRefused, SearchCode
from bot.api.limits import SIDE_OVER, SIDE_UNDER, ApiLimits
from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import formats

Fetch = Callable[[str], Awaitable[bytes]]
Read = Callable[[bytes], Awaitable[Picture]]

_MEGA = 1_000_000


class ApiPictureReader:
    """Fetches pictures and verifies them; so many at once, whatever comes."""

    def __init__(self, fetch: Fetch, read: Read, limits: ApiLimits) -> None:
        self._fetch = fetch
        self._read = read
        self._wait_s = limits.wait_s
        self._slots = asyncio.Semaphore(limits.concurrency)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Inside, one of the slots is held: a picture costs memory until the work on it is done. Raises CallRefused."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._slots.acquire()
        except TimeoutError:
            raise CallRefused(
                SearchCode.THROTTLING, "Too many calls are under way. Please try again in a second."
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def picture(self, url: str, max_bytes: int) -> Picture:
        """The picture at an address. Raises CallRefused, FetchRefused and PictureRefused."""
        data = await self._fetch(url)
        if len(data) > max_bytes:
            message = f"The picture may have {max_bytes // _MEGA} MB at most."
            raise CallRefused(SearchCode.FILE_SIZE, message)
        _check_format(data)
        picture = await self._read(data)
        if not all(SIDE_OVER < side < SIDE_UNDER for side in picture.source_size):
            width, height = picture.source_size
            message = (
                f"The picture is {width} × {height} pixels; each side must have more than {SIDE_OVER} and less than"
                f" {SIDE_UNDER}."
            )
            raise CallRefused(SearchCode.FILE_RESOLUTION, message)
        return picture


def _check_format(data: bytes) -> None:
    try:
        taken = formats.detect_format(data) in {formats.JPEG, formats.PNG}
    except PictureRefused:
        taken = False
    if not taken:
        raise CallRefused(SearchCode.FILE_TYPE, "The picture must be a JPG, JPEG or PNG.")

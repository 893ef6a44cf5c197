"""Fetches the pictures at callers' URLs and checks them against the service's limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from bot.api.errors import CallRefused, SearchCode
from bot.api.limits import MAX_SIDE, MIN_SIDE, ApiLimits
from bot.domain.errors import FetchFailed, PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import formats
from bot.images.memory import FairBudget

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns the content at a URL. Raises FetchRefused."""

Read = Callable[[bytes], Awaitable[Picture]]
"""Verifies and decodes a picture. Raises PictureRefused."""

HoldMemory = Callable[[], AbstractAsyncContextManager[object]]
"""Returns a context that holds memory for one file. Raises FetchFailed if too many wait."""

_MEGABYTE = 1_000_000


class ApiPictureReader:
    """Fetches and decodes pictures, up to ``limits.concurrency`` at the same time."""

    def __init__(self, fetch: Fetch, read: Read, limits: ApiLimits, hold_memory: HoldMemory = nullcontext) -> None:
        self._fetch = fetch
        self._read = read
        self._hold_memory = hold_memory
        self._slots = FairBudget(limits.concurrency, max_wait_s=limits.wait_s)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot while a picture is in memory. Raises CallRefused if none is free within ``limits.wait_s``."""
        try:
            reservation = await self._slots.acquire(1)
        except FetchFailed:
            raise CallRefused(
                SearchCode.THROTTLING, "Too many calls at the same time. Please try again in a second."
            ) from None
        try:
            yield
        finally:
            self._slots.release(reservation)

    async def picture(self, url: str, max_bytes: int) -> Picture:
        """Return the picture at a URL. Raises CallRefused, FetchRefused and PictureRefused."""
        async with self._hold_memory():
            data = await self._fetch(url)
            if len(data) > max_bytes:
                message = f"The picture is larger than {max_bytes // _MEGABYTE} MB."
                raise CallRefused(SearchCode.FILE_SIZE, message)
            _check_format(data)
            picture = await self._read(data)
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in picture.source_size):
            width, height = picture.source_size
            message = f"The picture is {width} × {height} pixels. Each side must have {MIN_SIDE} to {MAX_SIDE} pixels."
            raise CallRefused(SearchCode.FILE_RESOLUTION, message)
        return picture


def _check_format(data: bytes) -> None:
    try:
        is_supported = formats.detect_format(data) in {formats.JPEG, formats.PNG}
    except PictureRefused:
        is_supported = False
    if not is_supported:
        raise CallRefused(SearchCode.FILE_TYPE, "The picture must be a JPEG or PNG.")

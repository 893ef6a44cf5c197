"""Thumbnails of stored pictures for Slack messages."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Protocol

from cachetools import LRUCache
from PIL import Image

SIDE = 320
"""Longer side in pixels. Slack shows thumbnails at about 90, on screens with up to three times that density."""

QUALITY = 85
CACHE_SIZE = 512
"""Thumbnails in the cache, of some 15 kB each."""

RunInThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Runs CPU work off the event loop."""


class PictureSource(Protocol):
    """Stored pictures by digest."""

    async def get(self, digest: str) -> bytes:
        """Return the picture as a JPEG. Raises KeyError."""
        ...


class ThumbnailStore:
    """A ``PictureSource`` of thumbnails, with a cache."""

    def __init__(self, pictures: PictureSource, run: RunInThread) -> None:
        self._pictures = pictures
        self._run = run
        self._cache: LRUCache[str, bytes] = LRUCache(CACHE_SIZE)

    async def get(self, digest: str) -> bytes:
        """Return a thumbnail of the picture as a JPEG. Raises KeyError."""
        # Read the picture each time, so that a deleted one is not served from the cache.
        jpeg = await self._pictures.get(digest)
        if digest not in self._cache:
            self._cache[digest] = await self._run(lambda: thumbnail(jpeg))
        return self._cache[digest]


def thumbnail(jpeg: bytes, side: int = SIDE) -> bytes:
    """Return a copy of a trusted JPEG with at most ``side`` pixels a side, or the same bytes if it is small enough."""
    with Image.open(io.BytesIO(jpeg)) as image:
        if max(image.size) <= side:
            return jpeg
        # Decode at a fraction of the size, which JPEG supports.
        image.draft("RGB", (side, side))
        image.thumbnail((side, side))
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()

"""Thumbnails of stored pictures for Slack messages."""

from __future__ import annotations

import io
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from cachetools import LRUCache
from PIL import Image

log = logging.getLogger(__name__)

SIDE = 320
"""Longer side in pixels. Slack shows thumbnails at about 90, on screens with up to three times that density."""

QUALITY = 85
CACHE_SIZE = 512
"""Thumbnails in the cache, of some 15 kB each."""

RunInThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Runs CPU work off the event loop."""


class PictureDamaged(KeyError):
    """The stored bytes are not a whole JPEG. Callers handle this like a missing picture."""


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
        """Return a thumbnail of the picture as a JPEG.

        Raises KeyError, PictureDamaged with a line in the log, and the errors of the thread that computes it.
        """
        # Read the picture each time, so that a deleted one is not served from the cache.
        jpeg = await self._pictures.get(digest)
        if digest not in self._cache:
            self._cache[digest] = await self._run(lambda: _thumbnail_of_stored(digest, jpeg))
        return self._cache[digest]


def _thumbnail_of_stored(digest: str, jpeg: bytes) -> bytes:
    try:
        return thumbnail(jpeg)
    except Exception as error:
        # Pillow raises errors of many kinds for damaged files.
        log.warning("the stored picture %s is damaged: %s", digest, type(error).__name__)
        raise PictureDamaged(digest) from error


def thumbnail(jpeg: bytes, side: int = SIDE) -> bytes:
    """Return a copy of one of our JPEGs with at most ``side`` pixels a side, or the same bytes if it has no more."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        if max(image.size) <= side:
            image.load()  # raises OSError if the end is missing
            return jpeg
        # Decode at a fraction of the size, which JPEG supports.
        image.draft("RGB", (side, side))
        image.thumbnail((side, side))
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()

"""Small copies of stored pictures, as messages show them."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Protocol

from cachetools import LRUCache
from PIL import Image

SIDE = 320
"""Pixels of the longer side: Slack shows them at about 90, on screens of up to three times that density."""

QUALITY = 85
CACHE_SIZE = 512
"""Of some 15 kB each."""

RunInThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Runs CPU work off the event loop."""


class PictureSource(Protocol):
    """Where the whole pictures are."""

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        ...


class ThumbnailStore:
    """Satisfies Stored, with small copies; the latest are remembered."""

    def __init__(self, pictures: PictureSource, run: RunInThread) -> None:
        self._pictures = pictures
        self._run = run
        self._kept: LRUCache[str, bytes] = LRUCache(CACHE_SIZE)

    async def get(self, digest: str) -> bytes:
        """A small JPEG of the picture. Raises KeyError."""
        # Asked each time, so that nothing is shown of a picture that was deleted.
        jpeg = await self._pictures.get(digest)
        if digest not in self._kept:
            self._kept[digest] = await self._run(lambda: thumbnail(jpeg))
        return self._kept[digest]


def thumbnail(jpeg: bytes, side: int = SIDE) -> bytes:
    """A smaller copy of a JPEG that is ours; the same bytes if it is small already."""
    with Image.open(io.BytesIO(jpeg)) as image:
        if max(image.size) <= side:
            return jpeg
        # Decoded at a fraction of its size where the format can.
        image.draft("RGB", (side, side))
        image.thumbnail((side, side))
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()

"""Pictures as the hosted service takes them: it fetches them from here, and has limits of its own."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.domain.pictures import Picture

Pixels = npt.NDArray[np.uint8]

MIN_SIDE, MAX_SIDE = 129, 1023
"""Pixels a side; the service wants more than 128 and fewer than 1024."""

MAX_BYTES = 1_900_000
"""Of the 2 MB that an add may have; a search may have 3."""

QUALITIES = (92, 85, 75, 60, 40)


def jpeg_for_service(picture: Picture, max_bytes: int = MAX_BYTES) -> bytes:
    """The picture as a JPEG inside the service's limits, without metadata: as good as ``max_bytes`` allows.

    Small ones are enlarged; what is too long and thin for that gets margins in the colour of its edges. Pure CPU work
    of some milliseconds.
    """
    image = Image.fromarray(_padded(_resized(picture.pixels)))
    jpeg = b""
    for quality in QUALITIES:
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=quality)
        jpeg = encoded.getvalue()
        if len(jpeg) <= max_bytes:
            break
    return jpeg


def _resized(pixels: Pixels) -> Pixels:
    """So that the short side is long enough, or else the long one as long as may be; in proportion."""
    height, width = pixels.shape[:2]
    scale = min(max(1.0, MIN_SIDE / min(height, width)), MAX_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pixels
    return np.asarray(
        cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8
    )


def _padded(pixels: Pixels) -> Pixels:
    """With margins along the short side, if it is still too short."""
    height, width = pixels.shape[:2]
    across, down = max(0, MIN_SIDE - width), max(0, MIN_SIDE - height)
    if not across and not down:
        return pixels
    edges = (pixels[:, 0], pixels[:, -1]) if across else (pixels[0], pixels[-1])
    colour = np.median(np.concatenate(edges), axis=0).astype(int).tolist()
    margins = (down // 2, down - down // 2, across // 2, across - across // 2)
    return np.asarray(cv2.copyMakeBorder(pixels, *margins, cv2.BORDER_CONSTANT, value=colour), np.uint8)

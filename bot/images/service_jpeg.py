"""Encodes pictures for the hosted service, which has limits of its own."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.domain.pictures import Picture

Pixels = npt.NDArray[np.uint8]

MIN_SIDE, MAX_SIDE = 129, 1023
"""Limits of each side in pixels. The service requires more than 128 and fewer than 1024."""

MAX_BYTES = 1_900_000
"""Largest JPEG. The service accepts 2 MB for adds and 3 MB for searches."""

QUALITIES = (92, 85, 75, 60, 40)
"""JPEG qualities to try, until the result is small enough."""


def jpeg_for_service(picture: Picture, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the picture as a JPEG within the service's limits, without metadata, in the best quality that fits.

    Small pictures are enlarged. Pictures that are too long and thin get margins in the median colour of their edges.
    Pure CPU work of some milliseconds.
    """
    image = Image.fromarray(_pad(_resize(picture.pixels)))
    jpeg = b""
    for quality in QUALITIES:
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=quality)
        jpeg = encoded.getvalue()
        if len(jpeg) <= max_bytes:
            break
    return jpeg


def _resize(pixels: Pixels) -> Pixels:
    """Scale so that the short side has MIN_SIDE or more, as far as the long side may have MAX_SIDE at most."""
    height, width = pixels.shape[:2]
    scale = min(max(1.0, MIN_SIDE / min(height, width)), MAX_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pixels
    return np.asarray(
        cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8
    )


def _pad(pixels: Pixels) -> Pixels:
    """Add margins if the short side is still shorter than MIN_SIDE."""
    height, width = pixels.shape[:2]
    across, down = max(0, MIN_SIDE - width), max(0, MIN_SIDE - height)
    if not across and not down:
        return pixels
    edges = (pixels[:, 0], pixels[:, -1]) if across else (pixels[0], pixels[-1])
    colour = np.median(np.concatenate(edges), axis=0).astype(int).tolist()
    margins = (down // 2, down - down // 2, across // 2, across - across // 2)
    return np.asarray(cv2.copyMakeBorder(pixels, *margins, cv2.BORDER_CONSTANT, value=colour), np.uint8)

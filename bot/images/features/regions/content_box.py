"""The content box: where the actual picture is in a screenshot or a framed picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""

_SIDE = 256
"""Long side in pixels of the reduced picture in which the box is searched."""

_SAME_COLOUR = 14
"""Difference of a channel, of 255, up to which a pixel belongs to the background."""

_TEXT_HEIGHT = 0.055
"""Size of text and icons, as a share of the long side."""

_MIN_SHARE, _MAX_SHARE = 0.08, 0.92
"""Limits of the box's share of the whole picture."""

_MIN_FILL = 0.75
"""Least share of the box that the block fills."""

_MIN_BACKGROUND = 0.12
"""Least share of background in the whole picture."""

_MIN_RIM = 0.3
"""Least share of the border's pixels that have the background's colour."""


def content_box(pixels: Pixels) -> Box | None:
    """Return the largest solid block on a plain background, or None if there is none.

    ``pixels`` are height × width × 3, uint8. A morphological opening with a square of 5.5 % of the long side removes
    text and icons, which are thinner than a picture.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    background = _background(small)
    if background is None:
        return None
    foreground = (np.abs(small.astype(np.int16) - background).max(axis=2) > _SAME_COLOUR).astype(np.uint8)
    if 1 - float(foreground.mean()) < _MIN_BACKGROUND:
        return None
    # First close gaps of the background's colour inside the picture, then remove thin objects.
    foreground = cv2.morphologyEx(foreground, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    side = max(3, round(_TEXT_HEIGHT * max(size)))
    blocks = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(blocks, connectivity=4)
    if count < 2:  # noqa: PLR2004 - the first component is the background
        return None
    left, top, across, down, area = (int(value) for value in stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()])
    share = across * down / (size[0] * size[1])
    if not _MIN_SHARE <= share <= _MAX_SHARE or area < _MIN_FILL * across * down:
        return None
    return (
        round(left / scale),
        round(top / scale),
        min(width, round((left + across) / scale)),
        min(height, round((top + down) / scale)),
    )


def _background(small: Pixels) -> npt.NDArray[np.int16] | None:
    """Return the most frequent colour of the border, or None if no colour is frequent enough to be a background."""
    rim = np.concatenate((small[0], small[-1], small[:, 0], small[:, -1]))
    codes = (rim.astype(np.int32) >> 3) @ np.array((1024, 32, 1), np.int32)
    values, counts = np.unique(codes, return_counts=True)
    if counts.max() < _MIN_RIM * len(rim):
        return None
    return np.asarray(np.median(rim[codes == values[counts.argmax()]], axis=0), np.int16)

"""Region proposals: where a picture may show other pictures, such as the panels of a collage or a post in a chat.

Finding them takes about two milliseconds. Most photographs have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.regions.content_box import Box, Pixels

Values = npt.NDArray[np.float32]

MAX_PROPOSALS = 9
"""As many as a collage of three rows has panels. Each costs some 30 ms of CPU if it proves nothing."""

_SIDE = 256
"""Long side in pixels of the reduced picture in which regions are searched."""

_SAME_COLOUR = 14
"""Difference of a channel, of 255, up to which a pixel belongs to the background."""

_STEP = 16
"""Least difference of a channel, of 255, between the two sides of a seam."""

_SEAM, _SEAM_CONTRAST = 0.62, 0.3
"""Share of a seam's pixels with such a step, and by how much it must exceed the median of the lines around it."""

_SEAM_OF_WHOLE = 0.86
"""The same share for the first seam of a picture or block. Of seams in photographs, 85 of 100 stay below, and 95 of 100
of those between the panels of a collage lie above."""

_AROUND = 10
"""Lines on either side of a seam that it is compared with."""

_CLEAR_SEAM, _MIN_PANEL = 0.9, 0.2
"""A rectangle is no proposal of its own if so strong a seam divides it, and each part has at least this share of it."""

_DEPTH = 6
"""Most seams between the whole picture and a panel. A panel with a frame on all sides needs four."""

_MIN_BACKGROUND = 0.12
"""Least share of the most frequent colour, so that it can be the background of blocks."""

_TEXT_HEIGHT = 0.055
"""Size of text and icons, as a share of the long side."""

_FLAT = 24
"""Difference of a channel between neighbours, of 255, below which they belong to one flat area."""

_MIN_SHEET = 0.01
"""Least share of the picture that a sheet's bare area has."""

_MIN_SHARE, _MAX_SHARE = 0.02, 0.92
"""Limits of a region's share of the whole picture."""

_MIN_SIDE = 0.1
"""Least side of a region, as a share of the picture's long side."""

_MIN_TEXTURE = 10.0
"""Least standard deviation of a region's luminance. Bars, buttons and speech bubbles have less."""

_MIN_FILL = 0.7
"""Least share of its bounding box that a block or a sheet fills. A rectangle tilted by 8° fills 0.78."""

_DUPLICATE = 0.85
"""Intersection over union from which two regions are the same."""


def region_proposals(pixels: Pixels, known: Iterable[Box] = ()) -> list[Box]:
    """Return up to MAX_PROPOSALS regions that may be pictures, the largest first, without those in ``known``.

    ``pixels`` are height × width × 3, uint8.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < _MIN_SIDE * _SIDE:
        return []
    # From one half on, bilinear sampling gives nearly the same result as area averaging, and is faster.
    interpolation = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA  # noqa: PLR2004
    small = np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)
    known_boxes = [tuple(round(side * scale) for side in box) for box in known]
    return [
        (
            round(left / scale),
            round(top / scale),
            min(width, round(right / scale)),
            min(height, round(bottom / scale)),
        )
        for left, top, right, bottom in _chosen(small, known_boxes)
    ]


def _chosen(small: Pixels, known: Sequence[Box]) -> list[Box]:
    """Return the regions of a reduced picture that are large enough, not plain, and different from each other."""
    height, width = small.shape[:2]
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    chosen: list[Box] = []
    for box in sorted(_found(small), key=_area, reverse=True):
        left, top, right, bottom = box
        if not _MIN_SHARE <= _area(box) / (height * width) <= _MAX_SHARE:
            continue
        if min(right - left, bottom - top) < _MIN_SIDE * max(height, width):
            continue
        if float(gray[top:bottom, left:right].std()) < _MIN_TEXTURE:
            continue
        if all(_overlap(box, other) < _DUPLICATE for other in (*chosen, *known)):
            chosen.append(box)
    return chosen[:MAX_PROPOSALS]


def _found(small: Pixels) -> list[Box]:
    height, width = small.shape[:2]
    steps = _steps(small)
    found = [*_panels(steps, (0, 0, width, height)), *_sheets(small)]
    for block in _blocks(small):
        found += [block, *_panels(steps, block)]
    return found


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    """Return the intersection over union."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0, across) * max(0, down)
    return common / (_area(one) + _area(other) - common)


def _steps(small: Pixels) -> tuple[Values, Values]:
    """Return where the colour changes from left to right and from top to bottom, as 0 or 1, two pixels apart."""
    columns = _greatest(cv2.absdiff(small[:, 2:], small[:, :-2])) > _STEP
    rows = _greatest(cv2.absdiff(small[2:], small[:-2])) > _STEP
    return columns.astype(np.float32), rows.astype(np.float32)


def _greatest(differences: cv2.typing.MatLike) -> Pixels:
    red, green, blue = cv2.split(differences)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def _panels(steps: tuple[Values, Values], box: Box) -> list[Box]:
    """Return the panels of a rectangle that straight lines divide from edge to edge."""
    division = _divide(steps, box)
    return list(_cut(steps, box, _DEPTH)) if division and division[0] >= _SEAM_OF_WHOLE else []


def _cut(steps: tuple[Values, Values], box: Box, depth: int) -> Iterator[Box]:
    """Yield the parts into which seams divide a rectangle, and the rectangle itself where that is in doubt."""
    division = _divide(steps, box) if depth else None
    if division is None:
        yield box
        return
    strength, parts = division
    if strength < _CLEAR_SEAM or min(map(_area, parts)) < _MIN_PANEL * _area(box):
        yield box
    for part in parts:
        yield from _cut(steps, part, depth - 1)


def _divide(steps: tuple[Values, Values], box: Box) -> tuple[float, tuple[Box, Box]] | None:
    """Return the strength of a rectangle's clearest seam, and the two parts beside it; None without a seam."""
    left, top, right, bottom = box
    columns, rows = steps
    if min(right - left, bottom - top) < _MIN_SIDE * _SIDE:
        return None
    upright = _seam(columns[top:bottom, left : right - 2].mean(axis=0))
    level = _seam(rows[top : bottom - 2, left:right].mean(axis=1))
    if max(upright, level)[0] <= 0:
        return None
    # The seam at index i lies on pixel i + 1, which may show either side.
    if upright >= level:
        at = left + upright[1] + 1
        return upright[0], ((left, top, at, bottom), (at + 1, top, right, bottom))
    at = top + level[1] + 1
    return level[0], ((left, top, right, at), (left, at + 1, right, bottom))


def _seam(shares: Values) -> tuple[float, int]:
    """Return strength and place of the clearest seam, or (0, 0)."""
    if len(shares) < 2 * _AROUND:
        return 0.0, 0
    percent = np.round(shares * 100).astype(np.uint8)
    around = cv2.medianBlur(percent[None], 2 * _AROUND + 1)[0]
    contrast = shares - around.astype(np.float32) / 100
    strength = np.where((shares >= _SEAM) & (contrast >= _SEAM_CONTRAST), shares, 0.0)
    at = int(strength.argmax())
    return float(strength[at]), at


def _blocks(small: Pixels) -> list[Box]:
    """Return the solid blocks on the most frequent colour."""
    sampled = small[::2, ::2].reshape(-1, 3)
    codes = (sampled.astype(np.int32) >> 3) @ np.array((1024, 32, 1), np.int32)
    counts = np.bincount(codes)
    commonest = int(counts.argmax())
    if counts[commonest] < _MIN_BACKGROUND * codes.size:
        return []
    background = np.median(sampled[codes == commonest], axis=0).astype(np.uint8)
    foreground = (_greatest(cv2.absdiff(small, np.full_like(small, background))) > _SAME_COLOUR).astype(np.uint8)
    foreground = cv2.morphologyEx(foreground, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    side = max(3, round(_TEXT_HEIGHT * max(small.shape[:2])))
    blocks = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(blocks, connectivity=4)
    return [
        (left, top, left + across, top + down)
        for left, top, across, down, area in stats[1:].tolist()
        if area >= _MIN_FILL * across * down
    ]


def _sheets(small: Pixels) -> list[Box]:
    """Return flat areas of one colour with straight outlines inside the picture, such as a sign or a sheet of paper."""
    gradient = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    flat = (_greatest(gradient) < _FLAT).astype(np.uint8)
    height, width = flat.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _MIN_SHEET * flat.size)
    found = []
    for number in large.tolist():
        left, top, across, down, _ = (int(value) for value in stats[number])
        if left == 0 or top == 0 or left + across == width or top + down == height:
            continue
        mask = (labels[top : top + down, left : left + across] == number).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if max(cv2.contourArea(line) for line in outlines) >= _MIN_FILL * across * down:
            found.append((left - 1, top - 1, left + across + 1, top + down + 1))
    return found

"""Transparency: find a ground on which everything that is drawn can be seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

WHITE = 255

_GROUNDS = (WHITE, 32, 118, 72)
"""Grey values in order of preference: white as on paper, dark for light drawings, mid-tones for drawings in both."""

_SIDE = 384
"""Pixels a side at which grounds are compared, about."""

_CONTRAST = 24
"""Difference, of 255, from which people notice an edge."""

_BLUE = 0.4
"""Weight of blue, which people see least: pale yellow on white can't be read."""

_NEAR = 0.025
"""Share of the longer side within which a visible edge stands for one that can't be seen, as inside a white rim."""

_MAX_LOST = 0.03
"""Share of the edges that a ground may hide."""


def ground_for(image: Image.Image) -> int:
    """Return the grey value of the best ground: white, unless much of the drawing can't be seen on it."""
    if image.mode not in {"RGBA", "LA"} or image.getchannel("A").getextrema()[0] == WHITE:
        return WHITE
    small = image.reduce(max(1, max(image.size) // _SIDE))
    edges = {ground: _edges(flatten(small, ground)) for ground in _GROUNDS}
    drawn = np.logical_or.reduce(list(edges.values()))
    total = int(drawn.sum())
    radius = max(1, round(max(small.size) * _NEAR))
    lost = {}
    for ground, seen in edges.items():
        lost[ground] = int((drawn & ~_widen(seen, radius)).sum())
        if lost[ground] <= _MAX_LOST * total:
            return ground
    return min(_GROUNDS, key=lost.__getitem__)


def flatten(image: Image.Image, ground: int) -> Image.Image:
    """Return the image on a grey ground without its alpha channel: RGBA becomes RGB, LA becomes L."""
    if image.mode not in {"RGBA", "LA"}:
        return image
    mode = image.mode[:-1]
    background = Image.new(mode, image.size, (ground,) * len(mode) if mode == "RGB" else ground)
    background.paste(image.convert(mode), mask=image.getchannel("A"))
    return background


def _edges(image: Image.Image) -> npt.NDArray[np.bool_]:
    """Return where neighbours differ visibly in any channel."""
    values = np.asarray(image).astype(np.float32).reshape(image.height, image.width, -1)
    values[..., 2:] *= _BLUE
    seen = np.zeros(values.shape[:2], bool)
    seen[1:] |= (np.abs(np.diff(values, axis=0)) > _CONTRAST).any(axis=2)
    seen[:, 1:] |= (np.abs(np.diff(values, axis=1)) > _CONTRAST).any(axis=2)
    return seen


def _widen(mask: npt.NDArray[np.bool_], radius: int) -> npt.NDArray[np.bool_]:
    """Return the mask, grown by ``radius`` pixels in each direction."""
    for axis in (0, 1):
        padded = np.pad(mask, [(radius, radius) if axis == own else (0, 0) for own in (0, 1)])
        counts = np.cumsum(padded, axis=axis, dtype=np.int32)
        counts = np.concatenate((np.zeros_like(counts.take([0], axis)), counts), axis=axis)
        span, length = 2 * radius + 1, mask.shape[axis]
        mask = counts.take(range(span, span + length), axis) > counts.take(range(length), axis)
    return mask

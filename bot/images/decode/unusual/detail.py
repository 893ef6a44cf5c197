"""Detail: whether a picture shows anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.images.decode.unusual.transparency import flatten, ground_for

_SIDE = 512
_SAMPLE, _CLEARLY = 8, 0.01
"""Each how many pixels are looked at first, and the share of different ones that shows that a picture isn't flat."""

_VISIBLE = 12
"""Difference, of 255, from the picture's median colour. Compression and sensors cause less."""

_LEAST_SHARE = 1 / 2000
"""Share of the pixels that must differ: a word of 50 × 10 pixels on a picture of 1000 × 1000."""


def is_flat(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether pixels (height × width × 3) are practically of one colour."""
    sample = pixels[::_SAMPLE, ::_SAMPLE]
    if sample.size and _different(sample) > _CLEARLY:
        return False  # most pictures, in a fraction of the time
    return _is_flat(_shrink(Image.fromarray(pixels)))


def shows_nothing(image: Image.Image) -> bool:
    """Return whether a picture with 8 bits a channel is practically of one colour."""
    return _is_flat(_opaque(image))


def detail(image: Image.Image) -> float:
    """Return how much a picture shows: the standard deviation of its grey values."""
    return float(np.asarray(_opaque(image).convert("L")).std())


def _is_flat(image: Image.Image) -> bool:
    return _different(np.asarray(image)) < _LEAST_SHARE


def _different(pixels: npt.NDArray[np.uint8]) -> float:
    """Return the share of pixels that differ visibly from the median colour."""
    different = np.zeros(pixels.shape[:2], np.bool_)
    # Channel by channel in whole numbers: a decoder process has little more memory than the picture takes. The median
    # may lie halfway between two numbers, so everything is doubled.
    for channel in range(pixels.shape[2]):
        doubled = pixels[..., channel].astype(np.int16)
        doubled *= 2
        doubled -= np.int16(np.median(doubled))
        different |= np.abs(doubled, out=doubled) > 2 * _VISIBLE
    return float(different.mean())


def _opaque(image: Image.Image) -> Image.Image:
    small = _shrink(image)
    return flatten(small, ground_for(small)).convert("RGB")


def _shrink(image: Image.Image) -> Image.Image:
    return image.reduce(max(1, max(image.size) // _SIDE))

"""Reduce large decoded pictures piece by piece, so that no conversion copies the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from bot.images.decode import colour

Box = tuple[int, int, int, int]
"""Left, top, right and bottom."""

_PIECE_PIXELS = 1_000_000
"""Most pixels of a piece, unless one cell of the result needs more."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded pixels. ``crop`` returns a part of them as an image, copying no more than that part."""

    mode: str
    size: tuple[int, int]
    crop: Callable[[Box], Image.Image]
    whole: Callable[[], Image.Image]


def pixels_of(image: Image.Image) -> Pixels:
    """Return the pixels of a loaded image."""
    return Pixels(image.mode, image.size, image.crop, lambda: image)


def pixels_in(buffer: memoryview, mode: str, size: tuple[int, int], *, raw_mode: str, stride: int) -> Pixels:
    """Return the pixels in a buffer of rows that are ``stride`` bytes apart."""
    width, height = size

    def crop(box: Box) -> Image.Image:
        left, top, right, bottom = box
        rows: Any = buffer[top * stride : bottom * stride]
        part = Image.frombuffer(mode, (width, bottom - top), rows, "raw", raw_mode, stride, 1)
        return part if (left, right) == (0, width) else part.crop((left, 0, right, bottom - top))

    return Pixels(mode, size, crop, lambda: crop((0, 0, width, height)))


def reduce(pixels: Pixels, side: int) -> Image.Image:
    """Return the pixels with 8 bits a channel, averaged over squares so that the longer side is below ``2 * side``.

    The result is the same, to the bit, as if the whole picture were converted and reduced at once.
    """
    longer = max(pixels.size)
    if longer < 2 * side:
        return colour.to_eight_bit(pixels.whole())
    factor = longer // side
    value_range = _value_range(pixels, factor)
    width, height = (-(-length // factor) for length in pixels.size)
    result: Image.Image | None = None
    for box in _pieces(pixels.size, factor):
        part = colour.to_eight_bit(pixels.crop(box), value_range).reduce(factor)
        if result is None:
            result = Image.new(part.mode, (width, height))
        result.paste(part, (box[0] // factor, box[1] // factor))
    assert result is not None
    return result


def _value_range(pixels: Pixels, factor: int) -> colour.ValueRange | None:
    """Return the range of values of a greyscale picture that has no fixed one."""
    if pixels.mode not in colour.WITHOUT_RANGE:
        return None
    ranges = [colour.value_range(pixels.crop(box)) for box in _pieces(pixels.size, factor)]
    return colour.joint_range(ranges)


def _pieces(size: tuple[int, int], factor: int) -> Iterator[Box]:
    """Yield boxes whose corners are multiples of ``factor``, but for those at the right and bottom edges."""
    width, height = size
    across = factor * max(1, _PIECE_PIXELS // (factor * min(factor, height)))
    across = min(across, -(-width // factor) * factor)
    down = factor * max(1, _PIECE_PIXELS // (min(across, width) * factor))
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)

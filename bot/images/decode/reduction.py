"""Reduce large decoded pictures piece by piece, so that no conversion copies the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image, ImageOps

from bot.images.decode import colour
from bot.images.decode.unusual.deep_samples import Samples, highest_value

Box = tuple[int, int, int, int]
"""Left, top, right and bottom."""

USUAL = Samples()

_WITH_ALPHA = frozenset({"LA", "RGBA"})

_MAY_HAVE_ALPHA = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa"})
"""Modes with alpha or, in a palette or by its value, a transparent colour."""

_PIECE_PIXELS = 1_000_000
"""Most pixels of a piece, unless one cell of the result needs more."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded pixels. ``crop`` returns a part of them as an image, copying no more than that part."""

    mode: str
    size: tuple[int, int]
    crop: Callable[[Box], Image.Image]
    whole: Callable[[], Image.Image]
    samples: Samples = USUAL


def pixels_of(image: Image.Image, samples: Samples = USUAL) -> Pixels:
    """Return the pixels of a loaded image."""
    return Pixels(image.mode, image.size, image.crop, lambda: image, samples)


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
    factor = 1 if longer < 2 * side else longer // side
    values = _value_range(pixels, factor)
    is_void = _has_void_alpha(pixels, factor)

    def convert(part: Image.Image) -> Image.Image:
        converted = colour.to_eight_bit(part, values)
        if pixels.samples.inverted:
            converted = ImageOps.invert(converted)
        return converted.convert(converted.mode[:-1]) if is_void else converted

    if factor == 1:
        return convert(pixels.whole())
    width, height = (-(-length // factor) for length in pixels.size)
    result: Image.Image | None = None
    for box in _pieces(pixels.size, factor):
        part = convert(pixels.crop(box)).reduce(factor)
        if result is None:
            result = Image.new(part.mode, (width, height))
        result.paste(part, (box[0] // factor, box[1] // factor))
    assert result is not None
    return result


def _value_range(pixels: Pixels, factor: int) -> colour.ValueRange | None:
    """Return the range of values of a greyscale picture that has no fixed one, or doesn't use its 16 bits."""
    is_deep = pixels.mode.startswith("I;16")
    if pixels.mode not in colour.WITHOUT_RANGE and not is_deep:
        return None
    found = colour.joint_range(colour.value_range(pixels.crop(box)) for box in _pieces(pixels.size, factor))
    if not is_deep:
        return found
    white = highest_value(int(found.high), pixels.samples.declared)
    return colour.ValueRange(0, white) if white < colour.FULL_16_BIT else None


def _has_void_alpha(pixels: Pixels, factor: int) -> bool:
    """Return whether alpha is 0 everywhere although there is a picture: then the file's alpha means nothing.

    Windows leaves it so in pictures on the clipboard.
    """
    if pixels.mode not in _MAY_HAVE_ALPHA or colour.to_eight_bit(pixels.crop((0, 0, 1, 1))).mode not in _WITH_ALPHA:
        return False
    uniform, first = True, None
    for box in _pieces(pixels.size, factor):
        part = colour.to_eight_bit(pixels.crop(box))
        *colours, alpha = cast("list[tuple[int, int]]", part.getextrema())
        if alpha[1]:
            return False
        first = first or tuple(colours)
        uniform = uniform and tuple(colours) == first and all(low == high for low, high in colours)
    return not uniform


def _pieces(size: tuple[int, int], factor: int) -> Iterator[Box]:
    """Yield boxes whose corners are multiples of ``factor``, but for those at the right and bottom edges."""
    width, height = size
    across = factor * max(1, _PIECE_PIXELS // (factor * min(factor, height)))
    across = min(across, -(-width // factor) * factor)
    down = factor * max(1, _PIECE_PIXELS // (min(across, width) * factor))
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)

"""Pictures with 16 bits a sample of which the file uses fewer, such as those of microscopes and scanners.

Their values are in the lower bits, so that their upper 8 bits are nearly black.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from bot.images.decode.unusual import tiff_tags

_FULL = 65535
_GUESSES = (255, 1023, 4095)
"""Highest values of cameras and scanners with 8, 10 and 12 bits."""

_NEAR_14_BITS = range(12288, 16384)
"""Highest values that sensors with 14 bits reach. A picture with lower ones, down to 12 bits, is likelier dark."""

_MIN_GUESS = 64
"""Values below this are numbers, such as those of regions, and not brightness: use the range that there is."""

_PIECE_PIXELS = 500_000

_MAX_SAMPLE_VALUE = 281
_WHITE_IS_ZERO = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """What a file says about its samples. ``declared``: their highest value, or 0. ``inverted``: 0 is white."""

    declared: int = 0
    inverted: bool = False


def samples_of(image: Any, bits: int) -> Samples:
    """Return what a picture's file says. ``bits``: the significant bits of a PNG, or 0."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return Samples((1 << bits) - 1 if 0 < bits < 16 else 0)  # noqa: PLR2004 - 16 bits use the whole range
    highest = tags.get(_MAX_SAMPLE_VALUE, 0)
    declared = max(highest) if isinstance(highest, tuple) else highest
    inverted = image.mode.startswith("I;16") and tags.get(tiff_tags.PHOTOMETRIC) == _WHITE_IS_ZERO
    return Samples(int(declared) if 0 < declared < _FULL else 0, inverted)


def highest_value(found: int, declared: int) -> int:
    """Return the value that means white, from the highest one in the picture and the declared one; 65535 as usual."""
    if declared and found <= declared:
        return declared
    if 0 < found < _MIN_GUESS:
        return found
    if found in _NEAR_14_BITS:
        return _NEAR_14_BITS.stop - 1
    return next((guess for guess in _GUESSES if 0 < found <= guess), _FULL)


def is_deep(image: Any) -> bool:
    """Return whether the decoder keeps only the upper 8 of 16 bits of the picture's colours."""
    return image.mode in {"RGB", "RGBA"} and any(";16" in _raw_mode(tile) for tile in getattr(image, "tile", ()))


def highest_colour(upper: Any, samples: Samples) -> int | None:
    """Return the value that means white, from the upper bytes of a picture's samples; None if it uses all 16 bits."""
    colours = upper.getextrema()[:3]
    white = highest_value(max(high for _, high in colours) << 8 | 255, samples.declared)
    return None if white == _FULL else white


def lower_bytes(image: Any) -> Image.Image:
    """Load a picture with the lower 8 bits of each sample, where the decoder would keep the upper ones."""
    if any(_raw_mode(tile).startswith("LA") for tile in image.tile):
        # There is one raw mode only, so read two samples of two bytes as four of one.
        image.tile = [_with_raw_mode(tile, "RGBA") for tile in image.tile]
        image.load()
        gray = image.getchannel("G")
        return Image.merge("RGBA", (gray, gray, gray, image.getchannel("A")))
    # There are raw modes for both byte orders. The wrong one takes the wrong byte.
    image.tile = [_with_raw_mode(tile, _other_order(_raw_mode(tile))) for tile in image.tile]
    image.load()
    return cast("Image.Image", image)


def merge(high: Image.Image, low: Image.Image, white: int) -> Image.Image:
    """Return a picture with 8 bits a channel from the upper and the lower bytes of its samples."""
    upper, lower = (np.asarray(part).astype(np.uint16) for part in (high, low))
    values = upper << 8 | lower
    result: npt.NDArray[np.uint8] = (values.clip(0, white) * np.float32(255 / white)).round().astype(np.uint8)
    if high.mode == "RGBA" and int(upper[..., -1].max(initial=0)) > white >> 8:
        result[..., -1] = upper[..., -1]  # alpha uses all of its bits
    return Image.fromarray(result, high.mode)


def merge_whole(high: Image.Image, low: Image.Image, white: int) -> Image.Image:
    """Do the same for a large picture, a few rows at a time."""
    result = Image.new(high.mode, high.size)
    rows = max(1, _PIECE_PIXELS // high.width)
    for top in range(0, high.height, rows):
        box = (0, top, high.width, min(top + rows, high.height))
        result.paste(merge(high.crop(box), low.crop(box), white), box)
    return result


def _raw_mode(tile: Any) -> str:
    raw = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
    return raw if isinstance(raw, str) else ""


def _other_order(raw: str) -> str:
    native_is_little = sys.byteorder == "little"
    return raw[:-1] + {"B": "L", "L": "B"}.get(raw[-1:], "B" if native_is_little else "L")


def _with_raw_mode(tile: Any, raw: str) -> Any:
    arguments = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
    return tile._replace(args=arguments)

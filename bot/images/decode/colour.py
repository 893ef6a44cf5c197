"""Colour conversion: turn any Pillow mode into 8-bit sRGB."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_MAX_PROFILE_BYTES = 4_000_000
"""Largest ICC profile that is used. Profiles of printing presses have up to about 3 MB."""

_INVISIBLE_DIFFERENCE = 2
"""Difference, of 255, up to which a profile counts as sRGB, so that its picture needs no conversion."""

FULL_16_BIT = 65535
_FULL_8_BIT = 255


WITHOUT_RANGE = frozenset({"I", "F"})
"""Modes of greyscale pictures whose values may mean anything."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The lowest and highest value of a greyscale picture."""

    low: float
    high: float


def to_eight_bit(image: Image.Image, values: ValueRange | None = None) -> Image.Image:
    """Return the image as L, LA, RGB, RGBA or CMYK with 8 bits a channel. In most cases this is the image itself.

    ``values`` is the range of the whole picture, if ``image`` is a part of it.
    """
    if image.mode in WITHOUT_RANGE:
        return Image.fromarray(_scale_to_eight_bit(np.asarray(image), values or value_range(image)))
    if image.mode.startswith("I;16"):
        return Image.fromarray(_deep_to_eight_bit(np.asarray(image), values))
    if image.mode in {"P", "PA"} or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    usual = {"1": "L", "La": "LA", "RGBa": "RGBA"}.get(image.mode, "RGB")
    return image if image.mode in {"L", "LA", "RGB", "RGBA", "CMYK"} else image.convert(usual)


def to_srgb(pixels: npt.NDArray[np.uint8], mode: str, profile: bytes | None) -> npt.NDArray[np.uint8]:
    """Convert pixels of mode L, RGB or CMYK to sRGB, height × width × 3, uint8.

    ``profile`` is an ICC profile. It is ignored if it is broken or doesn't fit the mode.
    """
    transform = _transform(profile, mode) if profile and len(profile) <= _MAX_PROFILE_BYTES else None
    if transform is None and mode == "RGB":
        return pixels
    image = Image.frombuffer(mode, (pixels.shape[1], pixels.shape[0]), pixels, "raw", mode, 0, 1)
    if transform is not None:
        converted = ImageCms.applyTransform(image, transform)
        if converted is not None:
            return np.asarray(converted, np.uint8)
    return np.asarray(image.convert("RGB"), np.uint8)


def value_range(image: Image.Image) -> ValueRange:
    """Return the range of the values of an image in a mode without a fixed range."""
    real = _finite(np.asarray(image))
    return ValueRange(float(real.min()), float(real.max()))


def joint_range(ranges: Iterable[ValueRange]) -> ValueRange:
    """Return the range of a picture, from those of its parts."""
    all_ranges = tuple(ranges)
    return ValueRange(min(part.low for part in all_ranges), max(part.high for part in all_ranges))


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.nan_to_num(values.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _scale_to_eight_bit(values: npt.NDArray[Any], found: ValueRange) -> npt.NDArray[np.uint8]:
    """Scale greyscale values of 32 bits or floating point to 8 bits, without clipping.

    The range is guessed from the values: 0 to 1, 0 to 255, 0 to 65535, or their own minimum to maximum.
    """
    low, high = found.low, found.high
    floating = np.issubdtype(values.dtype, np.floating)
    if low >= 0 and high <= 1 and floating:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= _FULL_8_BIT:
        low, high = 0.0, float(_FULL_8_BIT)
    elif low >= 0 and high <= FULL_16_BIT:
        low, high = 0.0, float(FULL_16_BIT)
    scaled: npt.NDArray[np.float32] = (_finite(values) - low) * (_FULL_8_BIT / ((high - low) or 1.0))
    return np.rint(scaled).astype(np.uint8)


def _deep_to_eight_bit(values: npt.NDArray[Any], used: ValueRange | None) -> npt.NDArray[np.uint8]:
    if used is None:
        return (values >> 8).astype(np.uint8)
    scaled: npt.NDArray[np.float32] = values.clip(0, used.high).astype(np.float32) * (_FULL_8_BIT / used.high)
    return np.rint(scaled).astype(np.uint8)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB"))
    assert converted is not None
    return converted


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB, or None if the profile is unusable or practically sRGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "CMYK":
        return transform
    # Test the profile by converting colours. Most pictures carry some sRGB profile, and names of profiles vary.
    probe = _sample_colours(mode)
    plain = np.asarray(probe.convert("RGB")).astype(np.int16)
    converted = ImageCms.applyTransform(probe, transform)
    if converted is not None and np.abs(np.asarray(converted) - plain).max() <= _INVISIBLE_DIFFERENCE:
        return None
    return transform


def _sample_colours(mode: str) -> Image.Image:
    """Return an image of 729 colours from the whole RGB cube or, for mode L, of all 256 greys."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(cube.reshape(27, 27, 3))

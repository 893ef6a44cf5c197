"""Drawn scenes: textured, with shapes, gradients and lettering; each seed gives another, the same one every time."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bot.models import Picture

Pixels = npt.NDArray[np.uint8]

SIZE = (480, 360)


@cache
def scene(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with detail at every scale, as a photograph has. Don't draw on it: it is shared."""
    chance = np.random.default_rng(seed)
    image = _texture(size, chance)
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        _shape(draw, size, chance)
    font = ImageFont.load_default(size=max(8, size[1] // 11))
    for _ in range(2):
        word = "".join(chr(letter) for letter in chance.integers(65, 91, 7))
        draw.text(_place(size, chance), word, fill=_colour(chance), font=font)
    grain = chance.normal(0, 4, (size[1], size[0], 1))
    return Image.fromarray((np.asarray(image, np.float32) + grain).clip(0, 255).astype(np.uint8))


def picture(image: Image.Image | Pixels) -> Picture:
    """What the normaliser would make of it."""
    pixels = np.ascontiguousarray(np.asarray(image, np.uint8))
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return Picture(pixels, digest, digest, "PNG", (pixels.shape[1], pixels.shape[0]))


def _texture(size: tuple[int, int], chance: np.random.Generator) -> Image.Image:
    """Clouds of several sizes over a slope of brightness."""
    width, height = size
    total = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 90), (9, 45), (30, 25)):
        noise = Image.fromarray(_muted(chance.integers(0, 256, (cells, cells, 3))).astype(np.uint8))
        total += (np.asarray(noise.resize(size, Image.Resampling.BICUBIC), np.float32) - 128) * (strength / 128)
    total += np.linspace(-40, 40, width)[None, :, None]
    return Image.fromarray((total + 128).clip(0, 255).astype(np.uint8))


def _shape(draw: ImageDraw.ImageDraw, size: tuple[int, int], chance: np.random.Generator) -> None:
    x, y = _place(size, chance)
    wide, high = (int(value) for value in chance.integers(size[1] // 14, size[1] // 3, 2))
    corners = (x, y, x + wide, y + high)
    fill, outline = _colour(chance), _colour(chance)
    match int(chance.integers(0, 4)):
        case 0:
            draw.rectangle(corners, fill=fill, outline=outline, width=3)
        case 1:
            draw.ellipse(corners, fill=fill, outline=outline, width=3)
        case 2:
            draw.polygon(((x, y + high), (x + wide, y + high), (x + wide // 3, y)), fill=fill, outline=outline)
        case _:
            draw.line(corners, fill=fill, width=5)


def _place(size: tuple[int, int], chance: np.random.Generator) -> tuple[int, int]:
    return int(chance.integers(0, size[0] * 3 // 4)), int(chance.integers(0, size[1] * 3 // 4))


def _colour(chance: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in _muted(chance.integers(0, 256, 3)))
    return red, green, blue


def _muted(colours: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Half way to gray, as most things are."""
    muted: npt.NDArray[Any] = (colours + colours.mean(axis=-1, keepdims=True)) / 2
    return muted

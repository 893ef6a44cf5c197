"""Drawing tools for the samples: a canvas twice the size of the picture, gradients, noise and shading."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]
Field = npt.NDArray[np.float64]

WIDTH, HEIGHT = 720, 540
SCALE = 2


def blank(colour: Colour = (255, 255, 255), width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Return a canvas of one colour."""
    return Image.new("RGB", (width * SCALE, height * SCALE), colour)


def gradient(top: Colour, bottom: Colour, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Return a canvas with a vertical gradient."""
    steps = np.linspace(0, 1, height * SCALE)[:, None, None]
    rows = np.array(top) * (1 - steps) + np.array(bottom) * steps
    return Image.fromarray(np.repeat(rows, width * SCALE, axis=1).round().astype(np.uint8))


def finished(canvas: Image.Image) -> Image.Image:
    """Return the picture at its final size, with smooth edges."""
    return canvas.resize((canvas.width // SCALE, canvas.height // SCALE), Image.Resampling.LANCZOS)


def around(centre: Point, radius: float, count: int, start: float = 0.0) -> Iterator[Point]:
    """Yield evenly spaced points on a circle."""
    for index in range(count):
        angle = start + 2 * math.pi * index / count
        yield centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)


def disc(draw: ImageDraw.ImageDraw, centre: Point, radius: float, fill: Colour) -> None:
    """Draw a filled circle."""
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def noise(seed: int, width: int, height: int, cells: int, octaves: int = 4) -> Field:
    """Return smooth noise from 0 to 1: a sum of random grids, each twice as fine and half as strong as the last."""
    rng = np.random.default_rng(seed)
    total: Field = np.zeros((height, width))
    for octave in range(octaves):
        side = cells * 2**octave
        grid = Image.fromarray(rng.random((side + 1, side + 1)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), np.float64) / 2**octave
    low, high = total.min(), total.max()
    scaled: Field = (total - low) / (high - low)
    return scaled


def coloured(field: Field, stops: tuple[Colour, ...]) -> Image.Image:
    """Return a field from 0 to 1 as a picture, with colours between the stops."""
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(field, places, [stop[channel] for stop in stops]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def metallic(shape: Image.Image, background: Image.Image, tint: Colour, seed: int) -> Image.Image:
    """Return a white-on-black shape as brushed metal that casts a shadow."""
    width, height = background.size
    shadow = shape.filter(ImageFilter.GaussianBlur(22)).point(lambda value: int(value * 0.55))
    picture = background.copy()
    picture.paste((20, 22, 26), (14, 22), shadow)
    edge = np.asarray(shape.filter(ImageFilter.GaussianBlur(9)), np.float64) / 255
    down, across = np.gradient(edge)
    brushed = np.repeat(np.random.default_rng(seed).normal(0, 5, (height, 1)), width, axis=1)
    light = 0.72 - 9 * (across + down) + 0.22 * np.linspace(1, -1, height)[:, None]
    surface = np.clip(np.array(tint) * light[..., None] + brushed[..., None], 0, 255).astype(np.uint8)
    picture.paste(Image.fromarray(surface), (0, 0), shape)
    return picture


def write(
    draw: ImageDraw.ImageDraw, centre: Point, text: str, size: int, fill: Colour, *, spacing: float = 0.0
) -> None:
    """Write a line of text centred at ``centre``. ``spacing``: gap between letters as a fraction of their size."""
    font = ImageFont.load_default(size * SCALE)
    gaps = spacing * size * SCALE
    total = sum(draw.textlength(letter, font) for letter in text) + gaps * (len(text) - 1)
    x = centre[0] - total / 2
    for letter in text:
        draw.text((x, centre[1]), letter, fill, font, anchor="lm")
        x += draw.textlength(letter, font) + gaps

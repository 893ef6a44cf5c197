"""Edits of pictures before somebody shares them again, and a simulated photo of a print. No I/O."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

_TABLE = (96, 84, 70)
_CORNERS = ((0.10, 0.16), (0.86, 0.07), (0.93, 0.90), (0.06, 0.82))
"""Corners of a sheet on a table, as fractions of the photo, clockwise."""


def cropped_and_mirrored(picture: Image.Image) -> Image.Image:
    """Crop and mirror a picture, as people do to hide its source."""
    width, height = picture.size
    part = picture.convert("RGB").crop((width // 10, height // 10, width * 19 // 20, height * 19 // 20))
    return ImageOps.mirror(part)


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """Crop and fade a picture, with a line of text above it."""
    width, height = picture.size
    part = picture.convert("RGB").crop((width // 12, height // 14, width * 11 // 12, height * 19 // 20))
    part = ImageEnhance.Color(ImageEnhance.Brightness(part).enhance(1.12)).enhance(0.7)
    band = part.height // 7
    whole = Image.new("RGB", (part.width, part.height + band), "white")
    whole.paste(part, (0, band))
    font = ImageFont.load_default(part.height // 12)
    ImageDraw.Draw(whole).text((part.width // 30, part.height // 40), text, fill="black", font=font)
    return whole


def photographed(picture: Image.Image) -> Image.Image:
    """Simulate a photo of the picture lying askew on a table, a little dark and blurred."""
    width, height = picture.size
    table = Image.new("RGB", (width * 13 // 10, height * 13 // 10), _TABLE)
    corners = [(x * table.width, y * table.height) for x, y in _CORNERS]
    slant = _perspective(corners, [(0, 0), (width, 0), (width, height), (0, height)])
    how = Image.Transform.PERSPECTIVE
    sheet = picture.convert("RGB").transform(table.size, how, slant, Image.Resampling.BICUBIC)
    table.paste(sheet, mask=Image.new("L", picture.size, 255).transform(table.size, how, slant))
    return ImageEnhance.Brightness(table.filter(ImageFilter.GaussianBlur(1.2))).enhance(0.8)


def _perspective(there: list[tuple[float, float]], here: list[tuple[int, int]]) -> tuple[float, ...]:
    """Return Pillow's eight perspective coefficients that map the points ``there`` to ``here``."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(there, here, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    found = np.linalg.solve(np.array(rows), np.array([value for point in here for value in point], float))
    return tuple(float(value) for value in found)


def unknown_picture() -> Image.Image:
    """Draw a picture that is in no catalogue."""
    face = Image.new("RGB", (640, 480), "#fbe3a0")
    pen = ImageDraw.Draw(face)
    pen.ellipse((170, 90, 470, 390), fill="#f2b632", outline="#7a4d00", width=10)
    for left in (245, 355):
        pen.ellipse((left, 180, left + 40, 240), fill="#402800")
    pen.arc((230, 190, 410, 340), 20, 160, fill="#402800", width=12)
    return face

"""Generators of test pictures: drawn here, encoded by Pillow, each a few kilobytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 60), (30, 60, 200), (240, 220, 40)

_WIDTH, _HEIGHT = 96, 64

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""By EXIF orientation: how an upright picture is turned before it is stored with that tag."""


def quarters(width: int = _WIDTH, height: int = _HEIGHT) -> Image.Image:
    """Red, green, blue and yellow from the upper left to the lower right: each turn of it looks different."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Soft blobs with a little noise: compresses as a photograph does."""
    rng = np.random.default_rng(seed)
    blobs = rng.integers(0, 256, (height // 32 + 2, width // 32 + 2, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noisy = smooth + rng.integers(-6, 7, (height, width, 1))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file of the format that Pillow calls ``kind``."""
    if kind == "HEIF":
        import pillow_heif  # noqa: PLC0415 - slow to load

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(pixels: npt.NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters, from the upper left to the lower right."""
    height, width = pixels.shape[:2]
    points = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return [(int(pixels[p][0]), int(pixels[p][1]), int(pixels[p][2])) for p in points]


P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
"""XYZ (D50) of Display P3's red, green and blue."""


def matrix_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """An ICC profile (version 2) of an RGB screen, as ICC.1:2001-04 lays it out."""

    def fixed(*values: float) -> bytes:
        return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)

    text = b"test screen\0"
    desc = b"desc\0\0\0\0" + len(text).to_bytes(4, "big") + text + bytes(78)
    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)
    tags = {b"desc": desc, b"cprt": b"text\0\0\0\0none\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)}
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*primary)
        tags[name + b"TRC"] = curve
    table, body = len(tags).to_bytes(4, "big"), b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + (132 + 12 * len(tags) + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += padded
    header = bytes(8) + b"\x02\x40\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    content = header.ljust(128, b"\0") + table + body
    return len(content).to_bytes(4, "big") + content[4:]

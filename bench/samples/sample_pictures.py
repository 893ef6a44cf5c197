"""Pictures for the speed benchmarks: from the folder in the environment, or drawn."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from bench.samples import pictures
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import normalise
from bot.images.features import fingerprint, local_features
from bot.images.features.point_features import extract_point_features

DRAWN = 240
PACKED = 200

_scratch: list[tempfile.TemporaryDirectory[str]] = []
"""Temporary directories, removed when the process ends."""


@cache
def paths() -> tuple[Path, ...]:
    """Return the pictures in a fixed order that mixes classes."""
    root = pictures.folder()
    found = pictures.paths(root) if root else []
    if not found:
        print(f"{pictures.VARIABLE} names no folder with pictures, so {DRAWN} drawn ones are used.")
        found = _drawn()
    random.Random(3).shuffle(found)
    return tuple(found)


def read(path: Path) -> Picture:
    """Read and normalise a picture."""
    return normalise(path.read_bytes())


@cache
def packed_features() -> Sequence[bytes]:
    """Return packed local features of the pictures, except the last picture, which is the query."""
    made = []
    for path in paths()[: min(PACKED, len(paths()) - 1)]:
        picture = read(path)
        made.append(local_features.extract_local_features(picture.pixels, fingerprint.luminance(picture.pixels)).pack())
    return made


@cache
def packed_points() -> Sequence[bytes]:
    """Return packed point features of the same pictures."""
    chosen = paths()[: min(PACKED, len(paths()) - 1)]
    return [extract_point_features(fingerprint.luminance(read(path).pixels)).pack() for path in chosen]


def query() -> Picture:
    """Return the picture that none of the packed features were made of."""
    return read(paths()[-1])


@cache
def enlarged(side: int, count: int) -> tuple[Path, ...]:
    """Enlarge the first ``count`` pictures to a long side of ``side`` pixels, as cameras and phones make them."""
    folder = _folder()
    made = []
    for number, path in enumerate(paths()[:count]):
        with Image.open(path) as image:
            scale = side / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            larger = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        made.append(folder / f"{number:04}.jpg")
        larger.save(made[-1], quality=90)
    return tuple(made)


def _folder() -> Path:
    _scratch.append(tempfile.TemporaryDirectory(prefix="vsearch-bench-"))
    return Path(_scratch[-1].name)


def _drawn() -> list[Path]:
    folder = _folder()
    made = []
    for number in range(DRAWN):
        made.append(folder / f"drawn_{number:04}.jpg")
        _draw(number).save(made[-1], quality=88)
    return made


def _draw(seed: int) -> Image.Image:
    """Draw shapes on a soft background with some grain, so that there are enough keypoints."""
    rng = random.Random(seed)
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        left, top = rng.randrange(600), rng.randrange(440)
        box = (left, top, left + rng.randrange(10, 160), top + rng.randrange(10, 160))
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        rng.choice((draw.ellipse, draw.rectangle))(box, fill=colour)
    return picture.filter(ImageFilter.GaussianBlur(0.8))

"""Pictures for the benchmarks of speed: those of the folder that is named, or drawn ones."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from bench import pictures
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import normalise
from bot.images.features import fingerprint, local_features

DRAWN = 240
SKETCHES = 200

_scratch: list[tempfile.TemporaryDirectory[str]] = []
"""Held until the process ends, which removes them."""


@cache
def specimens() -> tuple[Path, ...]:
    """The pictures, in an order that mixes kinds and is always the same."""
    root = pictures.folder()
    found = pictures.paths(root) if root else []
    if not found:
        print(f"{pictures.VARIABLE} names no folder with pictures: {DRAWN} drawn ones stand in for real ones.")
        found = _drawn()
    random.Random(3).shuffle(found)
    return tuple(found)


def read(path: Path) -> Picture:
    """A verified picture."""
    return normalise(path.read_bytes())


@cache
def sketches() -> Sequence[bytes]:
    """Real sketches, for rows that are made up. The last picture is never among them: it is the query."""
    made = []
    for path in specimens()[: min(SKETCHES, len(specimens()) - 1)]:
        picture = read(path)
        made.append(local_features.extract_local_features(picture.pixels, fingerprint.luminance(picture.pixels)).pack())
    return made


def query() -> Picture:
    """A picture that none of the sketches was made of."""
    return read(specimens()[-1])


@cache
def enlarged(side: int, count: int) -> tuple[Path, ...]:
    """The first pictures again, their long side ``side`` pixels: as cameras and telephones make them."""
    folder = _folder()
    made = []
    for number, path in enumerate(specimens()[:count]):
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
    """Shapes on a soft background, with some grain: enough corners for a sketch."""
    chance = random.Random(seed)
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        left, top = chance.randrange(600), chance.randrange(440)
        box = (left, top, left + chance.randrange(10, 160), top + chance.randrange(10, 160))
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        chance.choice((draw.ellipse, draw.rectangle))(box, fill=colour)
    return picture.filter(ImageFilter.GaussianBlur(0.8))

"""Pictures that contain others: collages, screenshots, photographs. Functions of the pictures and a seeded generator.

Each takes the picture to be found and some that fill the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

Rng = np.random.Generator
PartEdit = Callable[[Image.Image, Sequence[Image.Image], Rng], Image.Image]
Colour = tuple[int, int, int]
Cell = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a collage."""

FILLERS = 3
"""Other pictures that an edit may need."""

_SIDE = 900
_RESAMPLING = Image.Resampling.BICUBIC

_TWO_BY_TWO: tuple[Cell, ...] = ((0, 0, 0.5, 0.5), (0.5, 0, 0.5, 0.5), (0, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5))
_OF_THREE: tuple[Cell, ...] = ((0, 0, 0.6, 1), (0.6, 0, 0.4, 0.5), (0.6, 0.5, 0.4, 0.5))


def _collage(cells: Sequence[Cell], *, gutter: bool) -> PartEdit:
    """Fill each cell with the middle of a picture; the picture to be found is in a random one."""

    def edit(picture: Image.Image, others: Sequence[Image.Image], rng: Rng) -> Image.Image:
        height = int(_SIDE * rng.uniform(0.7, 1.3))
        gap = int(rng.integers(4, 25)) if gutter else 0
        colour = _paper(rng)
        sheet = Image.new("RGB", (_SIDE, height), colour)
        place = int(rng.integers(len(cells)))
        rest = iter(others)
        for number, (left, top, across, down) in enumerate(cells):
            shown = picture if number == place else next(rest)
            box = (
                round(left * _SIDE),
                round(top * height),
                round((left + across) * _SIDE),
                round((top + down) * height),
            )
            inner = (box[0] + gap // 2, box[1] + gap // 2, box[2] - (gap + 1) // 2, box[3] - (gap + 1) // 2)
            filled = ImageOps.fit(shown, (inner[2] - inner[0], inner[3] - inner[1]), _RESAMPLING)
            sheet.paste(filled, inner[:2])
        return sheet

    return edit


def _paper(rng: Rng) -> Colour:
    choices: tuple[Colour, ...] = ((255, 255, 255), (0, 0, 0), (245, 240, 230), (40, 60, 90))
    return choices[int(rng.integers(len(choices)))]


def _small_on_phone(picture: Image.Image, _: Sequence[Image.Image], rng: Rng) -> Image.Image:
    """Draw a chat on a phone, in which the picture takes a third to a half of the width."""
    width, height = 540, 1170
    is_dark = rng.random() < 0.4
    paper, ink, bubble = (
        ((18, 20, 24), (225, 225, 225), (44, 52, 60)) if is_dark else ((236, 229, 221), (25, 25, 25), (255, 255, 255))
    )
    screen = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(screen)
    large, small = ImageFont.load_default(size=24), ImageFont.load_default(size=17)
    draw.rectangle((0, 0, width, 96), fill=(7, 94, 84) if not is_dark else (30, 36, 42))
    draw.text((80, 46), "Family", fill="white", font=large)
    draw.text((20, 8), "12:41", fill="white", font=small)
    shown = _scaled(picture, int(width * rng.uniform(0.33, 0.5)))
    top = 130
    lines = (
        "Are you coming tonight?",
        "Not sure yet",
        "Look at this",
        "I saw it in town",
        "Where was that?",
        "Near the station",
    )
    before = int(rng.integers(1, 4))
    for line in lines[:before]:
        top = _bubble(draw, (24, top), line, (bubble, ink), small)
    left = 24 if rng.random() < 0.5 else width - shown.width - 32
    draw.rounded_rectangle((left - 6, top - 6, left + shown.width + 6, top + shown.height + 34), 12, fill=bubble)
    screen.paste(shown, (left, top))
    draw.text((left + 6, top + shown.height + 8), "12:38", fill=ink, font=small)
    top += shown.height + 60
    for line in lines[before:]:
        if top < height - 140:
            top = _bubble(draw, (width - 300, top), line, (bubble, ink), small)
    draw.rounded_rectangle((16, height - 80, width - 90, height - 24), 26, fill=bubble)
    draw.ellipse((width - 76, height - 82, width - 18, height - 24), fill=(0, 150, 136))
    return screen


def _bubble(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    colours: tuple[Colour, Colour],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> int:
    left, top = at
    across = int(draw.textlength(text, font=font)) + 28
    draw.rounded_rectangle((left, top, left + across, top + 44), 12, fill=colours[0])
    draw.text((left + 14, top + 12), text, fill=colours[1], font=font)
    return top + 62


def _scaled(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, max(1, round(picture.height * width / picture.width))), _RESAMPLING)


def _crop(share: float) -> PartEdit:
    """Keep this share of the area, at a random place in the picture."""

    def edit(picture: Image.Image, _: Sequence[Image.Image], rng: Rng) -> Image.Image:
        width, height = (max(1, int(length * share**0.5)) for length in picture.size)
        left = int(rng.integers(0, picture.width - width + 1))
        top = int(rng.integers(0, picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return edit


def _on_photograph(picture: Image.Image, others: Sequence[Image.Image], rng: Rng) -> Image.Image:
    """Put the picture on a photograph, such as a logo on a shop or on a shirt: small, tilted, and a little darker."""
    scene = ImageOps.fit(others[0], (_SIDE, int(_SIDE * rng.uniform(0.7, 1.3))), _RESAMPLING)
    shown = _scaled(picture, int(_SIDE * rng.uniform(0.18, 0.35)))
    light = rng.uniform(0.8, 1.05)
    dimmed = shown.point([min(255, int(value * light)) for value in range(256)] * 3)
    opaque = Image.new("L", shown.size, 255)
    angle = float(rng.uniform(-8, 8))
    turned, mask = (image.rotate(angle, _RESAMPLING, expand=True) for image in (dimmed, opaque))
    left = int(rng.integers(0, max(1, scene.width - turned.width)))
    top = int(rng.integers(0, max(1, scene.height - turned.height)))
    scene.paste(turned, (left, top), mask)
    return scene


PART_EDITS: dict[str, PartEdit] = {
    "collage of 4": _collage(_TWO_BY_TWO, gutter=True),
    "collage of 4, no gutters": _collage(_TWO_BY_TWO, gutter=False),
    "collage of 3": _collage(_OF_THREE, gutter=True),
    "collage of 3, no gutters": _collage(_OF_THREE, gutter=False),
    "small on a phone": _small_on_phone,
    "crop to 30 %": _crop(0.3),
    "crop to 20 %": _crop(0.2),
}


def logo(rng: Rng) -> Image.Image:
    """Draw a logo: one to three shapes, initials and a word, in two or three colours."""
    colours = [tuple(int(value) for value in rng.integers(0, 220, 3)) for _ in range(3)]
    image = Image.new("RGB", (480, 480), "white")
    draw = ImageDraw.Draw(image)
    for number in range(int(rng.integers(1, 4))):
        left, top = (int(value) for value in rng.integers(40, 220, 2))
        box = (left, top, left + int(rng.integers(90, 200)), top + int(rng.integers(90, 200)))
        shape = int(rng.integers(4))
        if shape == 0:
            draw.ellipse(box, fill=colours[number])
        elif shape == 1:
            draw.rounded_rectangle(box, 24, fill=colours[number])
        elif shape == 2:
            draw.polygon(((box[0], box[3]), ((box[0] + box[2]) // 2, box[1]), (box[2], box[3])), fill=colours[number])
        else:
            draw.arc(box, int(rng.integers(360)), int(rng.integers(360)), fill=colours[number], width=28)
    letters = "".join(chr(int(code)) for code in rng.integers(65, 91, int(rng.integers(4, 8))))
    draw.text((240, 395), letters, fill=colours[0], font=ImageFont.load_default(size=72), anchor="mm")
    return image


ON_PHOTOGRAPH: PartEdit = _on_photograph

"""Transparency: drawings lie on a ground on which they can be seen; alpha that is 0 everywhere is none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bot.images.decode.normaliser import normalise
from bot.images.decode.unusual import detail
from tests.fixtures import pictures

WHITE, BLACK, ORANGE = (255, 255, 255, 255), (0, 0, 0, 255), (230, 120, 20, 255)


def logo(*words: tuple[str, tuple[int, int, int, int]], size: int = 500) -> Image.Image:
    """Return words in their colours below each other, on transparency, and a round mark of the first one's colour."""
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 120, 120), fill=words[0][1])
    for row, (word, colour) in enumerate(words):
        draw.text((30, 150 + 110 * row), word, fill=colour, font_size=90)
    return image


def in_format(image: Image.Image, kind: str) -> bytes:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "speed": 10} if kind == "AVIF" else {}
    if kind == "GIF":
        image = image.copy()
        image.putalpha(image.getchannel("A").point(lambda value: 255 * (value > 127)))
    return pictures.encoded(image, kind, **options)


def contrast(image: Image.Image, kind: str = "PNG") -> float:
    """Return the standard deviation of the picture below the mark, where the words are."""
    return float(normalise(in_format(image, kind)).pixels[140:].astype(int).std())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF", "TIFF", "HEIF"])
def test_white_drawings_are_told_apart_in_every_format(kind: str) -> None:
    first, second = (normalise(in_format(logo((word, WHITE)), kind)) for word in ("VALVE", "PUMP"))
    assert first.digest != second.digest
    assert not detail.is_flat(first.pixels)
    assert np.abs(first.pixels.astype(int) - second.pixels).mean() > 5


@pytest.mark.parametrize(
    "words",
    [
        (("ACME", ORANGE), ("white", WHITE)),
        (("ACME", BLACK), ("white", WHITE)),
        (("ACME", BLACK), ("grey", (118, 118, 118, 255)), ("white", WHITE)),
    ],
    ids=["coloured and white", "black and white", "black, grey and white"],
)
def test_words_in_several_colours_are_all_visible(words: tuple[tuple[str, tuple[int, int, int, int]], ...]) -> None:
    for number in range(1, len(words)):
        changed = list(words)
        changed[number] = ("other", words[number][1])
        first, second = (normalise(in_format(logo(*some), "PNG")).pixels.astype(int) for some in (words, changed))
        assert np.abs(first - second).mean() > 0.5, words[number]


def test_drawings_that_are_visible_on_white_stay_on_white() -> None:
    rim = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    ImageDraw.Draw(rim).rounded_rectangle((50, 50, 350, 350), 30, fill=WHITE)
    rim.paste(pictures.photo(284, 284), (58, 58))
    for image in (logo(("ACME", BLACK)), logo(("ACME", ORANGE)), rim):
        assert tuple(normalise(pictures.encoded(image, "PNG")).pixels[0, 0]) == (255, 255, 255)


def test_gray_with_alpha_is_laid_on_a_ground_too() -> None:
    assert contrast(logo(("VALVE", WHITE)).convert("LA")) > 20


def test_large_drawings_are_laid_on_a_ground_too() -> None:
    image = logo(("VALVE", WHITE)).resize((2600, 2600))
    assert not detail.is_flat(normalise(pictures.encoded(image, "PNG")).pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("size", [(96, 64), (2400, 1600)])
def test_alpha_of_zero_everywhere_is_none(kind: str, size: tuple[int, int]) -> None:
    image = pictures.quarters(*size)
    image.putalpha(0)
    options = {"lossless": True, "exact": True, "method": 0} if kind == "WEBP" else {}
    data = pictures.encoded(image, kind, **options)
    if kind == "BMP":
        data = with_alpha_mask(data)
    pictures.looks_like(normalise(data).pixels, pictures.RED, pictures.GREEN, pictures.BLUE, pictures.YELLOW)


def with_alpha_mask(bmp: bytes) -> bytes:
    """Return a BMP of 32 bits with a header that says where alpha is (version 4), as the clipboard has it."""
    width_to_planes, pixels = bmp[18:28], bmp[int.from_bytes(bmp[10:14], "little") :]
    masks = b"".join(mask.to_bytes(4, "little") for mask in (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    header = (108).to_bytes(4, "little") + width_to_planes + (32).to_bytes(2, "little") + (3).to_bytes(4, "little")
    header += bytes(20) + masks + b"BGRs" + bytes(48)
    return b"BM" + bytes(8) + (14 + len(header)).to_bytes(4, "little") + header + pixels


def test_wholly_transparent_picture_of_one_colour_is_white() -> None:
    data = pictures.encoded(Image.new("RGBA", (40, 30), (0, 0, 0, 0)), "PNG")
    assert normalise(data).pixels.min() == 255

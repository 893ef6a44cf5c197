"""The content box of screenshots and framed pictures. Other pictures have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from bench.samples.edits import EDITS
from bot.images.features.regions.content_box import content_box
from tests.fixtures.scenes import scene

Colour = tuple[int, int, int]

WHITE, BLACK, GRAY, BLUE = (255, 255, 255), (12, 12, 14), (238, 238, 242), (20, 40, 90)


def posted(background: Colour, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Draw a picture on a plain page, with a line of text above and one below."""
    left, top, right, bottom = box
    page = Image.new("RGB", size, background)
    page.paste(scene(1).resize((right - left, bottom - top)), (left, top))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=16)
    ink = BLACK if sum(background) > 380 else WHITE
    for y in (10, bottom + 12):
        draw.text((20, y), "look what I have found today!", fill=ink, font=font)
    return page


@pytest.mark.parametrize("background", [WHITE, BLACK, GRAY, BLUE])
@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((540, 960), (0, 170, 540, 575)),
        ((900, 640), (220, 90, 780, 510)),
        ((400, 400), (40, 60, 360, 300)),
        ((640, 480), (400, 100, 630, 400)),
    ],
)
def test_picture_on_a_page_is_found(background: Colour, size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    found = content_box(np.asarray(posted(background, size, box)))
    assert found is not None
    # The box is searched in a picture of 256 pixels a side. Allow an error of two of those.
    assert np.abs(np.array(found) - np.array(box)).max() <= 2 * max(size) / 256


def test_border_is_outside_the_box() -> None:
    framed = Image.new("RGB", (560, 440), (200, 180, 40))
    framed.paste(scene(2), (40, 40))
    found = content_box(np.asarray(framed))
    assert found is not None
    assert np.abs(np.array(found) - (40, 40, 520, 400)).max() <= 4


@pytest.mark.parametrize("name", ["screenshot of a phone", "screenshot of a browser"])
@pytest.mark.parametrize("seed", range(3))
def test_screenshots_have_a_content_box(name: str, seed: int) -> None:
    shot = EDITS[name](scene(seed), np.random.default_rng(seed))
    found = content_box(np.asarray(shot))
    assert found is not None
    left, top, right, bottom = found
    aspect = (right - left) / (bottom - top)
    assert aspect == pytest.approx(scene(seed).width / scene(seed).height, rel=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_picture_without_a_frame_has_no_box(seed: int) -> None:
    assert content_box(np.asarray(scene(seed))) is None


@pytest.mark.parametrize("background", [WHITE, BLACK])
def test_text_alone_has_no_box(background: Colour) -> None:
    page = Image.new("RGB", (600, 800), background)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=18)
    for line in range(20):
        draw.text((40, 30 + 38 * line), "the quick brown fox jumps over the lazy dog", fill=(128, 128, 128), font=font)
    assert content_box(np.asarray(page)) is None


def test_product_on_white_has_no_box() -> None:
    """A round product on a white background isn't a picture on a page."""
    page = Image.new("RGB", (400, 400), WHITE)
    ImageDraw.Draw(page).polygon(((200, 40), (360, 200), (200, 360), (40, 200)), fill=(180, 30, 30))
    assert content_box(np.asarray(page)) is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_picture_has_no_box(value: int) -> None:
    assert content_box(np.full((200, 300, 3), value, np.uint8)) is None


@given(st.integers(1, 1023), st.integers(1, 40), st.booleans(), st.integers(0, 99))
@example(1023, 1, False, 0)
@example(1, 1, False, 0)
@settings(max_examples=60, deadline=None)
def test_box_lies_inside_the_picture_and_is_not_empty(long: int, short: int, upright: bool, seed: int) -> None:
    """Also for very narrow pictures with a few blocks."""
    chance = np.random.default_rng(seed)
    pixels = np.full((long, short, 3) if upright else (short, long, 3), 250, np.uint8)
    height, width = pixels.shape[:2]
    for _ in range(3):
        top, left = int(chance.integers(0, height)), int(chance.integers(0, width))
        block = pixels[
            top : top + int(chance.integers(1, height + 1)), left : left + int(chance.integers(1, width + 1))
        ]
        block[:] = chance.integers(0, 256, block.shape)
    found = content_box(pixels)
    if found is not None:
        left, top, right, bottom = found
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height

"""Comparisons of known edits: the words, the places that differ, and what the picture shows."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from bot.blocks.wording.comparison import sentence
from bot.domain.comparison import ComparisonKind
from bot.images.comparison.compare import PictureComparison, compare_pictures
from bot.images.decode.normaliser import normalise
from bot.images.features.local_features import Pixels
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import scene

WIDTH, HEIGHT = 640, 480
STORED = scene(7, (WIDTH, HEIGHT))
GREEN, RED, WHITE = (30, 160, 90), (224, 30, 90), (255, 255, 255)

Edit = Callable[[Image.Image], Image.Image]


def compared(edited: Image.Image, *, quality: int = 85, stored: Image.Image = STORED) -> PictureComparison:
    found = compare_pictures(
        normalise(encoded(edited.convert("RGB"), "JPEG", quality=quality)),
        normalise(encoded(stored, "JPEG", quality=88)),
        stored.size,
    )
    assert found is not None
    return found


def said(edited: Image.Image, *, quality: int = 85) -> str:
    return sentence(compared(edited, quality=quality).facts)


def cut(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, 512, HEIGHT))


def sticker(image: Image.Image) -> Image.Image:
    marked = image.copy()
    ImageDraw.Draw(marked).rectangle((400, 300, 500, 360), fill=(255, 230, 0))
    return marked


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda image: image, "Both pictures show the same, and nothing differs."),
        (cut, "The right 20 % were cut off."),
        (lambda image: ImageOps.mirror(cut(image)), "The right 20 % were cut off, and it is mirrored."),
        (lambda image: image.rotate(-90, expand=True), "It is turned 90° clockwise."),
        (lambda image: image.rotate(180), "It is turned upside down."),
        (ImageOps.flip, "It is mirrored top to bottom."),
        (lambda image: image.resize((WIDTH // 2, HEIGHT // 2)), "It is shrunk to 50 %."),
        (lambda image: image.resize((WIDTH * 5 // 4, HEIGHT * 5 // 4)), "It is enlarged to 125 %."),
        (lambda image: ImageOps.expand(image, 60, (20, 30, 40)), "A border was added around it."),
        (ImageOps.grayscale, "It is black and white."),
        (ImageOps.invert, "Its colours are inverted."),
        (lambda image: ImageEnhance.Brightness(image).enhance(0.6), "It is darker."),
        (sticker, "1 place differs."),
        (lambda image: sticker(ImageOps.mirror(image)), "It is mirrored, and 1 place differs."),
    ],
)  # fmt: skip
def test_words_say_what_was_done(edit: Edit, words: str) -> None:
    assert said(edit(STORED)) == words


@settings(max_examples=8, deadline=None)
@given(percent=st.integers(5, 45), side=st.sampled_from(["left", "top", "right", "bottom"]), mirrored=st.booleans())
def test_crops_of_any_size_are_told(percent: int, side: str, *, mirrored: bool) -> None:
    across, down = round(WIDTH * percent / 100), round(HEIGHT * percent / 100)
    box = {
        "left": (across, 0, WIDTH, HEIGHT),
        "top": (0, down, WIDTH, HEIGHT),
        "right": (0, 0, WIDTH - across, HEIGHT),
        "bottom": (0, 0, WIDTH, HEIGHT - down),
    }[side]
    edited = STORED.crop(box)
    facts = compared(ImageOps.mirror(edited) if mirrored else edited).facts
    shares = {name: getattr(facts.cut, name) for name in ("left", "top", "right", "bottom")}
    assert abs(shares.pop(side) - percent / 100) < 0.01
    assert set(shares.values()) == {0}
    assert facts.mirrored is mirrored
    assert facts.changes == 0


@settings(max_examples=8, deadline=None)
@given(degrees=st.integers(-170, 170), percent=st.integers(50, 140))
def test_turns_and_scales_of_any_size_are_told(degrees: int, percent: int) -> None:
    scaled = STORED.resize((WIDTH * percent // 100, HEIGHT * percent // 100), Image.Resampling.LANCZOS)
    facts = compared(scaled.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)).facts
    assert abs((facts.turned - degrees + 180) % 360 - 180) <= 1
    assert abs((facts.scale or 1.0) - percent / 100) < 0.07
    assert not facts.mirrored
    assert facts.hidden == 0


@pytest.mark.parametrize("quality", [15, 40, 70])
def test_recompression_and_blur_are_no_differences(quality: int) -> None:
    for edited in (STORED, STORED.filter(ImageFilter.GaussianBlur(2)), ImageEnhance.Contrast(STORED).enhance(0.8)):
        assert compared(edited, quality=quality).facts.changes == 0


def test_photographed_picture_is_seen_at_an_angle() -> None:
    seen = (1.15, 0.1, -40, 0.03, 1.1, -20, 0.00025, 0.0001)
    oblique = STORED.transform(STORED.size, Image.Transform.PERSPECTIVE, seen, Image.Resampling.BICUBIC)
    facts = compared(oblique).facts
    assert facts.kind is ComparisonKind.COPY
    assert facts.oblique
    assert facts.changes == 0


def test_part_of_a_collage_is_found() -> None:
    sheet = Image.new("RGB", (2 * WIDTH, HEIGHT), (240, 240, 240))
    sheet.paste(scene(8, (WIDTH, HEIGHT)), (0, 0))
    sheet.paste(STORED, (WIDTH, 0))
    assert said(sheet) == "It is a larger picture, of which the stored one is 50 %."


@pytest.mark.parametrize(
    ("asked", "stored", "words"),
    [
        ((20, 200), (255, 60), "Its colours are inverted."),
        ((20, 200), (255, 190), "It lies on a ground of another colour."),
    ],
)
def test_logo_on_another_ground_is_recognised(asked: tuple[int, int], stored: tuple[int, int], words: str) -> None:
    found = compare_pictures(
        normalise(encoded(logo(*asked), "PNG")), normalise(encoded(logo(*stored), "PNG")), (400, 300)
    )
    assert found is not None
    assert sentence(found.facts) == words


def logo(ground: int, ink: int) -> Image.Image:
    image = Image.new("RGB", (400, 300), (ground,) * 3)
    draw = ImageDraw.Draw(image)
    draw.ellipse((120, 80, 280, 220), outline=(ink,) * 3, width=14)
    draw.line((140, 210, 260, 90), fill=(ink,) * 3, width=12)
    return image


def test_unrelated_pictures_are_not_compared() -> None:
    one, other = (normalise(encoded(scene(seed, (WIDTH, HEIGHT)), "PNG")) for seed in (21, 22))
    assert compare_pictures(one, other) is None


def test_difference_is_framed_in_both_pictures_and_nowhere_else() -> None:
    drawn = decoded(compared(sticker(STORED)).jpeg)
    red = is_colour(drawn, RED)
    rows, columns = np.nonzero(red[: int(drawn.shape[0] * 0.85)])
    half = drawn.shape[1] / 2
    for low, high in ((0.0, half), (half, 2 * half)):
        own = columns[(columns >= low) & (columns < high)]
        # The sticker reaches from 62 to 78 % of the width.
        assert 0.55 < (own.min() - low) / half < 0.66
        assert 0.72 < (own.max() - low) / half < 0.84
    assert rows.min() > drawn.shape[0] * 0.4


def test_shared_area_is_outlined_and_what_is_missing_is_hatched() -> None:
    drawn = decoded(compared(STORED.crop((0, 0, 512, HEIGHT))).jpeg)
    assert is_colour(drawn, GREEN).any()
    left = drawn[:, : drawn.shape[1] // 2]
    missing = left[100:300, -110:-60].astype(np.int16)
    # Grey stripes, where the asked picture has nothing.
    assert (np.ptp(missing, axis=2) < 12).all()
    assert missing.min() > 150
    assert missing.std() > 2


def test_wide_pictures_stand_above_each_other() -> None:
    wide = scene(9, (1000, 300))
    drawn = decoded(compared(wide.crop((0, 0, 900, 300)), stored=wide).jpeg)
    assert drawn.shape[0] > 0.6 * drawn.shape[1]


def decoded(jpeg: bytes) -> Pixels:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"))


def is_colour(pixels: Pixels, colour: tuple[int, int, int]) -> Pixels:
    return np.asarray(np.abs(pixels.astype(np.int16) - np.array(colour)).max(axis=2) < 30)

"""Differences between aligned pictures: words on a page, a picture on a screen, a number on a label."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bot.adapters.embedded.verification import scoring
from bot.images.features.comparison import differences, fine_print
from bot.images.features.comparison.differences import Difference
from bot.images.features.fingerprint import luminance
from bot.images.features.local_features import LocalFeatures, extract_local_features, unpack
from bot.images.features.query_views import QueryView
from tests.fixtures.scenes import SIZE, scene

WIDTH, HEIGHT = SIZE
IN_PLACE = np.eye(2, 3)


def view(image: Image.Image) -> QueryView:
    pixels = np.ascontiguousarray(np.asarray(image, np.uint8))
    return QueryView(pixels, luminance(pixels))


def stored(image: Image.Image) -> LocalFeatures:
    pixels = np.ascontiguousarray(np.asarray(image, np.uint8))
    return unpack(extract_local_features(pixels, luminance(pixels)).pack())


def between(query: Image.Image, reference: Image.Image) -> Difference:
    return differences.measure(view(query), stored(reference), IN_PLACE)


def page(seed: int) -> Image.Image:
    """Draw a page with a letterhead and with different words for each seed."""
    chance = np.random.default_rng(seed)
    image = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 600, 90), fill=(20, 60, 120))
    for top in range(140, 760, 30):
        left = 50
        while left < 540:
            across = int(chance.integers(10, 70))
            draw.rectangle((left, top, min(left + across, 550), top + 10), fill="black")
            left += across + int(chance.integers(8, 30))
    return image


def test_picture_agrees_with_itself() -> None:
    for picture in (scene(1), page(1)):
        seen = between(picture, picture)
        assert (seen.largest, seen.share) == (0.0, 0.0)
        assert seen.worst == pytest.approx(0.0, abs=0.05)


def test_largest_difference_is_a_share_of_the_overlap() -> None:
    for side in (60, 120, 240):
        changed = scene(1).copy()
        changed.paste(scene(2).crop((50, 50, 50 + side, 50 + side)), (40, 40))
        assert between(changed, scene(1)).largest == pytest.approx(side / HEIGHT, abs=0.15)
    assert between(scene(2), scene(1)).largest > 0.5


def test_strip_is_no_large_difference() -> None:
    captioned = scene(1).copy()
    captioned.paste(scene(2).crop((0, 0, WIDTH, 40)), (0, 200))
    assert between(captioned, scene(1)).largest < 0.3


def test_frame_showing_through_at_the_rim_is_no_difference() -> None:
    framed = scene(1).copy()
    ImageDraw.Draw(framed).rectangle((0, 0, WIDTH - 1, HEIGHT - 1), outline="red", width=6)
    assert between(framed, scene(1)).share < 0.02


def test_no_overlap_gives_nothing_in_common() -> None:
    away = np.array(((1.0, 0.0, 5.0), (0.0, 1.0, 5.0)))
    assert differences.measure(view(scene(1)), stored(scene(1)), away) == differences.NOTHING_IN_COMMON


def test_other_words_on_the_same_page_are_other_content() -> None:
    storage_place, seen = differences.plain_share(stored(page(1))), between(page(2), page(1))
    assert storage_place >= scoring.PLAIN_BACKGROUND
    assert scoring.shows_other_content(storage_place, seen.largest, seen.share, seen.worst)


def test_plain_share_of_a_scene_is_low_and_of_a_flat_picture_is_1() -> None:
    assert differences.plain_share(stored(scene(1))) < scoring.PLAIN_BACKGROUND
    assert differences.plain_share(stored(Image.new("RGB", (50, 40), "gray"))) == 1


def test_fine_comparison_is_made_once_for_each_alignment() -> None:
    query, first, second = view(page(1)), stored(page(1)), stored(page(2))
    compared = fine_print.compare(query, first, IN_PLACE)
    assert compared is not None
    assert fine_print.compare(query, first, IN_PLACE) is compared
    other = fine_print.compare(query, second, IN_PLACE)
    assert other is not None
    assert len(other.changes) > len(compared.changes)
    assert fine_print.compare(query, first, IN_PLACE.copy()) is not compared

"""Parts of a picture: cutting them out, choices for people, and the drawing with numbers."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from bot.domain.errors import InvalidInput
from bot.domain.matches import PictureRegion
from bot.images.parts import CENTRE, MAX_PROPOSED, QUARTERS, check_region, choices, cut, numbered
from tests.fixtures.scenes import picture, scene

WHOLE = PictureRegion(0, 0, 1, 1)


def test_part_is_a_picture_of_its_own() -> None:
    whole = picture(scene(1, (400, 200)))
    part = cut(whole, PictureRegion(0.5, 0, 0.25, 0.5))
    np.testing.assert_array_equal(part.pixels, whole.pixels[:100, 200:300])
    assert part.digest not in {whole.digest, cut(whole, QUARTERS[0]).digest}
    assert part.source_size == (100, 100)
    assert cut(whole, WHOLE).digest == cut(whole, WHOLE).digest


@pytest.mark.parametrize(
    "values",
    [(-0.1, 0, 0.5, 0.5), (0.6, 0, 0.5, 0.5), (0, 0.5, 1, 0.51), (0, 0, 0, 1), (0, 0, 1, 0), (math.nan, 0, 1, 1)],
)
def test_region_outside_is_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidInput, match="inside the picture"):
        check_region(PictureRegion(*values))


def test_region_with_a_rounding_error_is_taken() -> None:
    third = PictureRegion(2 / 3, 2 / 3, 1 / 3, 1 / 3)
    assert check_region(third) == third


def test_choices_are_proposals_then_middle_and_quarters() -> None:
    sheet = Image.new("RGB", (900, 900), "white")
    for number in range(9):
        sheet.paste(scene(number, (280, 280)), (number % 3 * 300 + 10, number // 3 * 300 + 10))
    offered = choices(picture(sheet))
    assert offered[-5:] == (CENTRE, *QUARTERS)
    assert len(offered) == MAX_PROPOSED + 5


def test_choices_do_not_repeat_a_quarter() -> None:
    sheet = Image.new("RGB", (800, 600))
    for number in range(4):
        sheet.paste(scene(number, (400, 300)), (number % 2 * 400, number // 2 * 300))
    quarters = [one for one in choices(picture(sheet)) if one.width > 0.4 and one.height > 0.4]
    assert quarters == [CENTRE, *QUARTERS]


@pytest.mark.parametrize("size", [(480, 360), (1, 1), (1023, 40)])
def test_numbers_are_drawn_on_pictures_of_any_size(size: tuple[int, int]) -> None:
    plain = picture(Image.new("RGB", size, "white"))
    with Image.open(io.BytesIO(numbered(plain, choices(plain)))) as drawn:
        assert max(drawn.size) == 1023
        assert np.asarray(drawn).min() < 200

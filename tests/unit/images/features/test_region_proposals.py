"""Region proposals: panels of collages, posts in chats, and sheets in photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bot.images.features.regions.content_box import Box
from bot.images.features.regions.picture_regions import as_part, box_of, region_of, region_showing
from bot.images.features.regions.region_proposals import MAX_PROPOSALS, region_proposals
from tests.fixtures.scenes import scene


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union."""
    across = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return across * down / (sum(areas) - across * down)


def pasted(size: tuple[int, int], colour: str, boxes: list[Box], ground: Image.Image | None = None) -> Image.Image:
    """Return a picture with a different scene in each box."""
    sheet = ground.copy() if ground else Image.new("RGB", size, colour)
    for seed, (left, top, right, bottom) in enumerate(boxes, start=20):
        sheet.paste(scene(seed).resize((right - left, bottom - top)), (left, top))
    return sheet


@pytest.mark.parametrize("gap", [0, 12])
@pytest.mark.parametrize("colour", ["white", "black"])
def test_panels_of_a_collage_are_proposed(gap: int, colour: str) -> None:
    panels = [
        (gap, gap, 400, 300),
        (400 + gap, gap, 800 - gap, 300),
        (gap, 300 + gap, 400, 600 - gap),
        (400 + gap, 300 + gap, 800 - gap, 600 - gap),
    ]
    proposed = region_proposals(np.asarray(pasted((800, 600), colour, panels)))
    for panel in panels:
        assert max(overlap(panel, box) for box in proposed) > 0.85


def test_panels_of_different_sizes_are_proposed() -> None:
    panels = [(0, 0, 500, 600), (500, 0, 800, 300), (500, 300, 800, 600)]
    proposed = region_proposals(np.asarray(pasted((800, 600), "white", panels)))
    for panel in panels:
        assert max(overlap(panel, box) for box in proposed) > 0.85


def test_small_post_in_a_chat_is_proposed() -> None:
    post = (30, 420, 230, 570)
    screen = pasted((540, 1170), "#ece5dd", [post])
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 540, 96), fill="#075e54")
    for line in range(4):
        draw.rounded_rectangle((30, 130 + 60 * line, 260, 174 + 60 * line), 12, fill="white")
    proposed = region_proposals(np.asarray(screen))
    assert max(overlap(post, box) for box in proposed) > 0.85


def test_sheet_of_paper_in_a_photograph_is_proposed() -> None:
    sheet = Image.new("RGBA", (240, 240), "white")
    ImageDraw.Draw(sheet).ellipse((60, 60, 180, 180), fill="#b02020")
    turned = sheet.rotate(6, expand=True)
    photograph = scene(3, (900, 700)).copy()
    photograph.paste(turned, (500, 300), turned)
    place = (500, 300, 500 + turned.width, 300 + turned.height)
    assert max(overlap(place, box) for box in region_proposals(np.asarray(photograph))) > 0.75


def test_known_regions_are_not_proposed_again() -> None:
    panels = [(0, 0, 400, 600), (400, 0, 800, 600)]
    proposed = region_proposals(np.asarray(pasted((800, 600), "white", panels)), [panels[0]])
    assert max(overlap(panels[1], box) for box in proposed) > 0.85
    assert all(overlap(panels[0], box) < 0.85 for box in proposed)


def test_pictures_without_straight_lines_have_no_proposals() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    x, y = np.meshgrid(np.arange(640), np.arange(480))
    slope = np.stack([(x + y) // 5] * 3, axis=2).astype(np.uint8)
    assert not region_proposals(noise)
    assert not region_proposals(slope)


def test_many_panels_are_bounded() -> None:
    grid = [(100 * x, 100 * y, 100 * x + 100, 100 * y + 100) for x in range(6) for y in range(6)]
    assert 0 < len(region_proposals(np.asarray(pasted((600, 600), "white", grid)))) <= MAX_PROPOSALS


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (1000, 3), (20, 20), (1023, 120)])
def test_pictures_of_any_size_are_accepted(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    for left, top, right, bottom in region_proposals(noise):
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]


def test_regions_and_boxes_convert_into_each_other() -> None:
    box = (100, 50, 300, 350)
    region = region_of(box, 400, 400)
    assert box_of(region, 400, 400) == box
    assert as_part(region) == region
    assert as_part(region_of((0, 0, 400, 300), 400, 400)) is None


@pytest.mark.parametrize("is_homography", [False, True])
def test_region_that_shows_a_stored_picture_follows_from_the_alignment(is_homography: bool) -> None:
    # The stored picture, 400 × 200, takes the lower right quarter of the query, 800 × 800. Units are long sides.
    matrix = np.array(((2.0, 0.0, -1.0), (0.0, 2.0, -1.0), (0.0, 0.0, 1.0)))
    shown = region_showing(matrix[: 3 if is_homography else 2], (800, 800), (400, 200), mirrored=False)
    assert (shown.left, shown.top, shown.width, shown.height) == pytest.approx((0.5, 0.5, 0.5, 0.25))
    mirrored = region_showing(matrix[: 3 if is_homography else 2], (800, 800), (400, 200), mirrored=True)
    assert mirrored.left == pytest.approx(0)

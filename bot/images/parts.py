"""Parts of a picture that people choose and search with."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bot.domain.errors import InvalidInput
from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import JPEG_QUALITY, digest_of
from bot.images.features.regions.content_box import content_box
from bot.images.features.regions.picture_regions import box_of, region_of
from bot.images.features.regions.region_proposals import region_proposals

MAX_PROPOSED = 4
"""Proposed regions that people can choose, beside the centre and the four quarters."""

CENTRE = PictureRegion(0.25, 0.25, 0.5, 0.5)
QUARTERS = (
    PictureRegion(0, 0, 0.5, 0.5),
    PictureRegion(0.5, 0, 0.5, 0.5),
    PictureRegion(0, 0.5, 0.5, 0.5),
    PictureRegion(0.5, 0.5, 0.5, 0.5),
)

_SLACK = 1e-6
"""How far a region may lie outside, because of rounding."""
_SAME = 0.75
"""Intersection over union from which a proposal repeats the centre or a quarter."""
_COLOURS = ("#e01e5a", "#2eb67d", "#36c5f0", "#ecb22e", "#7c3aed", "#ff7f11", "#0d9488", "#c026d3", "#65a30d")
_LONG_SIDE = 1023


def check_region(region: PictureRegion) -> PictureRegion:
    """Return the region if it lies inside the picture and has an area. Raises InvalidInput."""
    values = (region.left, region.top, region.width, region.height)
    inside = (
        all(math.isfinite(value) and value >= 0 for value in values)
        and region.left + region.width <= 1 + _SLACK
        and region.top + region.height <= 1 + _SLACK
    )
    if not inside or not region.width or not region.height:
        raise InvalidInput("The region must lie inside the picture.")
    return region


def cut(picture: Picture, region: PictureRegion) -> Picture:
    """Return a part of a picture as a picture of its own. Raises InvalidInput for a region outside of it."""
    left, top, right, bottom = box_of(check_region(region), picture.width, picture.height)
    pixels = np.ascontiguousarray(picture.pixels[top:bottom, left:right])
    pixels.flags.writeable = False
    across, down = picture.source_size
    size = max(1, round(across * region.width)), max(1, round(down * region.height))
    return Picture(pixels, digest_of(pixels), picture.source_digest, picture.source_format, size)


def choices(picture: Picture) -> tuple[PictureRegion, ...]:
    """Return regions for people to choose from: what looks like a picture inside, then the centre and the quarters."""
    content = content_box(picture.pixels)
    boxes = [] if content is None else [content]
    boxes += region_proposals(picture.pixels, boxes)
    proposed = [region_of(box, picture.width, picture.height) for box in boxes]
    fixed = (CENTRE, *QUARTERS)
    return (*[one for one in proposed if all(_overlap(one, other) < _SAME for other in fixed)][:MAX_PROPOSED], *fixed)


def numbered(picture: Picture, regions: tuple[PictureRegion, ...]) -> bytes:
    """Return a JPEG of the picture on which the regions are drawn with their numbers, beginning at 1."""
    image = Image.fromarray(picture.pixels)
    scale = _LONG_SIDE / max(image.size)
    if scale > 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    line = max(3, max(image.size) // 200)
    font = ImageFont.load_default(size=8 * line)
    for number, region in enumerate(regions, start=1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        left, top, right, bottom = box_of(region, image.width, image.height)
        # Regions may share edges, so each line lies a little farther inside than the one before.
        inset = line * ((number - 1) % 4)
        if right - left > 4 * inset and bottom - top > 4 * inset:
            left, top, right, bottom = left + inset, top + inset, right - inset, bottom - inset
        draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line)
        side = min(11 * line, right - left, bottom - top)
        draw.rectangle((left, top, left + side, top + side), fill=colour)
        draw.text((left + side / 2, top + side / 2), str(number), fill="white", font=font, anchor="mm")
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue()


def _overlap(one: PictureRegion, other: PictureRegion) -> float:
    """Return the intersection over union."""
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    common = max(0.0, across) * max(0.0, down)
    return common / (one.width * one.height + other.width * other.height - common)

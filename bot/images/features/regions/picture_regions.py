"""Regions of a picture, in shares of its sides, and boxes in pixels."""

from __future__ import annotations

import cv2
import numpy as np

from bot.domain.matches import PictureRegion
from bot.images.features.regions.content_box import Box
from bot.images.features.warping import Matrix, homogeneous

PART_SHARE = 0.6
"""Greatest share of a picture that people are told about as a part of it."""


def as_part(region: PictureRegion) -> PictureRegion | None:
    """Return the region if it is clearly smaller than the whole picture, else None."""
    return region if region.width * region.height <= PART_SHARE else None


def region_of(box: Box, width: int, height: int) -> PictureRegion:
    """Return the region that a box takes of a picture of this size."""
    left, top, right, bottom = box
    return PictureRegion(left / width, top / height, (right - left) / width, (bottom - top) / height)


def box_of(region: PictureRegion, width: int, height: int) -> Box:
    """Return the box of a region in a picture of this size. It has at least one pixel and lies inside."""
    left = min(max(round(region.left * width), 0), width - 1)
    top = min(max(round(region.top * height), 0), height - 1)
    right = min(max(round((region.left + region.width) * width), left + 1), width)
    bottom = min(max(round((region.top + region.height) * height), top + 1), height)
    return left, top, right, bottom


def region_showing(
    matrix: Matrix, size: tuple[int, int], stored_size: tuple[int, int], *, mirrored: bool
) -> PictureRegion:
    """Return the region of a query that shows a stored picture, given the alignment of the two.

    ``matrix`` is ``geometry.Alignment.matrix``, 2 × 3 or 3 × 3. ``size`` and ``stored_size`` are widths and heights.
    ``mirrored`` says that the mirrored query was aligned.
    """
    across, down = (length / max(stored_size) for length in stored_size)
    corners = np.array((((0, 0), (across, 0), (across, down), (0, down)),), np.float64)
    to_query = np.linalg.inv(homogeneous(matrix))
    shown = cv2.perspectiveTransform(corners, to_query)[0] * max(size) / np.array(size, np.float64)
    (left, top), (right, bottom) = shown.min(axis=0).clip(0, 1).tolist(), shown.max(axis=0).clip(0, 1).tolist()
    return PictureRegion(1 - right if mirrored else left, top, right - left, bottom - top)

"""Compares the colours of aligned pictures: whether one was recoloured, and whether its things have another hue."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.local_features import COLOURS, LocalFeatures
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix, coverage, homogeneous, to_pixels, warp

Floats = npt.NDArray[np.float32]

_CHROMA, _BRIGHTNESS = 9.2, 11.0
"""Median differences of the chroma channels and of the luminance, of 255, from which a picture is recoloured.
Recompression at JPEG quality 10 stays below both, gray is above; medians leave out stickers and captions."""

_SATURATED = 18.0
"""Distance from gray of colours whose hue is compared."""
_MIN_CELLS = 4
_MIN_VARIED, _LEAST_SPREAD = 12, 4.0
"""Least number of cells, and least deviation of their chroma, of 255, for a correlation that says something."""
_HUE_QUANTILE = 0.75


def is_recoloured(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> bool:
    """Return whether most of the overlap has another colour or brightness."""
    ours, theirs = overlapping_colours(query, stored, matrix)
    if not len(ours):
        return False
    chroma, brightness = chroma_and_brightness(ours, theirs)
    return chroma > _CHROMA or brightness > _BRIGHTNESS


def chroma_and_brightness(ours: Floats, theirs: Floats) -> tuple[float, float]:
    """Return the median differences of chroma and luminance of two rows of colours (n × 3, Y Cr Cb)."""
    distance = np.linalg.norm(ours[:, 1:] - theirs[:, 1:], axis=1)
    coloured = np.linalg.norm(theirs[:, 1:] - 128, axis=1) > _SATURATED / 2
    shifts = [float(np.median(distance))]
    if coloured.sum() >= _MIN_CELLS:
        shifts.append(float(np.median(distance[coloured])) * float(min(1.0, 4 * coloured.mean())))
    return max(shifts), abs(float(np.median(ours[:, 0] - theirs[:, 0])))


def chroma_correlation(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> float:
    """Return how far the colours of the overlap vary alike, from −1 to 1. A tint of the light makes no difference.

    It is 1 if there are few places or if one picture has hardly any colours, because that says nothing.
    """
    ours, theirs = (colours[:, 1:] for colours in overlapping_colours(query, stored, matrix))
    if len(ours) < _MIN_VARIED:
        return 1.0
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    spreads = [math.sqrt(float((one * one).sum(axis=1).mean())) for one in (ours, theirs)]
    if min(spreads) < _LEAST_SPREAD:
        return 1.0
    return float((ours * theirs).sum(axis=1).mean()) / (spreads[0] * spreads[1])


def hue_difference(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> float:
    """Return the angle in degrees, 0 to 180, between the hues of most places that are coloured in both pictures.

    It is 0 if there are few such places, for instance if the query is gray.
    """
    ours, theirs = (colours[:, 1:] - 128 for colours in overlapping_colours(query, stored, matrix))
    lengths = np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1)
    both = (lengths[0] > _SATURATED) & (lengths[1] > _SATURATED)
    if both.sum() < _MIN_CELLS:
        return 0.0
    cosine = (ours[both] * theirs[both]).sum(axis=1) / (lengths[0][both] * lengths[1][both])
    return math.degrees(math.acos(float(np.clip(np.quantile(cosine, 1 - _HUE_QUANTILE), -1, 1))))


def overlapping_colours(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[Floats, Floats]:
    """Return the colours of the query and of the stored picture in the cells of the overlap, n × 3 each, Y Cr Cb."""

    def to_square(of: LocalFeatures, side: int) -> Matrix:
        max_side = max(of.width, of.height)
        return to_pixels(of.width / max_side, of.height / max_side, side, side)

    # Use the level at which the overlap has about twice the stored picture's pixels a side. At a coarser level, a
    # frame's colour would bleed into the picture.
    inside = 1 - coverage(query.features, stored, matrix)[1]
    wanted = 2 * COLOURS / math.sqrt(max(inside, 1e-3))
    level = min(query.colours, key=lambda image: abs(math.log(len(image) / wanted)))
    source, target = to_square(query.features, len(level)), to_square(stored, COLOURS)
    inverse = source @ np.linalg.inv(homogeneous(matrix)) @ np.linalg.inv(target)
    warped, visible = warp(level, inverse, (COLOURS, COLOURS))
    ours, theirs = (
        np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[visible], np.float32) for image in (warped, stored.colours)
    )
    return ours, theirs

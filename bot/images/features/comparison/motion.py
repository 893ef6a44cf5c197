"""Measures whether things moved between two aligned pictures, as they do between two shots of one scene.

A transform brings a copy and its original together everywhere. Two photographs from two places never agree so well:
what is near moves more than what is far away. So points are tracked from the one picture to the other, and what is left
of their movement under the best homography is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.comparison.fine_overlap import LatestComparison, fine_overlap
from bot.images.features.comparison.structure import Mask
from bot.images.features.geometry import Values
from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix

MIN_TRACKED = 12
"""Least number of tracked points from which their movement is measured."""

_POINTS, _QUALITY, _DISTANCE = 150, 0.02, 7
"""Most points that are tracked, least quality as a share of the best one's, and least distance in pixels."""
_WINDOW, _LEVELS = (15, 15), 2
_UNIT = 200.0
"""Long side, in pixels, of the picture in whose pixels movement is measured."""
_RIM = 6
"""Pixels of the overlap's edge in which no point is tracked."""
_RETURN = 0.5
"""Greatest distance, in pixels, from which tracking back and forth returns a point to its place."""
_PATCH, _CORRELATION = 6, 0.75
"""Pixels around a point, and how much they must correlate. Where they don't, a sticker lies or texture is noise."""
_AROUND, _SPREAD, _LEAST_SPREAD = 4.0, 45.0, 6.0
"""Luminances are compared after their local mean is taken away and their local deviation made equal, so that filters
and uneven light count little: the Gaussian's deviation in pixels, the deviation aimed at, and what is added first."""
_SHARP = 0.5
"""Least quotient of the pictures' sharpness, the blurred one's by the other's, that makes no difference. A strong blur
has 0.25, a photographed print 0.55."""
_FIT = 3.0
"""Greatest error, in pixels, of the points to which the homography is fitted."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How tracked points moved.

    ``points`` were sought and ``tracked`` of them found. ``residual``: what three quarters of these stay below after
    the best homography is taken away, in pixels of a picture with a long side of 200. It is less if one picture is
    blurred, since blurred points are tracked less exactly.
    """

    points: int
    tracked: int
    residual: float


def measure(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> Motion | None:
    """Return the movement between the query, warped by ``matrix`` (see ``Alignment``), and the stored picture.

    Returns None if the stored picture has no fine luminance or too few points can be tracked. Each query's latest
    result is kept.
    """
    return _latest.of(query, stored, matrix)


def _measure(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> Motion | None:
    overlap = fine_overlap(query, stored, matrix, _RIM)
    if overlap is None:
        return None
    fine, inner = overlap.fine, overlap.inner
    theirs, ours = _equalised(fine), _equalised(np.where(overlap.visible, overlap.warped, fine))
    points = cv2.goodFeaturesToTrack(theirs, _POINTS, _QUALITY, _DISTANCE, mask=inner.astype(np.uint8))
    if points is None or len(points) < MIN_TRACKED:
        return None
    seen, kept = _tracked(theirs, ours, np.asarray(points, np.float32))
    if len(seen) < MIN_TRACKED:
        return None
    homography, _ = cv2.findHomography(seen, kept, cv2.RANSAC, _FIT)
    if homography is None:
        return None
    errors = np.linalg.norm(cv2.perspectiveTransform(seen[None], homography)[0] - kept, axis=1)
    exact = min(1.0, _relative_sharpness(theirs, ours, inner) / _SHARP)
    return Motion(len(points), len(seen), exact * float(np.quantile(errors, 0.75)) * _UNIT / max(fine.shape))


_latest = LatestComparison(_measure)


def _tracked(theirs: Pixels, ours: Pixels, points: Values) -> tuple[Values, Values]:
    """Return the places of the points that were found again, and where they are now (Lucas and Kanade 1981)."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(theirs, ours, points, points.copy(), None, None, _WINDOW, _LEVELS)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(ours, theirs, moved, moved.copy(), None, None, _WINDOW, _LEVELS)
    returned = np.linalg.norm((back - points)[:, 0], axis=1) < _RETURN
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & returned
    seen, kept = points[good][:, 0], np.asarray(moved[good][:, 0], np.float32)
    if not len(seen):
        return seen, kept
    agree = np.sum(_patches(theirs, seen) * _patches(ours, kept), axis=1) > _CORRELATION
    return seen[agree], kept[agree]


def _patches(gray: Pixels, points: Values) -> Values:
    """Return the pixels around each point as a row of mean 0 and norm 1."""
    steps = np.arange(-_PATCH, _PATCH + 1, dtype=np.float32)
    down, across = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    columns, rows = points[:, :1] + across, points[:, 1:] + down
    taken = cv2.remap(gray, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    taken -= taken.mean(axis=1, keepdims=True)
    return np.asarray(taken / np.maximum(np.linalg.norm(taken, axis=1, keepdims=True), 1e-3), np.float32)


def _relative_sharpness(one: Pixels, other: Pixels, inner: Mask) -> float:
    first, second = (max(float(cv2.Laplacian(image, cv2.CV_32F)[inner].std()), 1e-3) for image in (one, other))
    return min(first, second) / max(first, second)


def _equalised(gray: npt.NDArray[np.uint8]) -> Pixels:
    values = gray.astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), _AROUND)
    variance = np.maximum(cv2.GaussianBlur(values * values, (0, 0), _AROUND) - mean * mean, 0)
    equal = (values - mean) / (np.sqrt(variance) + _LEAST_SPREAD) * _SPREAD + 128
    return np.asarray(equal.clip(0, 255), np.uint8)

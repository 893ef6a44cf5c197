"""Agreement of two views of an item: the matched points that one homography explains.

A homography maps one view of a plane to another. Packs, labels and most parts have planes with enough points on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.binary_codes import match_codes
from bot.images.features.point_features import PointFeatures

Matrix = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

MIN_INLIERS = 6
"""Least number of matched points that must agree with a homography."""

_UNIT = 400.0
"""Distances below are in pixels of a picture with this long side."""
_RATIO = 0.85
"""Lowe's ratio: the nearest code must be nearer than this share of the second nearest's distance."""
_REPROJECTION, _ITERATIONS = 4.0, 500
"""Greatest error of an inlier, in pixels, and most samples that are tried."""
_TURN, _OCTAVES = float(np.deg2rad(30)), 0.8
"""Greatest difference in rotation and in scale of two matches that belong to one view."""
_MIN_FORESHORTENING = 0.25
"""Least quotient of the scales along and across the slant. Chance makes flatter views."""
_NEAR, _NEAR_TURN, _NEAR_OCTAVES = 8.0, 0.6, 1.0
"""Greatest differences of a stored point from a query point that a homography maps onto it."""
_SAME_CODE = 70
"""Greatest Hamming distance of the codes of such points, of 256 bits."""
_CELLS = 6
"""Cells on each side of the grid over the stored points."""


@dataclass(frozen=True, slots=True, eq=False)
class ViewAgreement:
    """A homography from a query to a stored picture, and the matched points that it explains.

    ``matrix``: 3 × 3, maps pixels to pixels of pictures with a long side of 400. ``inliers`` of ``voted`` pairs of
    points agree with it. ``query_share`` and ``stored_share``: area of the inliers' convex hull, as a share of the hull
    of all points of the picture. ``foreshortening``: quotient of the smaller and the greater scale of the homography.
    ``turn`` (radians) and ``octaves``: rotation and scaling of the inliers.
    """

    matrix: Matrix
    inliers: int
    voted: int
    query_share: float
    stored_share: float
    foreshortening: float
    turn: float
    octaves: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the stored picture the query shows under a homography.

    ``cells``: share of a grid's cells with stored points that have an agreeing one. ``codes``: share of the pairs of
    points that the homography brings together whose codes agree. ``departure``: median error of the agreeing points
    under the best similarity transform, in pixels of a picture with a long side of 400.
    """

    cells: float
    codes: float
    departure: float


@dataclass(frozen=True, slots=True, eq=False)
class PointTransforms:
    """Transforms from a query to a stored picture that all agreeing points show, in units of the long sides.

    ``departure``: the median error of the similarity transform (2 × 3), in pixels of the coarser of the two pictures,
    both with a long side of 400. ``homography`` is 3 × 3.
    """

    similarity: Matrix
    homography: Matrix
    departure: float


def compare_views(query: PointFeatures, stored: PointFeatures) -> ViewAgreement | None:
    """Match points and find the homography that explains most. Returns None if it explains fewer than MIN_INLIERS."""
    pairs = _match_codes(query.codes, stored.codes)
    if len(pairs) < MIN_INLIERS:
        return None
    turns = query.angles[pairs[:, 0]] - stored.angles[pairs[:, 1]]
    octaves = query.scales[pairs[:, 0]] - stored.scales[pairs[:, 1]]
    voted = _most_voted(turns, octaves)
    if len(voted) < MIN_INLIERS:
        return None
    pairs, turns, octaves = pairs[voted], turns[voted], octaves[voted]
    seen, kept = query.points[pairs[:, 0]] * _UNIT, stored.points[pairs[:, 1]] * _UNIT
    matrix, mask = cv2.findHomography(seen, kept, cv2.USAC_MAGSAC, _REPROJECTION, maxIters=_ITERATIONS, confidence=0.99)
    inner = np.flatnonzero(mask) if matrix is not None else np.empty(0, np.intp)
    if len(inner) < MIN_INLIERS:
        return None
    matrix = np.asarray(matrix, np.float64)
    foreshortening = _foreshortening(matrix, seen[inner].mean(axis=0))
    if foreshortening < _MIN_FORESHORTENING:
        return None
    return ViewAgreement(
        matrix,
        len(inner),
        len(pairs),
        _hull_area(seen[inner]) / max(_hull_area(query.points * _UNIT), 1.0),
        _hull_area(kept[inner]) / max(_hull_area(stored.points * _UNIT), 1.0),
        foreshortening,
        float(np.angle(np.exp(1j * turns[inner].astype(np.float64)).mean())),
        float(np.median(octaves[inner])),
    )


def in_long_sides(matrix: Matrix) -> Matrix:
    """Return the homography of a ``ViewAgreement`` in units of the pictures' long sides, as ``warping`` uses it."""
    units = np.diag((_UNIT, _UNIT, 1.0))
    return np.asarray(np.linalg.inv(units) @ matrix @ units, np.float64)


def measure_coverage(query: PointFeatures, stored: PointFeatures, agreement: ViewAgreement) -> Coverage:
    """Compare all points that the homography brings together, after fitting it to those whose codes agree."""
    matrix = agreement.matrix
    agreeing: Rows
    for _ in range(2):
        near, distances = _near_pairs(query, stored, matrix, agreement)
        same = distances < _SAME_CODE
        agreeing = _one_to_one(near[same], distances[same])
        if len(agreeing) < MIN_INLIERS:
            return Coverage(0.0, 0.0, 0.0)
        seen, kept = query.points[agreeing[:, 0]] * _UNIT, stored.points[agreeing[:, 1]] * _UNIT
        refitted, _ = cv2.findHomography(seen, kept, 0)
        if refitted is not None and np.isfinite(refitted).all():
            matrix = np.asarray(refitted, np.float64)
    return Coverage(_cell_share(query, stored, matrix, agreeing[:, 1]), float(same.mean()), _departure(seen, kept))


def fit_transforms(query: PointFeatures, stored: PointFeatures, agreement: ViewAgreement) -> PointTransforms | None:
    """Fit both transforms to the points that a homography brings together. None if too few agree."""
    near, distances = _near_pairs(query, stored, agreement.matrix, agreement)
    same = distances < _SAME_CODE
    pairs = _one_to_one(near[same], distances[same])
    if len(pairs) < MIN_INLIERS:
        return None
    seen, kept = query.points[pairs[:, 0]], stored.points[pairs[:, 1]]
    similar, _ = cv2.estimateAffinePartial2D(
        seen, kept, method=cv2.RANSAC, ransacReprojThreshold=_REPROJECTION / _UNIT, maxIters=_ITERATIONS
    )
    oblique, _ = cv2.findHomography(seen, kept, 0)
    if similar is None or oblique is None or not (np.isfinite(similar).all() and np.isfinite(oblique).all()):
        return None
    errors = np.linalg.norm(seen @ similar[:, :2].T + similar[:, 2] - kept, axis=1) * _UNIT
    scale = max(1.0, float(np.sqrt(abs(np.linalg.det(similar[:, :2])))))
    return PointTransforms(
        np.asarray(similar, np.float64), np.asarray(oblique, np.float64), float(np.median(errors)) / scale
    )


def _match_codes(query: npt.NDArray[np.uint8], stored: npt.NDArray[np.uint8]) -> Rows:
    """Return pairs (query row, stored row) of matching codes, n × 2, by Lowe's ratio test (2004)."""
    if len(query) < MIN_INLIERS or len(stored) < MIN_INLIERS:
        return np.empty((0, 2), np.intp)
    picked, nearest, distances = match_codes(query, stored, _RATIO)
    return _one_to_one(np.stack((picked, nearest), axis=1), distances)


def _one_to_one(pairs: Rows, distances: npt.NDArray[np.generic]) -> Rows:
    """Keep the nearest pair of each query point and of each stored point."""
    pairs = pairs[np.argsort(distances, kind="stable")]
    for column in (1, 0):
        _, first = np.unique(pairs[:, column], return_index=True)
        pairs = pairs[np.sort(first)]
    return pairs


def _most_voted(turns: Values, octaves: Values) -> Rows:
    """Return the matches near the rotation and scaling with most matches. It removes most mistakes cheaply."""
    directions = np.stack((np.cos(turns), np.sin(turns)), axis=1)
    turned = directions @ directions.T > np.float32(np.cos(_TURN))
    near = turned & (np.abs(octaves[:, None] - octaves[None, :]) < _OCTAVES)
    return np.flatnonzero(near[near.sum(axis=1).argmax()])


def _foreshortening(matrix: Matrix, centre: Values) -> float:
    """Return the quotient of the two scales of the homography at a point, or 0 if it mirrors or is degenerate."""
    x, y, w = matrix @ np.array((*centre, 1.0))
    if abs(w) < 1e-9:  # noqa: PLR2004 - degenerate
        return 0.0
    jacobian = (matrix[:2, :2] - np.outer((x / w, y / w), matrix[2, :2])) / w
    if not np.isfinite(jacobian).all() or np.linalg.det(jacobian) <= 0:
        return 0.0
    greater, smaller = np.linalg.svd(jacobian, compute_uv=False)
    return float(smaller / greater)


def _hull_area(points: Values) -> float:
    return float(cv2.contourArea(cv2.convexHull(points))) if len(points) > 2 else 0.0  # noqa: PLR2004 - a triangle


def _mapped(points: Values, matrix: Matrix) -> Values:
    return np.asarray(cv2.perspectiveTransform(points[None] * np.float32(_UNIT), matrix)[0], np.float32)


def _near_pairs(
    query: PointFeatures, stored: PointFeatures, matrix: Matrix, agreement: ViewAgreement
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Return the pairs of points that the homography brings together, and the distances of their codes."""
    mapped, there = _mapped(query.points, matrix), stored.points * np.float32(_UNIT)
    across, down = (mapped[:, None, axis] - there[None, :, axis] for axis in (0, 1))
    seen, kept = np.nonzero(across * across + down * down < _NEAR * _NEAR)
    turns = query.angles[seen] - stored.angles[kept] - np.float32(agreement.turn)
    octaves = query.scales[seen] - stored.scales[kept] - np.float32(agreement.octaves)
    alike = (np.cos(turns) > np.cos(_NEAR_TURN)) & (np.abs(octaves) < _NEAR_OCTAVES)
    seen, kept = seen[alike], kept[alike]
    distances = np.bitwise_count(query.codes[seen] ^ stored.codes[kept]).sum(axis=1, dtype=np.int64)
    return np.stack((seen, kept), axis=1), distances


def _departure(seen: Values, kept: Values) -> float:
    matrix, _ = cv2.estimateAffinePartial2D(seen, kept, method=cv2.RANSAC, ransacReprojThreshold=_REPROJECTION)
    if matrix is None:
        return 0.0
    return float(np.median(np.linalg.norm(seen @ matrix[:, :2].T + matrix[:, 2] - kept, axis=1)))


def _cell_share(query: PointFeatures, stored: PointFeatures, matrix: Matrix, agreeing: Rows) -> float:
    """Return the share of the grid's cells with visible stored points that have an agreeing one."""
    try:
        back = _mapped(stored.points, np.asarray(np.linalg.inv(matrix), np.float64))
    except np.linalg.LinAlgError:
        return 0.0
    visible = ((back >= 0) & (back < np.array(query.extent, np.float32) * _UNIT)).all(axis=1)
    low, high = stored.points.min(axis=0), stored.points.max(axis=0)
    cells = ((stored.points - low) / np.maximum(high - low, 1e-6) * _CELLS).astype(np.intp).clip(0, _CELLS - 1)
    numbers = cells[:, 1] * _CELLS + cells[:, 0]
    return len(np.unique(numbers[agreeing])) / max(len(np.unique(numbers[visible])), 1)

"""Does one picture show the other? Points matched under one plane transform, then compared pixel by pixel.

Two pictures agree when a transform found by RANSAC from matched points also lays the one's luminance on the other's.
The second half is what tells a copy from a picture that merely shares a logo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import faiss
import numpy as np
import numpy.typing as npt

from bot.images.features.local_features import COLOURS, MAX_SIDE, LocalFeatures, Pixels, QueryView

Matrix = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]

MIN_INLIERS = 8

_RATIO = 0.85
_MAX_DISTANCE = 80
_REPROJECTION = 4.0
_MIN_OVERLAP = 64
_PATCH = 5
_MIN_VARIATION = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How a query lies on a stored picture.

    ``matrix`` (2 × 3) maps query points to the stored picture's, both in units of their long side. ``inliers`` of
    ``matched`` pairs of points agree with it. Where the two overlap, ``correlation`` (−1 to 1) says how well the
    luminances agree, ``typical`` and ``worst`` how far apart the middle one and the worst of their patches are (in
    standard deviations), ``chroma`` how far apart the colours are and ``brightness`` the luminances (of 255).
    ``covered`` is the share of the stored picture that the query shows, ``outside`` the share of the query that lies
    beyond it.
    """

    matrix: Matrix
    inliers: int
    matched: int
    correlation: float
    typical: float
    worst: float
    chroma: float
    brightness: float
    covered: float
    outside: float


def align(query: QueryView, stored: LocalFeatures) -> Alignment | None:
    """Find the transform from matched points, or None if no more than chance agrees."""
    pairs = _matches(query.sketch.descriptors, stored.descriptors)
    if len(pairs) < MIN_INLIERS:
        return None
    matrix, mask = cv2.estimateAffinePartial2D(
        query.sketch.points[pairs[:, 0]] * MAX_SIDE,
        stored.points[pairs[:, 1]] * MAX_SIDE,
        method=cv2.RANSAC,
        ransacReprojThreshold=_REPROJECTION,
        maxIters=250,
        confidence=0.99,
        refineIters=3,
    )
    if matrix is None or int(mask.sum()) < MIN_INLIERS:
        return None
    matrix = np.asarray(matrix, np.float64)
    matrix[:, 2] /= MAX_SIDE
    return _measured(query, stored, matrix, int(mask.sum()), len(pairs))


def overlay(query: QueryView, stored: LocalFeatures, turn: Matrix) -> Alignment | None:
    """Lay the whole query on the whole stored picture, given by a turn (2 × 2) of the unit square about its centre."""
    width, height = query.sketch.width, query.sketch.height
    from_query = np.diag((max(width, height) / width, max(width, height) / height))
    to_stored = np.diag((stored.width, stored.height)) / max(stored.width, stored.height)
    linear = to_stored @ turn @ from_query
    offset = to_stored @ (np.array((0.5, 0.5)) - turn @ np.array((0.5, 0.5)))
    return _measured(query, stored, np.column_stack((linear, offset)), 0, 0)


def scale_to_whole(alignment: Alignment, share: float) -> Alignment:
    """The alignment of a part that is this share of the query, as that of the whole: what is around it is outside."""
    return replace(alignment, outside=1 - (1 - alignment.outside) * share)


def _measured(query: QueryView, stored: LocalFeatures, matrix: Matrix, inliers: int, matched: int) -> Alignment | None:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-4:  # noqa: PLR2004 - collapsed
        return None
    covered, outside = _coverage(query.sketch, stored, matrix)
    return Alignment(
        matrix,
        inliers,
        matched,
        *_luminance_agreement(query, stored, matrix),
        *_colour_difference(query, stored, matrix, 1 - outside),
        covered,
        outside,
    )


def _matches(query: Pixels, stored: Pixels) -> npt.NDArray[np.intp]:
    """Pairs (query row, stored row) whose nearest is clearly nearer than the next (Lowe's ratio test)."""
    if len(query) < MIN_INLIERS or len(stored) < MIN_INLIERS:
        return np.empty((0, 2), np.intp)
    # The setting is each thread's own: with more, a fraction of a millisecond's work waits for others to wake.
    faiss.omp_set_num_threads(1)
    distances, rows = faiss.knn_hamming(query, stored, 2)
    good = (distances[:, 0] < _RATIO * distances[:, 1]) & (distances[:, 0] <= _MAX_DISTANCE)
    picked = np.flatnonzero(good)
    # Many query points on one stored point is a texture, not a match: the nearest keeps it.
    order = picked[np.argsort(distances[picked, 0], kind="stable")]
    _, first = np.unique(rows[order, 0], return_index=True)
    kept = order[first]
    return np.stack((kept, rows[kept, 0]), axis=1)


def _square(matrix: Matrix) -> Matrix:
    return np.vstack((matrix, (0.0, 0.0, 1.0)))


def _pixels(width: float, height: float, across: int, down: int) -> Matrix:
    """From units of the long side to pixels of an image that shows it; a pixel's centre is at its index."""
    return np.array(((across / width, 0.0, -0.5), (0.0, down / height, -0.5), (0.0, 0.0, 1.0)))


def _warped(image: Pixels, back: Matrix, size: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """The image seen through ``back`` (target pixels to its own), and where it is seen at all."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(image, back[:2], size, flags=flags)
    seen = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), back[:2], size, flags=flags) > 250  # noqa: PLR2004
    return np.asarray(laid, np.uint8), np.asarray(seen)


def warped_luminance(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """The query as it lies on the stored thumbnail, and where it does."""
    height, width = stored.thumbnail.shape
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    # The level whose pixels are about as large as the thumbnail's: coarser ones blur, finer ones alias.
    level = min(query.levels, key=lambda image: abs(math.log(max(image.shape) / (scale * max(width, height)))))
    target = _pixels(width / max(width, height), height / max(width, height), width, height)
    down, across = level.shape
    source = _pixels(across / max(down, across), down / max(down, across), across, down)
    back = source @ np.linalg.inv(_square(matrix)) @ np.linalg.inv(target)
    return _warped(level, back, (width, height))


def _luminance_agreement(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float, float]:
    """Correlation, and the typical and the worst difference of a patch."""
    laid, seen = warped_luminance(query, stored, matrix)
    if int(seen.sum()) < _MIN_OVERLAP:
        return -1.0, math.inf, math.inf
    shown, kept = laid[seen].astype(np.float32), stored.thumbnail[seen].astype(np.float32)
    spread = max(float(kept.std()), 1e-3)
    centred = shown - shown.mean()
    correlation = float(np.mean(centred * (kept - kept.mean()))) / (max(float(shown.std()), 1e-3) * spread)
    difference = np.zeros(seen.shape, np.float32)
    difference[seen] = np.abs(match_exposure(shown, kept) - kept) / spread
    patches = cv2.blur(difference, (_PATCH, _PATCH))[seen] / cv2.blur(seen.astype(np.float32), (_PATCH, _PATCH))[seen]
    return correlation, float(np.median(patches)), float(patches.max())


def match_exposure(query: Values, stored: Values) -> Values:
    """The query's luminances brought to the stored ones' gain and offset, as the three quarters that fit best say.

    A caption or a logo is among the rest, so that it doesn't spoil the fit.
    """
    fits = np.ones(len(query), bool)
    fitted = query
    for _ in range(3):
        a, b = query[fits], stored[fits]
        if float(a.var()) < _MIN_VARIATION * float(query.var()):
            break  # a drawing's blank ground, which fits any gain
        gain = float(np.mean((a - a.mean()) * (b - b.mean()))) / max(float(a.var()), 1e-3)
        fitted = gain * query + (float(b.mean()) - gain * float(a.mean()))
        residual = np.abs(stored - fitted)
        fits = residual <= np.quantile(residual, 0.75)
    return fitted


def _colour_difference(query: QueryView, stored: LocalFeatures, matrix: Matrix, inside: float) -> tuple[float, float]:
    """Mean distance of the chromas, and of the mean luminances, where the two overlap; zeros where nothing does."""

    def squeezed(of: LocalFeatures, side: int) -> Matrix:
        max_side = max(of.width, of.height)
        return _pixels(of.width / max_side, of.height / max_side, side, side)

    # The level at which the part that overlaps has about twice the stored picture's pixels a side: a coarser one would
    # bleed a frame's colour into the picture.
    wanted = 2 * COLOURS / math.sqrt(max(inside, 1e-3))
    level = min(query.colours, key=lambda image: abs(math.log(len(image) / wanted)))
    back = (
        squeezed(query.sketch, len(level)) @ np.linalg.inv(_square(matrix)) @ np.linalg.inv(squeezed(stored, COLOURS))
    )
    laid, seen = _warped(level, back, (COLOURS, COLOURS))
    if not seen.any():
        return 0.0, 0.0
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[seen].astype(np.float32) for image in (laid, stored.colours))
    return float(np.abs(a[:, 1:] - b[:, 1:]).mean()), abs(float(a[:, 0].mean() - b[:, 0].mean()))


def _coverage(query: LocalFeatures, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float]:
    """Share of the stored picture that the query shows, and share of the query beyond the stored picture."""

    def corners(of: LocalFeatures) -> npt.NDArray[np.float32]:
        max_side = max(of.width, of.height)
        x, y = of.width / max_side, of.height / max_side
        return np.array(((0, 0), (x, 0), (x, y), (0, y)), np.float32)

    shown, (_, _, (width, height), _) = cv2.transform(corners(query)[None], matrix)[0], corners(stored)
    common = _area_within(shown.astype(np.float64), width, height)
    area = float(cv2.contourArea(shown))
    return common / (width * height), (1 - common / area if area > 0 else 1.0)


def _area_within(polygon: Matrix, width: float, height: float) -> float:
    """Area that a convex polygon has in common with a rectangle at the origin (Sutherland and Hodgman 1974).

    ``cv2.intersectConvexConvex`` finds nothing in common where edges all but coincide.
    """
    points = list(polygon)
    for axis, direction, limit in ((0, 1, 0.0), (0, -1, width), (1, 1, 0.0), (1, -1, height)):
        depths = [direction * (point[axis] - limit) for point in points]
        inside = []
        for here, there, depth, next_depth in zip(
            points, points[1:] + points[:1], depths, depths[1:] + depths[:1], strict=True
        ):
            if depth >= 0:
                inside.append(here)
            if depth * next_depth < 0:
                inside.append(here + depth / (depth - next_depth) * (there - here))
        points = inside
    return float(cv2.contourArea(np.array(points, np.float32))) if points else 0.0

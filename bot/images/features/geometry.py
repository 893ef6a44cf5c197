"""Geometric alignment: find the transform between two pictures from matched points, then compare their pixels.

Two pictures agree if a similarity transform, which RANSAC finds from matched points, also makes their luminances agree.
The luminances tell a copy from a picture that only shares a logo.
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
"""Least number of matched points that must agree with a transform."""

_RATIO = 0.85
"""Lowe's ratio: the nearest descriptor must be nearer than this share of the second nearest's distance."""
_MAX_DISTANCE = 80
"""Greatest Hamming distance of matched descriptors, of 256 bits."""
_REPROJECTION = 4.0
"""Greatest error of an inlier, in pixels of a picture with long side MAX_SIDE."""
_MIN_OVERLAP = 64
"""Least overlap, in pixels of the stored thumbnail, for comparing luminances."""
_PATCH = 5
"""Side of a patch, in pixels of the thumbnail."""
_MIN_VARIATION = 0.25
"""Least share of the query's variance that the fitted pixels must have."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A transform from a query to a stored picture, and how well the two agree under it.

    ``matrix``: 2 × 3, maps query points to stored points, both in units of their picture's long side. ``inliers`` of
    ``matched`` pairs of points agree with it; both are 0 for an overlay.

    In the overlap, ``correlation`` (−1 to 1) is that of the luminances. ``typical`` and ``worst`` are the median and
    the greatest difference of their patches, in standard deviations of the stored picture. ``chroma`` is the mean
    difference of the Cr and Cb channels, and ``brightness`` that of the mean luminances (0 to 255).

    ``covered`` is the share of the stored picture that the query shows, and ``outside`` the share of the query that
    lies beyond the stored picture.
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
    """Find the transform from matched points. Returns None if fewer than MIN_INLIERS agree."""
    pairs = _match_points(query.features.descriptors, stored.descriptors)
    if len(pairs) < MIN_INLIERS:
        return None
    matrix, mask = cv2.estimateAffinePartial2D(
        query.features.points[pairs[:, 0]] * MAX_SIDE,
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
    return _measure(query, stored, matrix, int(mask.sum()), len(pairs))


def overlay(query: QueryView, stored: LocalFeatures, orientation: Matrix) -> Alignment | None:
    """Align the whole query with the whole stored picture in a given orientation.

    ``orientation`` is one of ``fingerprint.ORIENTATION_MATRICES``: a 2 × 2 matrix that turns or mirrors the unit square
    about its centre. Returns None if the transform is degenerate.
    """
    width, height = query.features.width, query.features.height
    from_query = np.diag((max(width, height) / width, max(width, height) / height))
    to_stored = np.diag((stored.width, stored.height)) / max(stored.width, stored.height)
    linear = to_stored @ orientation @ from_query
    offset = to_stored @ (np.array((0.5, 0.5)) - orientation @ np.array((0.5, 0.5)))
    return _measure(query, stored, np.column_stack((linear, offset)), 0, 0)


def scale_to_whole(alignment: Alignment, share: float) -> Alignment:
    """Return the alignment of the whole query, given that of a region with this ``share`` of its area.

    The rest of the query counts as outside.
    """
    return replace(alignment, outside=1 - (1 - alignment.outside) * share)


def _measure(query: QueryView, stored: LocalFeatures, matrix: Matrix, inliers: int, matched: int) -> Alignment | None:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-4:  # noqa: PLR2004 - degenerate
        return None
    covered, outside = _coverage(query.features, stored, matrix)
    return Alignment(
        matrix,
        inliers,
        matched,
        *_luminance_agreement(query, stored, matrix),
        *_colour_difference(query, stored, matrix, 1 - outside),
        covered,
        outside,
    )


def _match_points(query: Pixels, stored: Pixels) -> npt.NDArray[np.intp]:
    """Return pairs (query row, stored row) of matching descriptors, n × 2, by Lowe's ratio test (2004)."""
    if len(query) < MIN_INLIERS or len(stored) < MIN_INLIERS:
        return np.empty((0, 2), np.intp)
    # The setting applies to this thread. With more threads, waking them would take longer than the work itself.
    faiss.omp_set_num_threads(1)
    distances, rows = faiss.knn_hamming(query, stored, 2)
    good = (distances[:, 0] < _RATIO * distances[:, 1]) & (distances[:, 0] <= _MAX_DISTANCE)
    picked = np.flatnonzero(good)
    # If many query points match one stored point, it is a texture. Keep only the nearest.
    order = picked[np.argsort(distances[picked, 0], kind="stable")]
    _, first = np.unique(rows[order, 0], return_index=True)
    kept = order[first]
    return np.stack((kept, rows[kept, 0]), axis=1)


def _homogeneous(matrix: Matrix) -> Matrix:
    return np.vstack((matrix, (0.0, 0.0, 1.0)))


def _to_pixels(width: float, height: float, across: int, down: int) -> Matrix:
    """Return the 3 × 3 matrix from units of the long side to pixels of an image of ``across`` × ``down`` pixels.

    ``width`` and ``height`` are the image's size in units of the long side. A pixel's centre is at its index.
    """
    return np.array(((across / width, 0.0, -0.5), (0.0, down / height, -0.5), (0.0, 0.0, 1.0)))


def _warp(image: Pixels, inverse: Matrix, size: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return the warped image and a mask of the pixels that it covers.

    ``inverse`` maps target pixels to image pixels, and ``size`` is the target's (width, height).
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, inverse[:2], size, flags=flags)
    opaque = np.full(image.shape[:2], 255, np.uint8)
    visible = cv2.warpAffine(opaque, inverse[:2], size, flags=flags) > 250  # noqa: PLR2004
    return np.asarray(warped, np.uint8), np.asarray(visible)


def warped_luminance(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return the query's luminance, warped onto the stored thumbnail, and a mask of the pixels that it covers."""
    height, width = stored.thumbnail.shape
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    # Use the level whose pixels are about as large as the thumbnail's. Coarser levels blur, and finer ones alias.
    level = min(query.levels, key=lambda image: abs(math.log(max(image.shape) / (scale * max(width, height)))))
    target = _to_pixels(width / max(width, height), height / max(width, height), width, height)
    down, across = level.shape
    source = _to_pixels(across / max(down, across), down / max(down, across), across, down)
    inverse = source @ np.linalg.inv(_homogeneous(matrix)) @ np.linalg.inv(target)
    return _warp(level, inverse, (width, height))


def _luminance_agreement(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float, float]:
    """Return the correlation, and the median and greatest difference of a patch in standard deviations."""
    warped, visible = warped_luminance(query, stored, matrix)
    if int(visible.sum()) < _MIN_OVERLAP:
        return -1.0, math.inf, math.inf
    ours, theirs = warped[visible].astype(np.float32), stored.thumbnail[visible].astype(np.float32)
    spread = max(float(theirs.std()), 1e-3)
    centred = ours - ours.mean()
    correlation = float(np.mean(centred * (theirs - theirs.mean()))) / (max(float(ours.std()), 1e-3) * spread)
    difference = np.zeros(visible.shape, np.float32)
    difference[visible] = np.abs(match_exposure(ours, theirs) - theirs) / spread
    weights = cv2.blur(visible.astype(np.float32), (_PATCH, _PATCH))
    patches = cv2.blur(difference, (_PATCH, _PATCH))[visible] / weights[visible]
    return correlation, float(np.median(patches)), float(patches.max())


def match_exposure(query: Values, stored: Values) -> Values:
    """Return the query's luminances with gain and offset fitted to the stored ones. Both are one-dimensional, float32.

    The fit uses the three quarters of the pixels that fit best, so that a caption or a logo doesn't distort it.
    """
    fits = np.ones(len(query), bool)
    fitted = query
    for _ in range(3):
        a, b = query[fits], stored[fits]
        if float(a.var()) < _MIN_VARIATION * float(query.var()):
            break  # a blank background, which fits any gain
        gain = float(np.mean((a - a.mean()) * (b - b.mean()))) / max(float(a.var()), 1e-3)
        fitted = gain * query + (float(b.mean()) - gain * float(a.mean()))
        residual = np.abs(stored - fitted)
        fits = residual <= np.quantile(residual, 0.75)
    return fitted


def _colour_difference(query: QueryView, stored: LocalFeatures, matrix: Matrix, inside: float) -> tuple[float, float]:
    """Return the mean difference of the chroma channels and the difference of the mean luminances in the overlap.

    Both are 0 without an overlap. ``inside`` is the share of the query that overlaps the stored picture.
    """

    def to_square(of: LocalFeatures, side: int) -> Matrix:
        max_side = max(of.width, of.height)
        return _to_pixels(of.width / max_side, of.height / max_side, side, side)

    # Use the level at which the overlap has about twice the stored picture's pixels a side. At a coarser level, a
    # frame's colour would bleed into the picture.
    wanted = 2 * COLOURS / math.sqrt(max(inside, 1e-3))
    level = min(query.colours, key=lambda image: abs(math.log(len(image) / wanted)))
    source, target = to_square(query.features, len(level)), to_square(stored, COLOURS)
    inverse = source @ np.linalg.inv(_homogeneous(matrix)) @ np.linalg.inv(target)
    warped, visible = _warp(level, inverse, (COLOURS, COLOURS))
    if not visible.any():
        return 0.0, 0.0
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[visible].astype(np.float32) for image in (warped, stored.colours))
    return float(np.abs(a[:, 1:] - b[:, 1:]).mean()), abs(float(a[:, 0].mean() - b[:, 0].mean()))


def _coverage(query: LocalFeatures, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float]:
    """Return the share of the stored picture that the query shows, and the share of the query beyond it."""

    def corners(of: LocalFeatures) -> npt.NDArray[np.float32]:
        max_side = max(of.width, of.height)
        x, y = of.width / max_side, of.height / max_side
        return np.array(((0, 0), (x, 0), (x, y), (0, y)), np.float32)

    shown, (_, _, (width, height), _) = cv2.transform(corners(query)[None], matrix)[0], corners(stored)
    common = _area_within(shown.astype(np.float64), width, height)
    area = float(cv2.contourArea(shown))
    return common / (width * height), (1 - common / area if area > 0 else 1.0)


def _area_within(polygon: Matrix, width: float, height: float) -> float:
    """Return the area of a convex polygon (n × 2) inside a rectangle at the origin (Sutherland and Hodgman 1974).

    ``cv2.intersectConvexConvex`` returns no intersection if edges almost coincide.
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

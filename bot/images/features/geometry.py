"""Geometric alignment: find the transform between two pictures from matched points, then compare their pixels.

Two pictures agree if a transform that RANSAC finds from matched points also makes their luminances agree. It is a
similarity transform, or a homography for a photograph of the picture. The luminances tell a copy from a picture that
only shares a logo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features import warping
from bot.images.features.binary_codes import match_codes
from bot.images.features.local_features import MAX_SIDE, LocalFeatures
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix, coverage, is_view, warped_luminance

Values = npt.NDArray[np.float32]

Pairs = npt.NDArray[np.intp]
"""Matched points, n × 2: rows of the query's and of the stored picture's descriptors."""

MIN_INLIERS = 8
"""Least number of matched points that must agree with a transform."""

MIN_PERSPECTIVE_INLIERS = 20
"""The same for a homography, which has twice as many degrees of freedom."""

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
_KEPT_PATCHES = 0.75
"""Share of the patches, the best ones, that ``Alignment.trimmed`` covers."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A transform from a query to a stored picture, and how well the two agree under it.

    ``matrix``: 2 × 3 or, for a homography, 3 × 3; maps query points to stored points, both in units of their picture's
    long side. ``inliers`` of ``matched`` pairs of points agree with it; both are 0 for an overlay.

    In the overlap, ``correlation`` (−1 to 1) is that of the luminances, and ``trimmed`` that without the quarter of the
    patches that differ most, where a sticker may be. ``typical`` and ``worst`` are the median and the greatest
    difference of their patches, in standard deviations of the stored picture.

    ``covered`` is the share of the stored picture that the query shows, and ``outside`` the share of the query that
    lies beyond the stored picture.
    """

    matrix: Matrix
    inliers: int
    matched: int
    correlation: float
    trimmed: float
    typical: float
    worst: float
    covered: float
    outside: float

    @property
    def is_homography(self) -> bool:
        """Whether the transform is a homography."""
        return warping.is_homography(self.matrix)

    @property
    def agreement(self) -> float:
        """The share of the matched points that agree, or 1 for an overlay."""
        return self.inliers / self.matched if self.matched else 1.0

    @property
    def shared(self) -> float:
        """The overlap's share of the stored picture or of the query, whichever is greater."""
        return max(self.covered, 1 - self.outside)


def align(query: QueryView, stored: LocalFeatures, pairs: Pairs | None = None) -> Alignment | None:
    """Find the similarity transform from matched points. Returns None if fewer than MIN_INLIERS agree.

    ``pairs`` are the result of ``match_points``, if the caller has it already.
    """
    if pairs is None:
        pairs = match_points(query, stored)
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


def align_in_perspective(query: QueryView, stored: LocalFeatures, pairs: Pairs) -> Alignment | None:
    """Find the homography from matched points. Returns None if fewer than MIN_PERSPECTIVE_INLIERS agree."""
    if len(pairs) < MIN_PERSPECTIVE_INLIERS:
        return None
    matrix, mask = cv2.findHomography(
        query.features.points[pairs[:, 0]] * MAX_SIDE,
        stored.points[pairs[:, 1]] * MAX_SIDE,
        cv2.USAC_MAGSAC,
        _REPROJECTION,
        maxIters=500,
        confidence=0.99,
    )
    if matrix is None or int(mask.sum()) < MIN_PERSPECTIVE_INLIERS:
        return None
    units = np.diag((MAX_SIDE, MAX_SIDE, 1.0))
    matrix = np.linalg.inv(units) @ np.asarray(matrix, np.float64) @ units
    if not is_view(query.features, matrix):
        return None
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


def align_by(query: QueryView, stored: LocalFeatures, matrix: Matrix, inliers: int, matched: int) -> Alignment | None:
    """Align the pictures by a transform that other points than theirs showed. None if it is no view of a flat picture.

    ``matrix`` is that of an ``Alignment``; ``inliers`` of ``matched`` pairs of those points agree with it.
    """
    if warping.is_homography(matrix) and not is_view(query.features, matrix):
        return None
    return _measure(query, stored, matrix, inliers, matched)


def scale_to_whole(alignment: Alignment, share: float) -> Alignment:
    """Return the alignment of the whole query, given that of a region with this ``share`` of its area.

    The rest of the query counts as outside.
    """
    return replace(alignment, outside=1 - (1 - alignment.outside) * share)


def _measure(query: QueryView, stored: LocalFeatures, matrix: Matrix, inliers: int, matched: int) -> Alignment | None:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:2, :2])) < 1e-4:  # noqa: PLR2004 - degenerate
        return None
    covered, outside = coverage(query.features, stored, matrix)
    return Alignment(matrix, inliers, matched, *_luminance_agreement(query, stored, matrix), covered, outside)


def match_points(view: QueryView, reference: LocalFeatures) -> Pairs:
    """Return pairs (query row, stored row) of matching descriptors, n × 2, by Lowe's ratio test (2004)."""
    query, stored = view.features.descriptors, reference.descriptors
    if len(query) < MIN_INLIERS or len(stored) < MIN_INLIERS:
        return np.empty((0, 2), np.intp)
    picked, nearest, distances = match_codes(query, stored, _RATIO, _MAX_DISTANCE)
    # If many query points match one stored point, it is a texture. Keep only the nearest.
    order = np.argsort(distances, kind="stable")
    _, first = np.unique(nearest[order], return_index=True)
    kept = order[first]
    return np.stack((picked[kept], nearest[kept]), axis=1)


def _luminance_agreement(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float, float, float]:
    """Return both correlations, and the median and greatest difference of a patch in standard deviations."""
    warped, visible = warped_luminance(query, stored, matrix)
    if int(visible.sum()) < _MIN_OVERLAP:
        return -1.0, -1.0, math.inf, math.inf
    ours, theirs = warped[visible].astype(np.float32), stored.thumbnail[visible].astype(np.float32)
    spread = max(float(theirs.std()), 1e-3)
    difference = np.zeros(visible.shape, np.float32)
    difference[visible] = np.abs(match_exposure(ours, theirs) - theirs) / spread
    weights = cv2.blur(visible.astype(np.float32), (_PATCH, _PATCH))
    patches = cv2.blur(difference, (_PATCH, _PATCH))[visible] / weights[visible]
    kept = patches <= _kept_bound(patches)
    # Without them, a plain ground may be all that is left.
    varied = float(theirs[kept].var()) >= _MIN_VARIATION * float(theirs.var())
    trimmed = _correlation(ours[kept], theirs[kept]) if varied else _correlation(ours, theirs)
    return _correlation(ours, theirs), trimmed, float(np.median(patches)), float(patches.max())


def _correlation(first: Values, second: Values) -> float:
    centred = first - first.mean()
    spread = max(float(first.std()), 1e-3) * max(float(second.std()), 1e-3)
    return float(np.mean(centred * (second - second.mean()))) / spread


def match_exposure(query: Values, stored: Values) -> Values:
    """Return the query's luminances with gain and offset fitted to the stored ones. Both are one-dimensional, float32.

    The fit uses the three quarters of the pixels that fit best, so that a caption or a logo doesn't distort it. It
    starts from all pixels and, since a logo on a plain ground distorts that start too, from equal exposure.
    """
    fits = (_fit_exposure(query, query, stored), _fit_exposure(query, query + np.median(stored - query), stored))
    return min(fits, key=lambda fitted: _kept_bound(np.abs(stored - fitted)))


def _fit_exposure(query: Values, start: Values, stored: Values) -> Values:
    fitted, fits = start, np.ones(len(query), bool)
    if start is not query:
        fits = _best_fitting(start, stored)
    for _ in range(3):
        a, b = query[fits], stored[fits]
        if float(a.var()) < _MIN_VARIATION * float(query.var()):
            break  # a blank background, which fits any gain
        gain = float(np.mean((a - a.mean()) * (b - b.mean()))) / max(float(a.var()), 1e-3)
        fitted = gain * query + (float(b.mean()) - gain * float(a.mean()))
        fits = _best_fitting(fitted, stored)
    return fitted


def _best_fitting(fitted: Values, stored: Values) -> npt.NDArray[np.bool_]:
    residual = np.abs(stored - fitted)
    return np.asarray(residual <= _kept_bound(residual))


def _kept_bound(values: Values) -> float:
    """Return the greatest of the values that are kept, the least ones. ``np.quantile`` takes ten times as long."""
    place = int(_KEPT_PATCHES * (len(values) - 1))
    return float(np.partition(values, place)[place])

"""Transforms between two pictures, and pictures warped by them.

A matrix maps query points to stored points, both in units of their picture's long side. It is 2 × 3 for a similarity
transform and 3 × 3 for a homography.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MAX_DEPTH = 4.0
"""Greatest ratio of the distances of the query's corners from the camera. Wilder homographies fit by chance."""


def is_homography(matrix: Matrix) -> bool:
    """Return whether the matrix is 3 × 3."""
    return len(matrix) == 3  # noqa: PLR2004


def homogeneous(matrix: Matrix) -> Matrix:
    """Return the 3 × 3 matrix of an ``Alignment.matrix``."""
    return matrix if is_homography(matrix) else np.vstack((matrix, (0.0, 0.0, 1.0)))


def warped_luminance(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> tuple[Pixels, Mask]:
    """Return the query's luminance, warped onto the stored thumbnail, and a mask of the pixels that it covers."""
    height, width = stored.thumbnail.shape
    return warp_luminance(query, matrix, (width, height))


def warp_luminance(query: QueryView, matrix: Matrix, size: tuple[int, int]) -> tuple[Pixels, Mask]:
    """Return the query's luminance, warped onto a stored picture of ``size`` (width, height), and a mask."""
    width, height = size
    scale = _scale(query.features, matrix)
    levels = (*query.levels, query.gray) if max(size) > query.levels[0].shape[0] else query.levels
    # Use the level whose pixels are about as large as the target's. Coarser levels blur, and finer ones alias.
    wanted = scale * max(width, height) * (1.25 if len(levels) > len(query.levels) else 1.0)
    level = min(levels, key=lambda image: abs(math.log(max(image.shape) / wanted)))
    target = to_pixels(width / max(width, height), height / max(width, height), width, height)
    down, across = level.shape
    source = to_pixels(across / max(down, across), down / max(down, across), across, down)
    inverse = source @ np.linalg.inv(homogeneous(matrix)) @ np.linalg.inv(target)
    return warp(level, inverse, (width, height))


def to_pixels(width: float, height: float, across: int, down: int) -> Matrix:
    """Return the 3 × 3 matrix from units of the long side to pixels of an image of ``across`` × ``down`` pixels.

    ``width`` and ``height`` are the image's size in units of the long side. A pixel's centre is at its index.
    """
    return np.array(((across / width, 0.0, -0.5), (0.0, down / height, -0.5), (0.0, 0.0, 1.0)))


def warp(image: Pixels, inverse: Matrix, size: tuple[int, int]) -> tuple[Pixels, Mask]:
    """Return the warped image and a mask of the pixels that it covers.

    ``inverse`` maps target pixels to image pixels, and ``size`` is the target's (width, height).
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    opaque = np.full(image.shape[:2], 255, np.uint8)
    if np.allclose(inverse[2, :2], 0, atol=1e-12):
        warped = cv2.warpAffine(image, inverse[:2], size, flags=flags)
        visible = cv2.warpAffine(opaque, inverse[:2], size, flags=flags) > 250  # noqa: PLR2004
    else:
        warped = cv2.warpPerspective(image, inverse, size, flags=flags)
        visible = cv2.warpPerspective(opaque, inverse, size, flags=flags) > 250  # noqa: PLR2004
    return np.asarray(warped, np.uint8), np.asarray(visible)


def coverage(query: LocalFeatures, stored: LocalFeatures, matrix: Matrix) -> tuple[float, float]:
    """Return the share of the stored picture that the query shows, and the share of the query beyond it."""
    shown, (width, height) = _outline(query, matrix), _extent(stored)
    common = _area_within(shown, width, height)
    area = float(cv2.contourArea(shown.astype(np.float32)))
    return common / (width * height), (1 - common / area if area > 0 else 1.0)


def _outline(query: LocalFeatures, matrix: Matrix) -> Matrix:
    """Return the corners of the query on the stored picture, 4 × 2, clockwise from the first."""
    x, y = _extent(query)
    corners = np.array((((0, 0), (x, 0), (x, y), (0, y)),), np.float64)
    return np.asarray(cv2.perspectiveTransform(corners, homogeneous(matrix))[0], np.float64)


def perspective(query: LocalFeatures, matrix: Matrix) -> float:
    """Return how far the query's outline is from a parallelogram under ``matrix``, as a share of its diagonal."""
    first, second, third, fourth = _outline(query, matrix)
    diagonal = max(float(np.linalg.norm(third - first)), float(np.linalg.norm(fourth - second)), 1e-6)
    return float(np.linalg.norm(first - second + third - fourth)) / diagonal


def is_view(query: LocalFeatures, matrix: Matrix) -> bool:
    """Return whether a homography shows a flat picture from the front: convex, and not extremely oblique."""
    x, y = _extent(query)
    depths = (homogeneous(matrix) @ np.array(((0, 0, 1), (x, 0, 1), (x, y, 1), (0, y, 1)), np.float64).T)[2]
    if depths.min() <= 0 or depths.max() > _MAX_DEPTH * depths.min():
        return False
    return bool(cv2.isContourConvex(_outline(query, matrix).astype(np.float32)))


def _scale(query: LocalFeatures, matrix: Matrix) -> float:
    """Return how many times larger the query's long side is on the stored picture."""
    x, y = _extent(query)
    return math.sqrt(max(float(cv2.contourArea(_outline(query, matrix).astype(np.float32))), 1e-9) / (x * y))


def _extent(of: LocalFeatures) -> tuple[float, float]:
    """Return a picture's width and height in units of its long side."""
    max_side = max(of.width, of.height)
    return of.width / max_side, of.height / max_side


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

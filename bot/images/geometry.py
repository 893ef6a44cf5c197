"""Does one picture show the other? Local points matched under one plane transform, then compared pixel by pixel.

A *sketch* is what is kept of a picture for this: ORB points (Rublee et al. 2011) with their descriptors, and a small
luminance image. Two sketches agree when a transform found by RANSAC from matched points also lays the one small image
on the other. The second half is what tells a copy from a picture that merely shares a logo.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import faiss
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

STORED_POINTS = 310
QUERY_POINTS = 500
MIN_INLIERS = 6

_THUMB = 64
_LEVELS = (64, 128, 256)
_COLOURS = 16
_DESCRIPTOR = 32
_LONGEST = 400
_DETECTED = 1200
_CELLS = 8
_RATIO = 0.85
_FARTHEST = 80
_REPROJECTION = 4.0
_HEADER = struct.Struct("<HHBBH")
_COORDINATE = 65535.0
_MIN_OVERLAP = 64


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is kept of a picture.

    ``points``: n × 2, float32, in units of the long side. ``descriptors``: n × 32. ``thumb``: luminance, long side 64.
    ``colours``: 16 × 16 × 3, the whole picture squeezed into a square.
    """

    points: npt.NDArray[np.float32]
    descriptors: Pixels
    thumb: Pixels
    colours: Pixels
    width: int
    height: int

    def pack(self) -> bytes:
        """At most 16 KB: 8 + 64 × 64 + 16 × 16 × 3 + 310 × (4 + 32)."""
        height, width = self.thumb.shape
        coordinates = np.round(self.points * _COORDINATE).clip(0, _COORDINATE).astype("<u2")
        header = _HEADER.pack(self.width, self.height, width, height, len(self.points))
        parts = (self.thumb, self.colours, coordinates, self.descriptors)
        return header + b"".join(part.tobytes() for part in parts)


def unpack(data: bytes) -> Sketch:
    """What ``Sketch.pack`` wrote. Raises ValueError when it is not that."""
    if len(data) < _HEADER.size:
        raise ValueError("not a sketch")
    width, height, across, down, count = _HEADER.unpack_from(data)
    sizes = (across * down, _COLOURS * _COLOURS * 3, 4 * count, _DESCRIPTOR * count)
    if len(data) != _HEADER.size + sum(sizes):
        raise ValueError("not a sketch")
    ends = np.cumsum((_HEADER.size, *sizes))
    thumb, colours, points, descriptors = np.split(np.frombuffer(data, np.uint8), ends)[1:5]
    return Sketch(
        points=points.view("<u2").reshape(-1, 2).astype(np.float32) / np.float32(_COORDINATE),
        descriptors=descriptors.reshape(-1, _DESCRIPTOR),
        thumb=thumb.reshape(down, across),
        colours=colours.reshape(_COLOURS, _COLOURS, 3),
        width=width,
        height=height,
    )


_local = threading.local()


def _detector() -> cv2.ORB:
    """One a thread: a detector keeps buffers and must not be shared."""
    detector: cv2.ORB | None = getattr(_local, "detector", None)
    if detector is None:
        detector = cv2.ORB.create(
            nfeatures=_DETECTED, scaleFactor=1.2, nlevels=8, edgeThreshold=16, patchSize=31, fastThreshold=10
        )
        _local.detector = detector
    return detector


def sketch(pixels: Pixels, gray: Pixels, points: int = STORED_POINTS) -> Sketch:
    """The sketch of an RGB picture and its ``fingerprint.luminance``."""
    height, width = gray.shape
    work = _resized(gray, _LONGEST)
    size = (work.shape[1], work.shape[0])
    detector = _detector()
    kept = _spread_out(detector.detect(work, None), size, points)
    found, descriptors = detector.compute(work, kept) if kept else ((), None)
    if descriptors is None:
        found, descriptors = (), np.empty((0, _DESCRIPTOR), np.uint8)
    return Sketch(
        points=(np.array([point.pt for point in found], np.float32).reshape(-1, 2) + 0.5) / np.float32(max(size)),
        descriptors=descriptors,
        thumb=_resized(work, _THUMB),
        colours=np.asarray(cv2.resize(pixels, (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA), np.uint8),
        width=width,
        height=height,
    )


def _resized(gray: Pixels, longest: int) -> Pixels:
    height, width = gray.shape
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


class View:
    """A query picture as one way of looking at it: its sketch, its mirror image's, and luminance at several sizes."""

    def __init__(self, pixels: Pixels, gray: Pixels) -> None:
        self._pixels = pixels
        self._gray = gray
        self.sketch = sketch(pixels, gray, QUERY_POINTS)
        self.levels = tuple(_resized(gray, side) for side in _LEVELS)

    @cached_property
    def mirrored(self) -> View:
        """The same, left and right exchanged; made when it is first wanted, since most queries never need it."""
        return View(np.ascontiguousarray(self._pixels[:, ::-1]), np.ascontiguousarray(self._gray[:, ::-1]))


def _spread_out(found: Sequence[cv2.KeyPoint], size: tuple[int, int], count: int) -> list[cv2.KeyPoint]:
    """The strongest points of every part of the picture, so that a caption's hard corners don't take them all."""
    if len(found) <= count:
        return list(found)
    place = np.array([point.pt for point in found], np.float32)
    strength = np.array([point.response for point in found], np.float32)
    cell = (place / np.array(size, np.float32) * _CELLS).astype(np.intp).clip(0, _CELLS - 1)
    order = np.lexsort((-strength, cell[:, 1] * _CELLS + cell[:, 0]))
    cells = (cell[:, 1] * _CELLS + cell[:, 0])[order]
    starts = np.concatenate(([True], cells[1:] != cells[:-1]))
    rank_in_cell = np.arange(len(order)) - np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    chosen = order[np.lexsort((-strength[order], rank_in_cell))[:count]]
    return [found[index] for index in chosen]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How a query lies on a stored picture.

    ``matrix`` (2 × 3) maps query points to the stored picture's, both in units of their long side. ``inliers`` of
    ``matched`` pairs of points agree with it. ``correlation`` (−1 to 1) says how well the luminances agree where the
    two overlap, ``shift`` how far apart the colours are there (0 to 255), ``covered`` which share of the stored picture
    the query shows, ``outside`` which share of the query lies beyond it.
    """

    matrix: Matrix
    inliers: int
    matched: int
    correlation: float
    shift: float
    covered: float
    outside: float


def align(query: View, stored: Sketch) -> Alignment | None:
    """Find the transform from matched points, or None if no more than chance agrees."""
    pairs = _matches(query.sketch.descriptors, stored.descriptors)
    if len(pairs) < MIN_INLIERS:
        return None
    matrix, mask = cv2.estimateAffinePartial2D(
        query.sketch.points[pairs[:, 0]] * _LONGEST,
        stored.points[pairs[:, 1]] * _LONGEST,
        method=cv2.RANSAC,
        ransacReprojThreshold=_REPROJECTION,
        maxIters=600,
        confidence=0.99,
        refineIters=3,
    )
    if matrix is None or int(mask.sum()) < MIN_INLIERS:
        return None
    matrix = np.asarray(matrix, np.float64)
    matrix[:, 2] /= _LONGEST
    return _measured(query, stored, matrix, int(mask.sum()), len(pairs))


def overlay(query: View, stored: Sketch, turn: Matrix) -> Alignment | None:
    """Lay the whole query on the whole stored picture, given by a turn (2 × 2) of the unit square about its centre."""
    width, height = query.sketch.width, query.sketch.height
    from_query = np.diag((max(width, height) / width, max(width, height) / height))
    to_stored = np.diag((stored.width, stored.height)) / max(stored.width, stored.height)
    linear = to_stored @ turn @ from_query
    offset = to_stored @ (np.array((0.5, 0.5)) - turn @ np.array((0.5, 0.5)))
    return _measured(query, stored, np.column_stack((linear, offset)), 0, 0)


def _measured(query: View, stored: Sketch, matrix: Matrix, inliers: int, matched: int) -> Alignment | None:
    if abs(np.linalg.det(matrix[:, :2])) < 1e-4:  # noqa: PLR2004 - collapsed to a line
        return None
    correlation = _correlation(query, stored, matrix)
    shift = _colour_shift(query.sketch, stored, matrix)
    covered, outside = _coverage(query.sketch, stored, matrix)
    return Alignment(matrix, inliers, matched, correlation, shift, covered, outside)


def _matches(query: Pixels, stored: Pixels) -> npt.NDArray[np.intp]:
    """Pairs (query row, stored row) whose nearest is clearly nearer than the next (Lowe's ratio test)."""
    if len(query) < MIN_INLIERS or len(stored) < MIN_INLIERS:
        return np.empty((0, 2), np.intp)
    distances, rows = faiss.knn_hamming(query, stored, 2)
    good = (distances[:, 0] < _RATIO * distances[:, 1]) & (distances[:, 0] <= _FARTHEST)
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


def _laid(image: Pixels, back: Matrix, size: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """The image seen through ``back`` (target pixels to its own), and where it is seen at all."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(image, back[:2], size, flags=flags)
    seen = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), back[:2], size, flags=flags) > 250  # noqa: PLR2004
    return np.asarray(laid, np.uint8), np.asarray(seen)


def _correlation(query: View, stored: Sketch, matrix: Matrix) -> float:
    height, width = stored.thumb.shape
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    # The level whose pixels are about as large as the thumbnail's: coarser ones blur, finer ones alias.
    level = min(query.levels, key=lambda image: abs(math.log(max(image.shape) / (scale * max(width, height)))))
    target = _pixels(width / max(width, height), height / max(width, height), width, height)
    down, across = level.shape
    source = _pixels(across / max(down, across), down / max(down, across), across, down)
    back = source @ np.linalg.inv(_square(matrix)) @ np.linalg.inv(target)
    laid, seen = _laid(level, back, (width, height))
    if int(seen.sum()) < _MIN_OVERLAP:
        return -1.0
    a, b = laid[seen].astype(np.float32), stored.thumb[seen].astype(np.float32)
    a -= a.mean()
    b -= b.mean()
    norm = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else -1.0


def _colour_shift(query: Sketch, stored: Sketch, matrix: Matrix) -> float:
    """Mean distance of the colours where the two overlap; 0 where nothing does."""

    def squeezed(of: Sketch) -> Matrix:
        longest = max(of.width, of.height)
        return _pixels(of.width / longest, of.height / longest, _COLOURS, _COLOURS)

    back = squeezed(query) @ np.linalg.inv(_square(matrix)) @ np.linalg.inv(squeezed(stored))
    laid, seen = _laid(query.colours, back, (_COLOURS, _COLOURS))
    if not seen.any():
        return 0.0
    return float(np.abs(laid[seen].astype(np.int16) - stored.colours[seen].astype(np.int16)).mean())


def _coverage(query: Sketch, stored: Sketch, matrix: Matrix) -> tuple[float, float]:
    """Share of the stored picture that the query shows, and share of the query beyond the stored picture."""

    def corners(of: Sketch) -> npt.NDArray[np.float32]:
        longest = max(of.width, of.height)
        x, y = of.width / longest, of.height / longest
        return np.array(((0, 0), (x, 0), (x, y), (0, y)), np.float32)

    shown = cv2.transform(corners(query)[None], matrix)[0].astype(np.float32)
    whole = corners(stored)
    common, _ = cv2.intersectConvexConvex(shown, whole)
    area = float(cv2.contourArea(shown))
    return common / float(cv2.contourArea(whole)), (1 - common / area if area > 0 else 1.0)

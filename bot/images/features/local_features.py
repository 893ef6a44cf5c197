"""Sketches: what is kept of a picture so that another can be laid on it.

ORB points (Rublee et al. 2011) with descriptors, a small luminance image, and colours; ``geometry`` compares them.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

STORED_POINTS = 310
QUERY_POINTS = 500
MAX_SIDE = 400
"""Long side, in pixels, of the picture that points are looked for in."""
COLOURS = 16

_THUMB = 64
_LEVELS = (64, 128, 256)
_COLOUR_LEVELS = (16, 32, 64)
_DESCRIPTOR = 32
_DETECTED = 800
_THRESHOLDS = (20, 8)
"""Contrasts at which a corner counts: the second for pictures in which the first finds too few."""
_EDGE = 16
_CELLS = 8
_HEADER = struct.Struct("<HHBBH")
_COORDINATE = 65535.0


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """What is kept of a picture.

    ``points``: n × 2, float32, in units of the long side. ``descriptors``: n × 32. ``thumb``: luminance, long side 64.
    ``colours``: 16 × 16 × 3, the whole picture squeezed into a square.
    """

    points: npt.NDArray[np.float32]
    descriptors: Pixels
    thumbnail: Pixels
    colours: Pixels
    width: int
    height: int

    def pack(self) -> bytes:
        """At most 16 KB: 8 + 64 × 64 + 16 × 16 × 3 + 310 × (4 + 32)."""
        height, width = self.thumbnail.shape
        coordinates = np.round(self.points * _COORDINATE).clip(0, _COORDINATE).astype("<u2")
        header = _HEADER.pack(self.width, self.height, width, height, len(self.points))
        parts = (self.thumbnail, self.colours, coordinates, self.descriptors)
        return header + b"".join(part.tobytes() for part in parts)


def unpack(data: bytes) -> LocalFeatures:
    """What ``LocalFeatures.pack`` wrote. Raises ValueError when it is not that."""
    if len(data) < _HEADER.size:
        raise ValueError("not a sketch")
    width, height, across, down, count = _HEADER.unpack_from(data)
    sizes = (across * down, COLOURS * COLOURS * 3, 4 * count, _DESCRIPTOR * count)
    whole = len(data) == _HEADER.size + sum(sizes)
    if not (whole and min(width, height, across, down) > 0 and max(across, down) == _THUMB):
        raise ValueError("not a sketch")
    ends = np.cumsum((_HEADER.size, *sizes))
    thumb, colours, points, descriptors = np.split(np.frombuffer(data, np.uint8), ends)[1:5]
    return LocalFeatures(
        points=points.view("<u2").reshape(-1, 2).astype(np.float32) / np.float32(_COORDINATE),
        descriptors=descriptors.reshape(-1, _DESCRIPTOR),
        thumbnail=thumb.reshape(down, across),
        colours=colours.reshape(COLOURS, COLOURS, 3),
        width=width,
        height=height,
    )


def is_identical(query: LocalFeatures, stored: LocalFeatures) -> bool:
    """Whether nothing that is kept of the stored picture differs: the same pixels, however plain they are."""
    return (
        (query.width, query.height) == (stored.width, stored.height)
        and np.array_equal(query.thumbnail, stored.thumbnail)
        and np.array_equal(query.colours, stored.colours)
        and {row.tobytes() for row in stored.descriptors} <= {row.tobytes() for row in query.descriptors}
    )


_local = threading.local()


def _detector(threshold: int) -> cv2.ORB:
    """One a thread and threshold: a detector keeps buffers and must not be shared."""
    detectors: dict[int, cv2.ORB] = _local.__dict__.setdefault("detectors", {})
    if threshold not in detectors:
        detectors[threshold] = cv2.ORB.create(
            nfeatures=_DETECTED, scaleFactor=1.2, nlevels=8, edgeThreshold=_EDGE, patchSize=31, fastThreshold=threshold
        )
    return detectors[threshold]


def extract_local_features(pixels: Pixels, gray: Pixels, points: int = STORED_POINTS) -> LocalFeatures:
    """The sketch of an RGB picture and its ``fingerprint.luminance``."""
    height, width = gray.shape
    work = _resized(gray, MAX_SIDE)
    places, descriptors = _points(work, points)
    return LocalFeatures(
        points=(places + np.float32(0.5)) / np.float32(max(work.shape)),
        descriptors=descriptors,
        thumbnail=_resized(work, _THUMB),
        colours=_resized_to_square(pixels, COLOURS),
        width=width,
        height=height,
    )


def _points(work: Pixels, count: int) -> tuple[npt.NDArray[np.float32], Pixels]:
    """Places (n × 2, in pixels) and descriptors of up to ``count`` points, spread over the picture."""
    none = np.empty((0, 2), np.float32), np.empty((0, _DESCRIPTOR), np.uint8)
    # No point lies within the edge, and the library can't shrink a picture of a few lines any further.
    if min(work.shape) <= 2 * _EDGE:
        return none
    for threshold in _THRESHOLDS:
        found, descriptors = _detector(threshold).detectAndCompute(work, None)
        # Not ``count``: a query's points are found the same way as a stored picture's, and are more of the same.
        if len(found) >= STORED_POINTS:
            break
    if descriptors is None:
        return none
    places = np.asarray(cv2.KeyPoint.convert(found), np.float32).reshape(-1, 2)
    if len(found) > count:
        strength = np.array([point.response for point in found], np.float32)
        chosen = _select_spread(places, strength, (work.shape[1], work.shape[0]), count)
        places, descriptors = places[chosen], descriptors[chosen]
    return places, np.asarray(descriptors, np.uint8)


def _resized(gray: Pixels, max_side: int) -> Pixels:
    height, width = gray.shape
    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def _resized_to_square(pixels: Pixels, side: int) -> Pixels:
    # Averages over every few pixels are as good as over all of them, and many times faster.
    step = max(1, min(pixels.shape[:2]) // (4 * side))
    return np.asarray(cv2.resize(pixels[::step, ::step], (side, side), interpolation=cv2.INTER_AREA), np.uint8)


class QueryView:
    """A query picture as one way of looking at it: its sketch, and its luminance and colours at several sizes."""

    def __init__(self, pixels: Pixels, gray: Pixels) -> None:
        self._pixels = pixels
        self._gray = gray
        self.sketch = extract_local_features(pixels, gray, QUERY_POINTS)
        self.levels = tuple(_resized(gray, side) for side in _LEVELS)
        self.colours = tuple(_resized_to_square(pixels, side) for side in _COLOUR_LEVELS)

    @cached_property
    def mirrored(self) -> QueryView:
        """The same, left and right exchanged; made when it is first wanted, since most queries never need it."""
        return QueryView(np.ascontiguousarray(self._pixels[:, ::-1]), np.ascontiguousarray(self._gray[:, ::-1]))


def _select_spread(
    places: npt.NDArray[np.float32], strength: npt.NDArray[np.float32], size: tuple[int, int], count: int
) -> npt.NDArray[np.intp]:
    """The strongest points of every part of the picture, so that a caption's hard corners don't take them all."""
    column, row = (places / np.array(size, np.float32) * _CELLS).astype(np.intp).clip(0, _CELLS - 1).T
    cell = row * _CELLS + column
    order = np.lexsort((-strength, cell))
    begins = np.flatnonzero(np.diff(cell[order], prepend=-1))
    rank_in_cell = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return order[np.lexsort((-strength[order], rank_in_cell))[:count]]


class QueryRegion:
    """One part of a query picture that is laid on stored ones; its view is made when it is first wanted.

    ``rows`` are its fingerprints' rows among all of the query's, in the order of ``fingerprint.orientations``;
    ``share`` is the part's share of the whole query picture.
    """

    def __init__(self, pixels: Pixels, gray: Pixels, rows: range, share: float = 1.0) -> None:
        self.rows = rows
        self.share = share
        self._pixels = pixels
        self._gray = gray

    @cached_property
    def view(self) -> QueryView:
        """What is compared."""
        return QueryView(self._pixels, self._gray)

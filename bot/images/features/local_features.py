"""Local features: ORB points with descriptors (Rublee et al. 2011), a thumbnail of the luminance, and colours.

They are stored for each picture. ``geometry`` uses them to align another picture with it.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from itertools import accumulate

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

STORED_POINTS = 310
MAX_SIDE = 400
"""Long side, in pixels, of the picture in which points are detected."""
COLOURS = 16
"""Side of the square that stores a picture's colours, in pixels."""

_THUMBNAIL_SIDE = 64
_DESCRIPTOR_BYTES = 32
_DETECTED = 800
"""Most points that the detector returns, before the selection."""
_THRESHOLDS = (20, 8)
"""FAST thresholds. The second is for pictures in which the first finds too few corners."""
_EDGE = 16
"""Margin, in pixels, in which no points are detected."""
_CELLS = 8
"""Cells on each side of the grid over which the points are spread."""
_HEADER = struct.Struct("<HHBBH")
_FINE_HEADER = struct.Struct("<2sH")
"""What follows the descriptors since version 2: a mark and the length of the fine luminance. Version 1 ends there."""
_FINE_MARK = b"F2"
_FINE_SIDES, _FINE_QUALITY, _FINE_BYTES = (320, 256, 192, 160), 60, 6000
"""The fine luminance: long sides in pixels, the largest first that fits, JPEG quality, and greatest size in bytes."""
_FINE_START = 192
_COORDINATE = 65535.0


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """The local features of a picture.

    ``points``: n × 2 (x, y), float32, in units of the long side. ``descriptors``: n × 32, uint8. ``thumbnail``:
    luminance, uint8, long side 64. ``colours``: 16 × 16 × 3, uint8, RGB, the whole picture scaled to a square.
    ``width`` and ``height``: those of the luminance (at most 512), in pixels. ``encoded``: a larger luminance as a
    JPEG, in which small print can be told apart. It is empty in rows of older versions, in queries, and for pictures
    with too much detail.
    """

    points: npt.NDArray[np.float32]
    descriptors: Pixels
    thumbnail: Pixels
    colours: Pixels
    width: int
    height: int
    encoded: bytes = b""

    def fine_luminance(self) -> Pixels | None:
        """Return the larger luminance, long side 160 to 320, or None if there is none."""
        if not self.encoded:
            return None
        decoded = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        return None if decoded is None else np.asarray(decoded, np.uint8)

    def pack(self) -> bytes:
        """Return the features as bytes, at most 22 KB: 8 + 64 × 64 + 16 × 16 × 3 + 310 × (4 + 32) + 4 + 6000."""
        height, width = self.thumbnail.shape
        coordinates = np.round(self.points * _COORDINATE).clip(0, _COORDINATE).astype("<u2")
        header = _HEADER.pack(self.width, self.height, width, height, len(self.points))
        parts = (self.thumbnail, self.colours, coordinates, self.descriptors)
        packed = header + b"".join(part.tobytes() for part in parts)
        return packed + _FINE_HEADER.pack(_FINE_MARK, len(self.encoded)) + self.encoded if self.encoded else packed


def unpack(data: bytes) -> LocalFeatures:
    """Parse the result of ``LocalFeatures.pack``, of any version. Raises ValueError for anything else."""
    if len(data) < _HEADER.size:
        raise ValueError("these are not packed local features")
    width, height, across, down, count = _HEADER.unpack_from(data)
    sizes = (across * down, COLOURS * COLOURS * 3, 4 * count, _DESCRIPTOR_BYTES * count)
    end = _HEADER.size + sum(sizes)
    encoded = _fine_part(data[end:])
    is_complete = len(data) >= end and encoded is not None
    if not (is_complete and min(width, height, across, down) > 0 and max(across, down) == _THUMBNAIL_SIDE):
        raise ValueError("these are not packed local features")
    thumb, colours, points, descriptors = accumulate(sizes[:-1], initial=_HEADER.size)
    coordinates = np.frombuffer(data, "<u2", 2 * count, points).reshape(-1, 2)
    return LocalFeatures(
        points=coordinates.astype(np.float32) / np.float32(_COORDINATE),
        descriptors=np.frombuffer(data, np.uint8, sizes[3], descriptors).reshape(-1, _DESCRIPTOR_BYTES),
        thumbnail=np.frombuffer(data, np.uint8, sizes[0], thumb).reshape(down, across),
        colours=np.frombuffer(data, np.uint8, sizes[1], colours).reshape(COLOURS, COLOURS, 3),
        width=width,
        height=height,
        encoded=encoded or b"",
    )


def _fine_part(data: bytes) -> bytes | None:
    """Return the fine luminance at the end of packed features, empty in version 1, or None if it is damaged."""
    if not data:
        return b""
    if len(data) <= _FINE_HEADER.size:
        return None
    mark, length = _FINE_HEADER.unpack_from(data)
    part = data[_FINE_HEADER.size :]
    return part if mark == _FINE_MARK and len(part) == length else None


def is_identical(query: LocalFeatures, stored: LocalFeatures) -> bool:
    """Return whether two pictures have the same pixels, as far as local features tell. Works for plain pictures too.

    A query has more points than a stored picture, so its descriptors only need to include the stored ones.
    """
    return (
        (query.width, query.height) == (stored.width, stored.height)
        and np.array_equal(query.thumbnail, stored.thumbnail)
        and np.array_equal(query.colours, stored.colours)
        and {row.tobytes() for row in stored.descriptors} <= {row.tobytes() for row in query.descriptors}
    )


_local = threading.local()


def _detector(threshold: int) -> cv2.ORB:
    """Return this thread's detector for a threshold. Detectors keep buffers, so threads must not share them."""
    detectors: dict[int, cv2.ORB] = _local.__dict__.setdefault("detectors", {})
    if threshold not in detectors:
        detectors[threshold] = cv2.ORB.create(
            nfeatures=_DETECTED, scaleFactor=1.2, nlevels=8, edgeThreshold=_EDGE, patchSize=31, fastThreshold=threshold
        )
    return detectors[threshold]


def extract_local_features(
    pixels: Pixels, gray: Pixels, points: int = STORED_POINTS, *, with_fine: bool = True
) -> LocalFeatures:
    """Return up to ``points`` local features of RGB pixels. ``gray`` is their ``fingerprint.luminance``."""
    height, width = gray.shape
    reduced = resize(gray, MAX_SIDE)
    positions, descriptors = _points(reduced, points)
    return LocalFeatures(
        points=(positions + np.float32(0.5)) / np.float32(max(reduced.shape)),
        descriptors=descriptors,
        thumbnail=resize(reduced, _THUMBNAIL_SIDE),
        colours=resize_to_square(pixels, COLOURS),
        width=width,
        height=height,
        encoded=_encode_fine(gray) if with_fine else b"",
    )


def _encode_fine(gray: Pixels) -> bytes:
    """Return the largest fine luminance that fits, or nothing if none does. Textures don't fit, pages of text do.

    Most photos fit at the middle size, so that comes first. The size of a JPEG grows at least like the side, which
    tells that most larger ones don't fit.
    """
    middle = _FINE_SIDES.index(_FINE_START)
    longest = max(gray.shape)
    larger = [side for side in _FINE_SIDES[middle::-1] if side <= longest]
    best, least = b"", 0.0
    for side in larger or [_FINE_SIDES[-1]]:
        if least * side > _FINE_BYTES:
            break
        encoded = _jpeg_of(resize(gray, side))
        if len(encoded) > _FINE_BYTES:
            break
        best, least = encoded, len(encoded) / side
    for side in _FINE_SIDES[middle + 1 :] if larger and not best else ():
        encoded = _jpeg_of(resize(gray, side))
        if len(encoded) <= _FINE_BYTES:
            return encoded
    return best


def _jpeg_of(gray: Pixels) -> bytes:
    return cv2.imencode(".jpg", gray, (cv2.IMWRITE_JPEG_QUALITY, _FINE_QUALITY))[1].tobytes()


def _points(gray: Pixels, count: int) -> tuple[npt.NDArray[np.float32], Pixels]:
    """Return positions (n × 2, in pixels) and descriptors of up to ``count`` points, spread over the picture."""
    none = np.empty((0, 2), np.float32), np.empty((0, _DESCRIPTOR_BYTES), np.uint8)
    # Such a picture consists of margins only. Also, OpenCV can't scale down a picture of a few lines.
    if min(gray.shape) <= 2 * _EDGE:
        return none
    for threshold in _THRESHOLDS:
        found, descriptors = _detector(threshold).detectAndCompute(gray, None)
        # Compare with STORED_POINTS, not ``count``, so that a query uses the same threshold as a stored picture.
        if len(found) >= STORED_POINTS:
            break
    if descriptors is None:
        return none
    positions = np.asarray(cv2.KeyPoint.convert(found), np.float32).reshape(-1, 2)
    if len(found) > count:
        strength = np.array([point.response for point in found], np.float32)
        chosen = _select_spread(positions, strength, (gray.shape[1], gray.shape[0]), count)
        positions, descriptors = positions[chosen], descriptors[chosen]
    return positions, np.asarray(descriptors, np.uint8)


def resize(gray: Pixels, max_side: int) -> Pixels:
    """Return a luminance scaled to a long side of ``max_side`` pixels."""
    height, width = gray.shape
    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def resize_to_square(pixels: Pixels, side: int) -> Pixels:
    """Return colours scaled to a square, whatever the shape of the picture."""
    # Averaging every few pixels gives nearly the same result as averaging all, and is many times faster.
    step = max(1, min(pixels.shape[:2]) // (4 * side))
    return np.asarray(cv2.resize(pixels[::step, ::step], (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _select_spread(
    positions: npt.NDArray[np.float32], strength: npt.NDArray[np.float32], size: tuple[int, int], count: int
) -> npt.NDArray[np.intp]:
    """Return the indices of ``count`` points: the strongest of each cell of a grid, in turn.

    Without the grid, the sharp corners of a caption would take all places. ``size`` is (width, height).
    """
    column, row = (positions / np.array(size, np.float32) * _CELLS).astype(np.intp).clip(0, _CELLS - 1).T
    # Stable sorts of small integers take linear time, unlike a lexical sort.
    cell = (row * _CELLS + column).astype(np.uint8)
    strongest = np.argsort(-strength, kind="stable")
    order = strongest[np.argsort(cell[strongest], kind="stable")]
    sizes = np.bincount(cell)
    rank_in_cell = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    again = np.argsort(-strength[order], kind="stable")
    return order[again[np.argsort(rank_in_cell[again].astype(np.uint16), kind="stable")[:count]]]

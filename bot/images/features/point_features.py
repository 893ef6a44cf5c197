"""Point features: SIFT points (Lowe 2004) with binary codes, for recognising an item in another photo of it.

ORB points, which ``local_features`` stores, find a copy; they rarely survive another viewpoint. SIFT points do, but
their descriptors take 128 bytes and are slow to compare. A code keeps two bits of each of the 128 values, is compared
by its Hamming distance, and ranks as well as the descriptor (docs/decisions/0026).
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass, replace
from itertools import accumulate

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

MAX_POINTS = 400
SIDE = 240
"""Long side, in pixels, of the picture in which points are detected. SIFT doubles it first."""

_CONTRAST = 0.02
"""SIFT's contrast threshold; its default of 0.04 finds too few points on pale print."""
_LEAST_SIDE = 16
"""Shorter sides have no points: SIFT's smallest patch is as large."""
_CODE_LEVELS = (0.04, 0.1)
"""Levels above which a value of a RootSIFT descriptor (Arandjelović and Zisserman 2012) sets its two bits."""
_CODE_BYTES = 32
_HEADER = struct.Struct("<BHHH")
_VERSION = 1
_COORDINATE = 65535.0
_SCALE_STEPS = 16.0
"""Steps of an octave in which a point's scale is stored."""


@dataclass(frozen=True, slots=True, eq=False)
class PointFeatures:
    """The point features of a picture.

    ``points``: n × 2 (x, y), float32, in units of the long side. ``angles``: radians, float32. ``scales``: the base-2
    logarithms of the points' sizes, float32. ``codes``: n × 32, uint8. ``extent``: the picture's (width, height) in
    units of the long side.
    """

    points: npt.NDArray[np.float32]
    angles: npt.NDArray[np.float32]
    scales: npt.NDArray[np.float32]
    codes: Pixels
    extent: tuple[float, float]

    def pack(self) -> bytes:
        """Return the features as bytes, at most 15.3 KB: 7 + 400 × (4 + 1 + 1 + 32)."""
        width, height = (round(side * _COORDINATE) for side in self.extent)
        coordinates = np.round(self.points * _COORDINATE).clip(0, _COORDINATE).astype("<u2")
        angles = np.round(self.angles / (2 * np.pi) * 256).astype(np.int64) % 256
        scales = np.round(self.scales * _SCALE_STEPS).clip(0, 255)
        parts = (coordinates, angles.astype(np.uint8), scales.astype(np.uint8), self.codes)
        return _HEADER.pack(_VERSION, width, height, len(self.points)) + b"".join(part.tobytes() for part in parts)


def unpack(data: bytes) -> PointFeatures:
    """Parse the result of ``PointFeatures.pack``. Raises ValueError for anything else."""
    if len(data) < _HEADER.size:
        raise ValueError("these are not packed point features")
    version, width, height, count = _HEADER.unpack_from(data)
    sizes = (4 * count, count, count, _CODE_BYTES * count)
    if version != _VERSION or len(data) != _HEADER.size + sum(sizes) or not (width and height):
        raise ValueError("these are not packed point features")
    points, angles, scales, codes = accumulate(sizes[:-1], initial=_HEADER.size)
    coordinates = np.frombuffer(data, "<u2", 2 * count, points).reshape(-1, 2)
    return PointFeatures(
        points=coordinates.astype(np.float32) / np.float32(_COORDINATE),
        angles=np.frombuffer(data, np.uint8, count, angles).astype(np.float32) * np.float32(2 * np.pi / 256),
        scales=np.frombuffer(data, np.uint8, count, scales).astype(np.float32) / np.float32(_SCALE_STEPS),
        codes=np.frombuffer(data, np.uint8, sizes[3], codes).reshape(-1, _CODE_BYTES),
        extent=(width / _COORDINATE, height / _COORDINATE),
    )


def mirrored(features: PointFeatures) -> PointFeatures:
    """Return the features of the picture mirrored left to right, without detecting points again.

    A SIFT descriptor has 4 × 4 histograms of 8 directions. Mirroring turns the order of their rows and the directions.
    """
    order = np.arange(128).reshape(4, 4, 8)[::-1, :, -np.arange(8) % 8].ravel()
    bits = np.unpackbits(features.codes, axis=1)[:, np.concatenate([order + 128 * level for level in range(2)])]
    points = features.points.copy()
    points[:, 0] = features.extent[0] - points[:, 0]
    angles = (np.pi - features.angles) % (2 * np.pi)
    return replace(features, points=points, angles=angles.astype(np.float32), codes=np.packbits(bits, axis=1))


_local = threading.local()


def _detector() -> cv2.SIFT:
    """Return this thread's detector. Detectors keep buffers, so threads must not share them."""
    detector: cv2.SIFT | None = getattr(_local, "detector", None)
    if detector is None:
        detector = _local.detector = cv2.SIFT.create(nfeatures=MAX_POINTS, contrastThreshold=_CONTRAST)
    return detector


def extract_point_features(gray: Pixels) -> PointFeatures:
    """Return up to MAX_POINTS point features of a luminance (``fingerprint.luminance``)."""
    height, width = gray.shape
    return detect(reduced(gray), (width / max(height, width), height / max(height, width)))


def reduced(gray: Pixels) -> Pixels:
    """Return a luminance at the size at which points are detected."""
    height, width = gray.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def detect(picture: Pixels, extent: tuple[float, float]) -> PointFeatures:
    """Return the point features of a result of ``reduced``. ``extent`` is that of the picture before."""
    if min(picture.shape) < _LEAST_SIDE:
        return none(extent)
    found, descriptors = _detector().detectAndCompute(picture, None)
    rows = [(*point.pt, point.angle, point.size, point.response) for point in found]
    table = np.array(rows, np.float32).reshape(-1, 5)
    # OpenCV keeps all points that are as strong as the last one.
    strongest = np.argsort(-table[:, 4], kind="stable")[:MAX_POINTS]
    described = np.empty((0, 128), np.float32) if descriptors is None else np.asarray(descriptors, np.float32)
    return _features(table[strongest], described[strongest], extent)


def none(extent: tuple[float, float]) -> PointFeatures:
    """Return the features of a picture without points."""
    return _features(np.empty((0, 5), np.float32), np.empty((0, 128), np.float32), extent)


def _features(
    table: npt.NDArray[np.float32], descriptors: npt.NDArray[np.float32], extent: tuple[float, float]
) -> PointFeatures:
    return PointFeatures(
        points=(table[:, :2] + np.float32(0.5)) / np.float32(SIDE),
        angles=np.deg2rad(table[:, 2]).astype(np.float32),
        # A point's size is at least 1 pixel of the doubled picture.
        scales=np.log2(np.maximum(table[:, 3], 1)).astype(np.float32),
        codes=_codes(descriptors),
        extent=extent,
    )


def _codes(descriptors: npt.NDArray[np.float32]) -> Pixels:
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    return np.packbits(np.concatenate([root > level for level in _CODE_LEVELS], axis=1), axis=1)

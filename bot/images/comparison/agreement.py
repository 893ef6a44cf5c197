"""How well the pixels of two pictures agree under a transform, and a finer transform found from the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from bot.images.features import fingerprint, point_features
from bot.images.features.comparison.structure import Mask, Windows, compare_structure, inner_part
from bot.images.features.geometry import Values
from bot.images.features.local_features import LocalFeatures, Pixels, extract_local_features, resize
from bot.images.features.point_features import PointFeatures
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix, to_pixels, warp_luminance

SIDE = 192
"""Long side, in pixels, at which pixels are compared."""

MIN_CORRELATION = 0.5
"""Least correlation of two whole pictures that are worth a closer look."""

_FINE_SIDE = 320
"""The same for the finer transform."""
_WINDOWS = Windows(side=9, detail=8.0, noise=30.0, correlation=0.5)
_RIM = 3
_LEAST_DETAIL = 60
"""Least number of pixels with detail. Fewer say nothing."""
_LEAST_AGREEING = 0.55
"""Least share of the detail that agrees between a picture and its copy, captions and stickers included."""
_CERTAIN = 0.95
_REFINED_BY = 8.0
"""Greatest movement of a corner, in pixels, by which the pixels may improve a transform."""
_LAST_ROW = (0.0, 0.0, 1.0)
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-5)


@dataclass(frozen=True, slots=True)
class PixelAgreement:
    """Pixels with detail that agree, and those that don't."""

    agreeing: int = 0
    differing: int = 0

    @property
    def excess(self) -> int:
        """How many more agree than differ. The right transform has most."""
        return self.agreeing - self.differing

    @property
    def is_copy(self) -> bool:
        """Whether both show the same picture."""
        return self._agrees(_LEAST_AGREEING)

    @property
    def is_certain(self) -> bool:
        """Whether no other transform is worth a try."""
        return self._agrees(_CERTAIN)

    def _agrees(self, share: float) -> bool:
        detail = self.agreeing + self.differing
        return detail >= _LEAST_DETAIL and self.agreeing >= share * detail


class Reference:
    """The stored picture: its features and luminances, computed on first use."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.gray = fingerprint.luminance(pixels)

    @cached_property
    def features(self) -> LocalFeatures:
        """Its local features."""
        return extract_local_features(self.pixels, self.gray, with_fine=False)

    @cached_property
    def points(self) -> PointFeatures:
        """Its point features."""
        return point_features.extract_point_features(self.gray)

    @cached_property
    def luminance(self) -> Pixels:
        """Its luminance with a long side of SIDE."""
        return resize(self.gray, SIDE)

    @cached_property
    def fine_luminance(self) -> Pixels:
        """Its luminance for the finer transform."""
        return resize(self.gray, _FINE_SIDE)


def measure(view: QueryView, reference: Reference, matrix: Matrix) -> PixelAgreement:
    """Return how far the details agree. ``matrix`` maps the view to the stored picture, in units of the long sides."""
    stored = reference.luminance
    warped, visible = warp_luminance(view, matrix, (stored.shape[1], stored.shape[0]))
    inner = inner_part(visible, _RIM)
    if not inner.any():
        return PixelAgreement()
    ours, theirs = _with_contrast(warped, stored, inner)
    found = compare_structure(ours, theirs, inner, _WINDOWS)
    differing = int(found.unlike.sum())
    return PixelAgreement(int(found.detailed.sum()) - differing, differing)


def refined(view: QueryView, reference: Reference, matrix: Matrix) -> Matrix | None:
    """Return a transform that the pixels show (ECC, Evangelidis and Psarakis 2008); None if it isn't near the first."""
    fine = reference.fine_luminance
    height, width = fine.shape
    warped, visible = warp_luminance(view, matrix, (width, height))
    # A homography fits plain pictures in wrong ways, so it stays with those that need one.
    motion, rows = (cv2.MOTION_AFFINE, 2) if is_affine(matrix) else (cv2.MOTION_HOMOGRAPHY, 3)
    start = np.eye(rows, 3, dtype=np.float32)
    try:
        _, found = cv2.findTransformECC(fine, warped, start, motion, _STEPS, visible.astype(np.uint8), 5)
    except cv2.error:  # it doesn't converge, for instance on a flat overlap
        return None
    if rows < len(_LAST_ROW):
        found = np.vstack((found, _LAST_ROW))
    corners = np.array((((0, 0), (width, 0), (width, height), (0, height)),), np.float32)
    moved = cv2.perspectiveTransform(corners, np.asarray(found, np.float64))
    if not np.abs(moved - corners).max() < _REFINED_BY:
        return None
    long_side = max(width, height)
    units = to_pixels(width / long_side, height / long_side, width, height)
    finer = np.linalg.inv(units) @ np.linalg.inv(np.asarray(found, np.float64)) @ units @ matrix
    return np.asarray(finer / finer[2, 2], np.float64)


def is_affine(matrix: Matrix) -> bool:
    """Return whether a 3 × 3 matrix keeps parallels parallel."""
    return bool(np.allclose(matrix[2] / matrix[2, 2], _LAST_ROW, atol=1e-9))


def _with_contrast(query: Pixels, stored: Pixels, inner: Mask) -> tuple[Values, Values]:
    """Return both with the same contrast. Windows are compared without their means, so brightness needs no fit."""
    ours, theirs = query.astype(np.float32), stored.astype(np.float32)
    gain = float(theirs[inner].std()) / max(float(ours[inner].std()), 1.0)
    return np.asarray(ours * np.float32(gain), np.float32), theirs

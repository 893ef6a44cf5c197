"""Local structure of two aligned luminances: where they have detail, and where their details differ."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.geometry import Values
from bot.images.features.local_features import Pixels

Mask = npt.NDArray[np.bool_]

_CLOSED = 5
"""Spots up to this size, in pixels, inside of what differs count as different."""


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Masks of the pixels with detail around them in the query, in the stored picture, and of those that differ."""

    query_detail: Mask
    stored_detail: Mask
    unlike: Mask

    @property
    def detailed(self) -> Mask:
        """The pixels with detail around them in either picture."""
        return self.query_detail | self.stored_detail


@dataclass(frozen=True, slots=True)
class Windows:
    """How windows of two luminances are compared.

    ``side``: in pixels. There is detail where the standard deviation exceeds ``detail``. Details differ where they
    correlate by less than ``correlation``, with a variance of ``noise`` allowed for.
    """

    side: int
    detail: float
    noise: float
    correlation: float


def compare_structure(query: Values, stored: Values, inner: Mask, windows: Windows) -> Structure:
    """Compare the windows of two luminances inside ``inner``."""
    side, noise = windows.side, windows.noise
    weight = inner.astype(np.float32)
    count = np.maximum(_blurred(weight, side), 1e-6)

    def mean(values: Values) -> Values:
        return np.asarray(_blurred(values * weight, side) / count, np.float32)

    query_mean, stored_mean = mean(query), mean(stored)
    query_variance = np.maximum(mean(query * query) - query_mean**2, 0)
    stored_variance = np.maximum(mean(stored * stored) - stored_mean**2, 0)
    covariance = mean(query * stored) - query_mean * stored_mean
    ours, theirs = inner & (query_variance > windows.detail**2), inner & (stored_variance > windows.detail**2)
    unlike = covariance < windows.correlation * np.sqrt((query_variance + noise) * (stored_variance + noise))
    return Structure(ours, theirs, (ours | theirs) & unlike)


def inner_part(visible: Mask, rim: int) -> Mask:
    """Return the mask of an overlap without its outermost ``rim`` pixels."""
    eroded = cv2.erode(
        visible.astype(np.uint8),
        np.ones((3, 3), np.uint8),
        iterations=rim,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(eroded.astype(bool))


def _blurred(values: Values, window: int) -> Values:
    return np.asarray(cv2.blur(values, (window, window), borderType=cv2.BORDER_CONSTANT), np.float32)


def largest_square(different: Mask) -> float:
    """Return the side, in pixels, of the largest square that differs. Small plain spots inside count as different."""
    closed: Pixels = np.asarray(
        cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((_CLOSED, _CLOSED), np.uint8)), np.uint8
    )
    bordered = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return max(0.0, 2 * float(cv2.distanceTransform(bordered, cv2.DIST_C, 3).max()) - 1)

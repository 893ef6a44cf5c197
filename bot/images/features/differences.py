"""Measures what differs between two aligned pictures, so that pages with the same layout don't count as copies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.geometry import Matrix, Values, match_exposure, warped_luminance
from bot.images.features.local_features import LocalFeatures, Pixels, QueryView

Mask = npt.NDArray[np.bool_]

_PATCH = 5
"""Side of a patch, in pixels of the thumbnail."""

_STRUCTURE = 7
"""Side of the window of local statistics, in pixels of the thumbnail."""

_DETAIL, _NOISE, _MIN_CORRELATION = 6.0, 4.0, 0.5
"""Least local standard deviation of detail (of 255), variance of noise, and least local correlation of equal detail."""

_RIM = 2
"""Pixels of the overlap's edge that are ignored."""

_ONE_TONE = 5
"""Neighbouring luminance values that count as one tone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two aligned pictures differ in their overlap, without its rim, where a frame may show through.

    ``largest``: side of the largest square in which they differ, as a share of the overlap's short side. ``share``: the
    share of pixels with detail that differ. ``worst``: the greatest difference of a patch, in standard deviations of
    the stored picture's luminance.
    """

    largest: float
    share: float
    worst: float


NOTHING_IN_COMMON = Difference(1.0, 1.0, float("inf"))


def plain_share(stored: LocalFeatures) -> float:
    """Return the share of the picture that has one tone.

    It is at most 0.25 in photographs of scenes, and most of the picture in pages and logos.
    """
    counts = np.bincount(stored.thumbnail.ravel(), minlength=256)
    return float(np.convolve(counts, np.ones(_ONE_TONE), "same").max() / stored.thumbnail.size)


def measure(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> Difference:
    """Return how the query, warped by ``matrix`` (2 × 3, see ``Alignment``), differs from the stored picture."""
    warped, visible = warped_luminance(query, stored, matrix)
    overlap = np.argwhere(visible)
    inner = cv2.erode(
        visible.astype(np.uint8),
        np.ones((3, 3), np.uint8),
        iterations=_RIM,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    ).astype(bool)
    if not inner.any():
        return NOTHING_IN_COMMON
    detailed, unlike = _structure(warped.astype(np.float32), stored.thumbnail.astype(np.float32), inner)
    return Difference(
        largest=_largest_square(unlike) / (int(np.ptp(overlap, axis=0).min()) + 1),
        share=float(unlike.sum()) / max(int(detailed.sum()), 1),
        worst=_worst_patch(warped, stored.thumbnail, visible, inner),
    )


def _structure(query: Values, stored: Values, inner: Mask) -> tuple[Mask, Mask]:
    """Return two masks: pixels with detail around them in either picture, and those whose detail differs."""
    weight = inner.astype(np.float32)
    count = np.maximum(_blurred(weight), 1e-6)

    def mean(values: Values) -> Values:
        return np.asarray(_blurred(values * weight) / count, np.float32)

    query_mean, stored_mean = mean(query), mean(stored)
    query_variance = np.maximum(mean(query * query) - query_mean**2, 0)
    stored_variance = np.maximum(mean(stored * stored) - stored_mean**2, 0)
    covariance = mean(query * stored) - query_mean * stored_mean
    detailed = inner & (np.maximum(query_variance, stored_variance) > _DETAIL**2)
    unlike = covariance < _MIN_CORRELATION * np.sqrt((query_variance + _NOISE) * (stored_variance + _NOISE))
    return detailed, detailed & unlike


def _blurred(values: Values) -> Values:
    return np.asarray(cv2.blur(values, (_STRUCTURE, _STRUCTURE), borderType=cv2.BORDER_CONSTANT), np.float32)


def _largest_square(different: Mask) -> float:
    """Return the side, in pixels, of the largest square that differs. Small plain spots inside count as different."""
    closed: Pixels = np.asarray(
        cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((_PATCH, _PATCH), np.uint8)), np.uint8
    )
    bordered = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return max(0.0, 2 * float(cv2.distanceTransform(bordered, cv2.DIST_C, 3).max()) - 1)


def _worst_patch(warped: Pixels, thumbnail: Pixels, visible: Mask, inner: Mask) -> float:
    query, stored = warped[visible].astype(np.float32), thumbnail[visible].astype(np.float32)
    difference = np.zeros(visible.shape, np.float32)
    difference[visible] = np.abs(match_exposure(query, stored) - stored)
    weights = cv2.blur(visible.astype(np.float32), (_PATCH, _PATCH))
    patches = cv2.blur(difference, (_PATCH, _PATCH))[inner] / weights[inner]
    return float(patches.max()) / max(float(stored.std()), 1e-3)

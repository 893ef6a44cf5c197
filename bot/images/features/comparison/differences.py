"""Measures what differs between two aligned pictures, so that pages with the same layout don't count as copies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bot.images.features.comparison.structure import Mask, Windows, compare_structure, inner_part, largest_square
from bot.images.features.geometry import match_exposure
from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix, warped_luminance

_PATCH = 5
"""Side of a patch, in pixels of the thumbnail."""

_WINDOWS = Windows(side=7, detail=6.0, noise=4.0, correlation=0.5)

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
    """Return how the query, warped by ``matrix`` (see ``Alignment``), differs from the stored picture."""
    warped, visible = warped_luminance(query, stored, matrix)
    overlap = np.argwhere(visible)
    inner = inner_part(visible, _RIM)
    if not inner.any():
        return NOTHING_IN_COMMON
    found = compare_structure(warped.astype(np.float32), stored.thumbnail.astype(np.float32), inner, _WINDOWS)
    return Difference(
        largest=largest_square(found.unlike) / (int(np.ptp(overlap, axis=0).min()) + 1),
        share=float(found.unlike.sum()) / max(int(found.detailed.sum()), 1),
        worst=_worst_patch(warped, stored.thumbnail, visible, inner),
    )


def _worst_patch(warped: Pixels, thumbnail: Pixels, visible: Mask, inner: Mask) -> float:
    query, stored = warped[visible].astype(np.float32), thumbnail[visible].astype(np.float32)
    difference = np.zeros(visible.shape, np.float32)
    difference[visible] = np.abs(match_exposure(query, stored) - stored)
    weights = cv2.blur(visible.astype(np.float32), (_PATCH, _PATCH))
    patches = cv2.blur(difference, (_PATCH, _PATCH))[inner] / weights[inner]
    return float(patches.max()) / max(float(stored.std()), 1e-3)

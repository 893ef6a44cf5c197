"""What stays different when one picture lies on another: one page with other words on it is no copy of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bot.images.features.geometry import Matrix, Values, match_exposure, warped_luminance
from bot.images.features.local_features import LocalFeatures, Pixels, QueryView

Mask = npt.NDArray[np.bool_]

_PATCH = 5
_STRUCTURE = 7
_DETAIL, _NOISE, _RESEMBLES = 6.0, 4.0, 0.5
_RIM = 2
_ONE_TONE = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """``largest``: side of the largest square in which the two differ, as a share of their overlap's short side.

    ``share``: how much of what has detail differs. ``worst``: the greatest difference of a patch, in standard
    deviations of the stored picture's luminance. The rim, where a frame shines through, is left out.
    """

    largest: float
    share: float
    worst: float


NOTHING_IN_COMMON = Difference(1.0, 1.0, float("inf"))


def plain_share(stored: LocalFeatures) -> float:
    """Share of the picture that has one tone: 0.25 at most in photographs of scenes, most of a page or a logo."""
    counts = np.bincount(stored.thumbnail.ravel(), minlength=256)
    return float(np.convolve(counts, np.ones(_ONE_TONE), "same").max() / stored.thumbnail.size)


def measure(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> Difference:
    """How the two disagree where the query, laid by ``matrix``, overlaps the stored picture."""
    laid, seen = warped_luminance(query, stored, matrix)
    overlap = np.argwhere(seen)
    inner = cv2.erode(
        seen.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_RIM, borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(bool)
    if not inner.any():
        return NOTHING_IN_COMMON
    detailed, unlike = _structure(laid.astype(np.float32), stored.thumbnail.astype(np.float32), inner)
    return Difference(
        largest=_largest_square(unlike) / (int(np.ptp(overlap, axis=0).min()) + 1),
        share=float(unlike.sum()) / max(int(detailed.sum()), 1),
        worst=_worst_patch(laid, stored.thumbnail, seen, inner),
    )


def _structure(shown: Values, stored: Values, inner: Mask) -> tuple[Mask, Mask]:
    """Where there is detail around a pixel, in either; and where the one's doesn't resemble the other's."""
    weight = inner.astype(np.float32)
    count = np.maximum(_blurred(weight), 1e-6)

    def mean(values: Values) -> Values:
        return np.asarray(_blurred(values * weight) / count, np.float32)

    mean_shown, mean_kept = mean(shown), mean(stored)
    variance_shown = np.maximum(mean(shown * shown) - mean_shown**2, 0)
    variance_kept = np.maximum(mean(stored * stored) - mean_kept**2, 0)
    covariance = mean(shown * stored) - mean_shown * mean_kept
    detailed = inner & (np.maximum(variance_shown, variance_kept) > _DETAIL**2)
    unlike = covariance < _RESEMBLES * np.sqrt((variance_shown + _NOISE) * (variance_kept + _NOISE))
    return detailed, detailed & unlike


def _blurred(values: Values) -> Values:
    return np.asarray(cv2.blur(values, (_STRUCTURE, _STRUCTURE), borderType=cv2.BORDER_CONSTANT), np.float32)


def _largest_square(different: Mask) -> float:
    """Side, in pixels; plain spots amid what differs say nothing, and belong to it."""
    closed: Pixels = np.asarray(
        cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((_PATCH, _PATCH), np.uint8)), np.uint8
    )
    bordered = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return max(0.0, 2 * float(cv2.distanceTransform(bordered, cv2.DIST_C, 3).max()) - 1)


def _worst_patch(laid: Pixels, thumb: Pixels, seen: Mask, inner: Mask) -> float:
    shown, kept = laid[seen].astype(np.float32), thumb[seen].astype(np.float32)
    difference = np.zeros(seen.shape, np.float32)
    difference[seen] = np.abs(match_exposure(shown, kept) - kept)
    patches = cv2.blur(difference, (_PATCH, _PATCH))[inner] / cv2.blur(seen.astype(np.float32), (_PATCH, _PATCH))[inner]
    return float(patches.max()) / max(float(kept.std()), 1e-3)

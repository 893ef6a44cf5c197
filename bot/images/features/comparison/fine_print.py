"""Compares aligned pictures at a size at which small print can be told apart.

Forms, tickets and labels of one template differ in words that a thumbnail of 64 pixels misses. Here the query is
aligned again with the stored picture's fine luminance and brought to the same sharpness and exposure. The places where
the details differ are described one by one: a word that was replaced differs from a sticker that was added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bot.images.features import geometry
from bot.images.features.comparison.fine_overlap import LatestComparison, fine_overlap
from bot.images.features.comparison.structure import Mask, Structure, Windows, compare_structure, largest_square
from bot.images.features.geometry import Values
from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix

_RIM = 4
"""Pixels of the overlap's edge that are ignored."""
_BLURS = (0.7, 1.2, 2.0)
"""Standard deviations by which the sharper picture is blurred, in pixels. The best counts."""
_REFINED_BY = 6.0
"""Greatest movement of a corner, in pixels, by which the second alignment may improve the first."""
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 1e-4)
_GREAT = 40.0
"""Difference of luminances, of 255, from which all differences count alike."""
_WINDOWS = Windows(side=9, detail=10.0, noise=30.0, correlation=0.5)
"""A window is as large as a letter of small print."""
_TONE = 6
"""Difference of luminance within which pixels have one tone."""
_PATCH = 20
"""Side of a patch, in pixels: as much of the picture as a patch of the thumbnail."""
_MIN_SIDE = 5
"""Least side of a square that differs, in pixels. Recompression and resizing change smaller ones."""


@dataclass(frozen=True, slots=True)
class Change:
    """A connected place where the details of two aligned pictures differ.

    ``side``: of the largest square inside, in pixels of the fine luminance. ``area``: share of the overlap.
    ``stored_detail`` and ``query_detail``: the shares of it that have detail in the one and the other picture.
    ``ground``: the difference of the median luminances, and ``contrast`` the range of the stored one (5th to 95th
    percentile); ``ground`` is in units of ``contrast``. ``flatness``: the share of pixels that have the ground's tone,
    in the picture in which it is less. It is high for print, and low where a sticker covers a photographed thing.
    """

    side: float
    area: float
    stored_detail: float
    query_detail: float
    ground: float
    contrast: float
    flatness: float


@dataclass(frozen=True, slots=True, eq=False)
class FineComparison:
    """All changes, largest first.

    ``unlike``: the share of what has detail that differs. ``worst``: the greatest difference of a patch outside of the
    changes, in standard deviations of the stored luminance.
    """

    changes: tuple[Change, ...]
    unlike: float
    worst: float


def compare(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> FineComparison | None:
    """Compare the query, warped by ``matrix`` (see ``Alignment``), with the stored picture's fine luminance.

    Returns None if there is none, or if the overlap is too small. Each query's latest comparison is kept.
    """
    return _latest.of(query, stored, matrix)


def _compare(query: QueryView, stored: LocalFeatures, matrix: Matrix) -> FineComparison | None:
    overlap = fine_overlap(query, stored, matrix, _RIM)
    if overlap is None:
        return None
    fine, inner = overlap.fine, overlap.inner
    ours, theirs = _equalised(_refined(overlap.warped, fine, overlap.visible), fine.astype(np.float32), inner)
    found = compare_structure(ours, theirs, inner, _WINDOWS)
    changes, mask = [], np.zeros(fine.shape, bool)
    for place in _places(found.unlike):
        change = _describe(place, found, ours, theirs, inner)
        if change.side >= _MIN_SIDE:
            changes.append(change)
            mask |= place
    unlike = float(found.unlike.sum()) / max(int(found.detailed.sum()), 1)
    worst = _worst_patch(ours, theirs, inner, mask)
    return FineComparison(tuple(sorted(changes, key=lambda one: -one.area)), unlike, worst)


_latest = LatestComparison(_compare)


def _worst_patch(query: Values, stored: Values, inner: Mask, ignored: Mask) -> float:
    compared = inner & ~cv2.dilate(ignored.astype(np.uint8), np.ones((_WINDOWS.side, _WINDOWS.side), np.uint8)).astype(
        bool
    )
    if not compared.any():
        return float("inf")
    weights = cv2.blur(compared.astype(np.float32), (_PATCH, _PATCH))
    patches = cv2.blur(np.where(compared, np.abs(query - stored), np.float32(0)), (_PATCH, _PATCH))
    solid = compared & (weights > 0.5)  # noqa: PLR2004 - half of the patch
    spread = max(float(stored[inner].std()), 1e-3)
    return float((patches[solid] / weights[solid]).max(initial=0.0)) / spread


def _refined(warped: Pixels, fine: Pixels, visible: Mask) -> Values:
    """Return the warped query after a second alignment by its pixels (ECC, Evangelidis and Psarakis 2008)."""
    height, width = fine.shape
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, found = cv2.findTransformECC(fine, warped, start, cv2.MOTION_AFFINE, _STEPS, visible.astype(np.uint8), 5)
    except cv2.error:  # it doesn't converge, for instance on a flat overlap
        return warped.astype(np.float32)
    corners = np.array(((0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)), np.float32)
    if not np.abs(corners @ found.T - corners[:, :2]).max() < _REFINED_BY:
        return warped.astype(np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        warped.astype(np.float32), found, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def _equalised(query: Values, stored: Values, inner: Mask) -> tuple[Values, Values]:
    """Return both with the query's exposure fitted and the sharper one blurred until they agree best."""
    exposed = stored.copy()
    exposed[inner] = geometry.match_exposure(query[inner], stored[inner])
    pairs = [(exposed, stored)]
    for blur in _BLURS:
        pairs.append((exposed, np.asarray(cv2.GaussianBlur(stored, (0, 0), blur), np.float32)))
        pairs.append((np.asarray(cv2.GaussianBlur(exposed, (0, 0), blur), np.float32), stored))
    # Great differences count alike, so that a sticker doesn't decide.
    return min(pairs, key=lambda pair: float(np.minimum(np.abs(pair[0] - pair[1])[inner], _GREAT).sum()))


def _places(unlike: Mask) -> Iterator[Mask]:
    closed = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    for number in range(1, count):
        if statistics[number, cv2.CC_STAT_AREA] >= _MIN_SIDE * _MIN_SIDE:
            yield (labels == number) & unlike


def _describe(place: Mask, found: Structure, query: Values, stored: Values, inner: Mask) -> Change:
    around = cv2.dilate(place.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & inner
    ours = float(np.median(query[around]))
    low, theirs, high = (float(value) for value in np.percentile(stored[around], (5, 50, 95)))
    return Change(
        side=largest_square(place),
        area=float(place.sum() / inner.sum()),
        stored_detail=float(found.stored_detail[place].mean()),
        query_detail=float(found.query_detail[place].mean()),
        ground=abs(ours - theirs) / max(high - low, 1.0),
        contrast=high - low,
        flatness=min(_flatness(query[around]), _flatness(stored[around])),
    )


def _flatness(values: Values) -> float:
    counts = np.bincount(values.clip(0, 255).astype(np.intp), minlength=256)
    return float(np.convolve(counts, np.ones(2 * _TONE + 1), "same").max() / max(len(values), 1))


def mean_stored_detail(changes: Sequence[Change]) -> float:
    """Return the mean share of detail in the stored picture, weighted by area."""
    return sum(one.stored_detail * one.area for one in changes) / max(sum(one.area for one in changes), 1e-9)

"""What comparisons with the fine luminance share: the overlap of two aligned pictures, and the latest result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from bot.images.features.comparison.structure import Mask, inner_part
from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix, warp_luminance

_MIN_OVERLAP = 400
"""Least overlap, in pixels of the fine luminance."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FineOverlap:
    """A stored picture's fine luminance, and the query ``warped`` to it.

    ``visible``: where the query covers the stored picture. ``inner``: the same without its edge.
    """

    fine: Pixels
    warped: Pixels
    visible: Mask
    inner: Mask


def fine_overlap(query: QueryView, stored: LocalFeatures, matrix: Matrix, rim: int) -> FineOverlap | None:
    """Warp the query by ``matrix`` (see ``Alignment``). ``rim``: pixels of the overlap's edge that are left out.

    Returns None if the stored picture has no fine luminance, or if the overlap is too small.
    """
    fine = stored.fine_luminance()
    if fine is None:
        return None
    warped, visible = warp_luminance(query, matrix, (fine.shape[1], fine.shape[0]))
    inner = inner_part(visible, rim)
    return None if int(inner.sum()) < _MIN_OVERLAP else FineOverlap(fine, warped, visible, inner)


@dataclass(frozen=True, slots=True, eq=False)
class _Compared(Generic[T]):
    stored: LocalFeatures
    matrix: Matrix
    result: T


class LatestComparison(Generic[T]):
    """Keeps each query's latest result: a copy is proved and then described by the same comparison."""

    def __init__(self, compare: Callable[[QueryView, LocalFeatures, Matrix], T]) -> None:
        self._compare = compare
        self._latest: WeakKeyDictionary[QueryView, _Compared[T]] = WeakKeyDictionary()

    def of(self, query: QueryView, stored: LocalFeatures, matrix: Matrix) -> T:
        """Return the result for these very objects, computed unless it is the query's latest one."""
        known = self._latest.get(query)
        if known is None or known.stored is not stored or known.matrix is not matrix:
            known = self._latest[query] = _Compared(stored, matrix, self._compare(query, stored, matrix))
        return known.result

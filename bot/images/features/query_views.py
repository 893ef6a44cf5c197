"""Views and regions of a query picture. What they have is computed on first use, since most alignments need little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import cached_property

import numpy as np

from bot.domain.matches import PictureRegion
from bot.images.features.local_features import Pixels, extract_local_features, resize, resize_to_square
from bot.images.features.point_features import PointFeatures, extract_point_features

QUERY_POINTS = 500

_LEVELS = (64, 128, 256)
"""Long sides of a query's luminance pyramid."""
_COLOUR_LEVELS = (16, 32, 64)
"""Sides of a query's colour pyramid."""


class QueryView:
    """One view of a query picture: its local features, and its luminance and colours at several sizes."""

    def __init__(self, pixels: Pixels, gray: Pixels) -> None:
        self.pixels = pixels
        self.gray = gray
        self.features = extract_local_features(pixels, gray, QUERY_POINTS, with_fine=False)

    @cached_property
    def levels(self) -> tuple[Pixels, ...]:
        """The luminance at several sizes, computed on first use, as are the colours: most views align with nothing."""
        return tuple(resize(self.gray, side) for side in _LEVELS)

    @cached_property
    def colours(self) -> tuple[Pixels, ...]:
        """The colours at several sizes."""
        return tuple(resize_to_square(self.pixels, side) for side in _COLOUR_LEVELS)

    @cached_property
    def mirrored(self) -> QueryView:
        """The view mirrored left to right. Computed on first use, because most queries don't need it."""
        return QueryView(np.ascontiguousarray(self.pixels[:, ::-1]), np.ascontiguousarray(self.gray[:, ::-1]))

    @cached_property
    def inverted(self) -> QueryView:
        """The view's negative, computed on first use."""
        return QueryView(np.asarray(255 - self.pixels, np.uint8), np.asarray(255 - self.gray, np.uint8))


class QueryRegion:
    """A region of a query picture, the whole or a part of it, that is aligned with stored pictures.

    ``rows`` are the rows of its fingerprints in ``QueryFeatures.fingerprints``, in the order of
    ``fingerprint.orientations``. ``share`` is the region's share of the whole query's area. ``inverted_rows`` has the
    row of its negative's fingerprint, if there is one. ``part`` is what people are told about where it is, or None.
    ``pool`` has threads for ``start_points``; without one, nothing is computed early.
    """

    def __init__(
        self,
        pixels: Pixels,
        gray: Pixels,
        rows: range,
        share: float = 1.0,
        *,
        inverted_rows: range = range(0),
        part: PictureRegion | None = None,
        pool: Executor | None = None,
    ) -> None:
        self.rows = rows
        self.inverted_rows = inverted_rows
        self.share = share
        self.part = part
        self._pixels = pixels
        self._gray = gray
        self._pool = pool
        self._early_points: Future[PointFeatures] | None = None

    @cached_property
    def view(self) -> QueryView:
        """The region's view, computed on first use."""
        return QueryView(self._pixels, self._gray)

    def start_points(self) -> None:
        """Begin to compute the point features in ``pool``, while the caller still verifies candidates."""
        if self._pool is not None and self._early_points is None:
            with suppress(RuntimeError):  # the pool is closed: they are computed on first use
                self._early_points = self._pool.submit(extract_point_features, self._gray)

    def in_parallel(self, work: Callable[[bytes], bytes], items: Sequence[bytes]) -> list[bytes]:
        """Return the result of ``work`` for each item, computed in ``pool``. Blocks, so call it outside the pool."""
        if self._pool is not None and len(items) > 1:
            with suppress(RuntimeError):  # the pool is closed
                return list(self._pool.map(work, items))
        return [work(item) for item in items]

    def cancel_points(self) -> None:
        """Give up what ``start_points`` began, unless a thread works on it already."""
        if self._early_points is not None:
            self._early_points.cancel()

    @cached_property
    def points(self) -> PointFeatures:
        """The region's point features, computed on first use: only queries without a copy need them."""
        early = self._early_points
        # If no thread was free yet, computing them here is faster than to wait for one.
        return extract_point_features(self._gray) if early is None or early.cancel() else early.result()

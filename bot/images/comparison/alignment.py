"""Lays an asked picture over a stored one, by the means with which search proves copies and items.

Search keeps no transform with its results, and back ends store features in different ways or none. So the transform is
found again from the pictures themselves, which also have more detail than what is stored for a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from bot.domain.comparison import ComparisonKind
from bot.images.comparison import agreement, plain_grounds
from bot.images.comparison.agreement import PixelAgreement, Reference
from bot.images.features import fingerprint, geometry, homography, point_features
from bot.images.features.local_features import Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.regions.content_box import content_box
from bot.images.features.regions.region_proposals import region_proposals
from bot.images.features.warping import Matrix, homogeneous, is_homography, is_view

MAX_REGIONS = 6
"""Parts of the asked picture that are tried if the whole shows nothing. Each takes about 60 ms."""

_OBLIQUE = 0.97
"""Share to which a homography's agreement counts, since it has two more degrees of freedom."""

_SAME_CONTRAST = 1.6
"""Greatest quotient of the contrasts of a picture and its negative."""

ITEM_INLIERS = 8
"""Least number of agreeing points of two photos of one thing. The search has already found them to show the same."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureAlignment:
    """A transform from the asked to the stored picture, mirroring included.

    ``matrix``: 3 × 3, in units of each picture's long side. ``inverted``: the negative of the asked picture agrees.
    """

    matrix: Matrix
    kind: ComparisonKind
    inverted: bool = False

    @property
    def inverse(self) -> Matrix:
        """The transform from the stored to the asked picture."""
        return np.asarray(np.linalg.inv(self.matrix), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A transform of a view of the asked picture, and of the whole asked picture."""

    view: QueryView
    matrix: Matrix
    mirrored: bool = False
    inverted: bool = False

    @property
    def whole(self) -> Matrix:
        """The transform with its mirroring."""
        return self.matrix @ _mirroring(self.view) if self.mirrored else self.matrix


def find_alignment(asked: Pixels, stored: Pixels) -> PictureAlignment | None:
    """Return how RGB pixels lie over stored ones, or None if neither pixels nor points agree. Pure CPU work."""
    reference = Reference(stored)
    weak: PictureAlignment | None = None
    for number, (left, top, right, bottom) in enumerate(_boxes(asked)):
        region = np.ascontiguousarray(asked[top:bottom, left:right])
        found = _align(region, reference, is_part=number > 0)
        if found is not None:
            placed = _of_whole(found, asked.shape, (left, top, right, bottom))
            if found.kind is ComparisonKind.COPY:
                return placed
            weak = weak or placed
    return weak


def _boxes(asked: Pixels) -> Iterator[tuple[int, int, int, int]]:
    """Yield the whole picture, then what looks like a picture in it, which is computed only if it is needed."""
    height, width = asked.shape[:2]
    yield 0, 0, width, height
    content = content_box(asked)
    boxes = [] if content is None else [content]
    yield from [*boxes, *region_proposals(asked, boxes)][:MAX_REGIONS]


def _of_whole(found: PictureAlignment, shape: tuple[int, ...], box: tuple[int, int, int, int]) -> PictureAlignment:
    left, top, right, bottom = box
    whole, part = max(shape[:2]), max(right - left, bottom - top)
    to_part = np.array(((whole / part, 0, -left / part), (0, whole / part, -top / part), (0, 0, 1)), np.float64)
    return PictureAlignment(found.matrix @ to_part, found.kind, found.inverted)


def _align(pixels: Pixels, reference: Reference, *, is_part: bool) -> PictureAlignment | None:
    view = QueryView(pixels, fingerprint.luminance(pixels))
    proved = _best(chain(_by_corners(view, reference), _by_orientation(view, reference)), reference)
    if proved is not None:
        return proved
    by_points = list(_by_points(view, reference))
    proved = _best([candidate for candidate, _ in by_points], reference)
    if proved is not None or is_part:
        return proved
    grounds = plain_grounds.align(view, reference)
    if grounds is not None:
        return PictureAlignment(grounds, ComparisonKind.RECOLOURED)
    most = max(by_points, key=lambda pair: pair[1], default=None)
    if most is None or most[1] < ITEM_INLIERS:
        return None
    return PictureAlignment(most[0].whole, ComparisonKind.OTHER_PHOTO)


def _best(candidates: Iterable[_Candidate], reference: Reference) -> PictureAlignment | None:
    """Return the transform under which most detail agrees, made more exact; None if it agrees under none."""
    agreeing: list[tuple[PixelAgreement, _Candidate]] = []
    for candidate in candidates:
        found = agreement.measure(candidate.view, reference, candidate.matrix)
        if found.is_copy:
            agreeing.append((found, candidate))
        if found.is_certain:
            break
    if not agreeing:
        return None
    # Of two transforms that explain as much, the simpler one is right.
    found, best = max(
        agreeing, key=lambda pair: pair[0].excess * (1 if agreement.is_affine(pair[1].matrix) else _OBLIQUE)
    )
    finer = agreement.refined(best.view, reference, best.matrix)
    if finer is not None and agreement.measure(best.view, reference, finer).excess > found.excess:
        best = _Candidate(best.view, finer, best.mirrored, best.inverted)
    if best.inverted and not _is_negative(best.view, reference):
        return PictureAlignment(best.whole, ComparisonKind.RECOLOURED)
    return PictureAlignment(best.whole, ComparisonKind.COPY, best.inverted)


def _is_negative(view: QueryView, reference: Reference) -> bool:
    """Return whether the contrast is the same. On a ground of another colour, a drawing's contrast is another one."""
    ratio = float(view.gray.std()) / max(float(reference.gray.std()), 1e-3)
    return 1 / _SAME_CONTRAST < ratio < _SAME_CONTRAST


def _by_corners(view: QueryView, reference: Reference) -> Iterator[_Candidate]:
    """Yield the transforms that ORB points show, with the views for which they hold."""
    for mirrored in (False, True):
        own = view.mirrored if mirrored else view
        pairs = geometry.match_points(own, reference.features)
        for align in (geometry.align, geometry.align_in_perspective):
            if (found := align(own, reference.features, pairs)) is not None:
                yield _Candidate(own, homogeneous(found.matrix), mirrored)


def _by_orientation(view: QueryView, reference: Reference) -> Iterator[_Candidate]:
    """Yield the whole picture laid over the whole stored one in all orientations, also as a negative."""
    for inverted in (False, True):
        own = view.inverted if inverted else view
        for orientation in fingerprint.ORIENTATION_MATRICES:
            found = geometry.overlay(own, reference.features, np.array(orientation, np.float64))
            if found is not None and found.correlation >= agreement.MIN_CORRELATION:
                yield _Candidate(own, homogeneous(found.matrix), inverted=inverted)


def _by_points(view: QueryView, reference: Reference) -> Iterator[tuple[_Candidate, int]]:
    """Yield the transforms that SIFT points show, with the number of points that agree."""
    points = point_features.extract_point_features(view.gray)
    for mirrored in (False, True):
        own = view.mirrored if mirrored else view
        queried = point_features.mirrored(points) if mirrored else points
        found = homography.compare_views(queried, reference.points)
        if found is None:
            continue
        matrix = homography.in_long_sides(found.matrix)
        if is_homography(matrix) and not is_view(own.features, matrix):
            continue
        yield _Candidate(own, homogeneous(matrix), mirrored), found.inliers


def _mirroring(view: QueryView) -> Matrix:
    """Return the matrix that mirrors a picture left to right, in units of its long side."""
    width = view.features.width / max(view.features.width, view.features.height)
    return np.array(((-1, 0, width), (0, 1, 0), (0, 0, 1)), np.float64)


def outline(matrix: Matrix, width: int, height: int) -> Matrix:
    """Return where the corners of a picture of this size lie in the other one, 4 × 2, in units of its long side."""
    across, down = width / max(width, height), height / max(width, height)
    corners = np.array((((0, 0), (across, 0), (across, down), (0, down)),), np.float64)
    return np.asarray(cv2.perspectiveTransform(corners, matrix)[0], np.float64)

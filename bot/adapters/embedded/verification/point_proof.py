"""Proof of a copy by point features, where ORB points prove nothing: mirrored and captioned crops, filters, prints.

The points only say how two pictures lie over each other. As with ORB points, their luminances prove the copy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.embedded.ports import Candidate
from bot.adapters.embedded.verification import copy_evidence, rigidity, scoring
from bot.adapters.embedded.verification.copy_evidence import CopyEvidence
from bot.images.features import geometry, homography, local_features, point_features
from bot.images.features.comparison import colours, differences, fine_print
from bot.images.features.comparison.fine_print import FineComparison
from bot.images.features.geometry import Alignment
from bot.images.features.homography import ViewAgreement
from bot.images.features.local_features import LocalFeatures
from bot.images.features.point_features import PointFeatures
from bot.images.features.query_views import QueryRegion, QueryView

log = logging.getLogger(__name__)

MIRRORED = 8
"""Candidates, the most alike first, that are also compared with the mirrored query."""

ALIGNED = 3
"""Candidates whose pixels are compared, those with the most agreeing points first."""

POINT_INLIERS, POINT_WORTH, POINT_AGREEMENT, POINT_DEPARTURE, POINT_PROOF_SCORE = 14, 0.8, 0.95, 0.65, 9.1
"""Point features: least number of those that agree, least share that is worth a comparison of the pixels, and least
share of nearly all; greatest departure from a similarity transform, in pixels of the coarser of two pictures with a
long side of 400; and the score of their proof."""

POINT_UNLIKE, POINT_TYPICAL = 0.5, 0.06
"""Share of differing detail up to which point features can prove a copy, and typical difference of a patch up to which
they can whatever differs."""

SMOOTHED_INLIERS, SMOOTHED_WORTH = 12, 0.7
SMOOTHED_CORRELATION, SMOOTHED_TRIMMED, SMOOTHED_TYPICAL = 0.9, 0.99, 0.09
"""A copy whose texture compression has smoothed, such as a fabric's, has few points, and its details differ. But its
luminances agree almost exactly under a similarity transform: least number of agreeing points and least share of them,
least correlations, and greatest typical difference of a patch."""

STRUCTURE_INLIERS, STRUCTURE_UNLIKE, STRUCTURE_CHANGED = 30, 0.05, 0.01
STRUCTURE_CORRELATION, STRUCTURE_TRIMMED = 0.8, 0.9
"""Pictures of one structure in another light: least number of agreeing points, greatest share of differing detail and
area of changes, and least correlations."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedView:
    """A candidate whose points agree with the query's.

    ``index``: its place among the candidates. ``by_sketch``: ORB points were compared, for want of point features.
    """

    index: int
    stored: PointFeatures
    agreement: ViewAgreement
    by_sketch: bool = False


def points_agree(agreement: ViewAgreement) -> bool:
    """Return whether so many point features agree that the pixels are worth a comparison."""
    return agreement.inliers >= max(POINT_INLIERS, POINT_WORTH * agreement.voted)


def may_be_smoothed(agreement: ViewAgreement) -> bool:
    """Return whether enough point features agree for a copy whose texture was smoothed."""
    return agreement.inliers >= max(SMOOTHED_INLIERS, SMOOTHED_WORTH * agreement.voted)


def points_prove(fine: FineComparison, alignment: Alignment) -> bool:
    """Return whether point features can prove a copy. Two photographs of one scene differ in most of the detail."""
    return fine.unlike <= POINT_UNLIKE or alignment.typical <= POINT_TYPICAL


def agrees_but_for_texture(alignment: Alignment) -> bool:
    """Return whether the luminances agree almost exactly, as they do where only texture was smoothed."""
    return (
        alignment.correlation >= SMOOTHED_CORRELATION
        and alignment.trimmed >= SMOOTHED_TRIMMED
        and alignment.typical <= SMOOTHED_TYPICAL
    )


def agrees_in_structure(fine: FineComparison, alignment: Alignment) -> bool:
    """Return whether nearly all detail agrees, as under a filter or in a photographed print, whatever the light."""
    return (
        alignment.inliers >= STRUCTURE_INLIERS
        and alignment.correlation >= STRUCTURE_CORRELATION
        and alignment.trimmed >= STRUCTURE_TRIMMED
        and fine.unlike <= STRUCTURE_UNLIKE
        and sum(one.area for one in fine.changes) <= STRUCTURE_CHANGED
        and not scoring.has_replaced_print(fine.changes)
        and alignment.shared >= scoring.MIN_SHARED
    )


def find_proofs(
    region: QueryRegion, candidates: Sequence[Candidate], views: Sequence[ComparedView], packed: Mapping[int, bytes]
) -> list[tuple[int, CopyEvidence]]:
    """Return the candidates that the query's points prove to be copies, by index, with the evidence.

    ``views`` are those of the query as it is. The mirrored query is tried if they prove nothing; its points are those
    of the query, rearranged.
    """
    found = list(_prove_all(region.view, region.points, views, candidates, mirrored=False))
    if found:
        return found
    points = point_features.mirrored(region.points)
    turned = [view for view in _compare(points, candidates[:MIRRORED], packed) if may_be_smoothed(view.agreement)]
    return list(_prove_all(region.view.mirrored, points, turned, candidates, mirrored=True)) if turned else []


def _compare(
    points: PointFeatures, candidates: Sequence[Candidate], packed: Mapping[int, bytes]
) -> Iterator[ComparedView]:
    for index, candidate in enumerate(candidates):
        try:
            stored = point_features.unpack(packed[candidate.row_id])
        except (KeyError, ValueError):  # none, or damaged, which the other comparison has logged
            continue
        agreement = homography.compare_views(points, stored)
        if agreement is not None:
            yield ComparedView(index, stored, agreement)


def _prove_all(
    view: QueryView,
    points: PointFeatures,
    views: Sequence[ComparedView],
    candidates: Sequence[Candidate],
    *,
    mirrored: bool,
) -> Iterator[tuple[int, CopyEvidence]]:
    agreeing = [one for one in views if may_be_smoothed(one.agreement) and candidates[one.index].local_features]
    agreeing.sort(key=lambda view: (not points_agree(view.agreement), -view.agreement.inliers))
    for one in agreeing[:ALIGNED]:
        try:
            stored = local_features.unpack(candidates[one.index].local_features)
        except ValueError:
            log.warning("the local features of row %d are damaged", candidates[one.index].row_id)
            continue
        alignment = _align(view, points, stored, one)
        if alignment is not None:
            yield one.index, CopyEvidence(POINT_PROOF_SCORE, view, stored, alignment, mirrored, None)


def _align(view: QueryView, points: PointFeatures, stored: LocalFeatures, found: ComparedView) -> Alignment | None:
    """Return the alignment that proves a copy, or None.

    It is by the similarity transform if that explains the points exactly, and by the homography if it doesn't. Few
    points bend a homography, so a copy whose texture was smoothed is aligned by the similarity transform in any case.
    """
    agreement = found.agreement
    fits = homography.fit_transforms(points, found.stored, agreement)
    if fits is None:
        return None
    similar = geometry.align_by(view, stored, fits.similarity, agreement.inliers, agreement.voted)
    if points_agree(agreement):
        alignment = similar
        if fits.departure > POINT_DEPARTURE:
            alignment = geometry.align_by(view, stored, fits.homography, agreement.inliers, agreement.voted)
        if alignment is not None and _proves(view, stored, alignment):
            return alignment
    return similar if similar is not None and _proves_smoothed(view, stored, similar) else None


def _proves(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    nearly_all = alignment.inliers >= POINT_AGREEMENT * alignment.matched
    if not (nearly_all or rigidity.may_be_rigid(alignment)):
        return False
    fine = fine_print.compare(view, stored, alignment.matrix)
    if fine is None:
        return False
    return (nearly_all and _points_prove(view, stored, alignment, fine)) or rigidity.proves_copy(
        view, stored, alignment, fine
    )


def _proves_smoothed(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    if not agrees_but_for_texture(alignment):
        return False
    fine = fine_print.compare(view, stored, alignment.matrix)
    if fine is None or rigidity.has_replaced(fine) or not rigidity.stays(view, stored, alignment):
        return False
    return copy_evidence.probability(view, stored, alignment) >= scoring.PROOF


def _points_prove(view: QueryView, stored: LocalFeatures, alignment: Alignment, fine: FineComparison) -> bool:
    if not points_prove(fine, alignment):
        return False
    if copy_evidence.probability(view, stored, alignment) >= scoring.PROOF:
        return True
    plain = differences.plain_share(stored) >= scoring.PLAIN_BACKGROUND
    other_hue = plain and colours.hue_difference(view, stored, alignment.matrix) > scoring.HUE_DEGREES
    agrees = not other_hue and agrees_in_structure(fine, alignment)
    return agrees and not rigidity.has_moved(view, stored, alignment)

"""Geometric verification: decide which candidates are copies, detect their edits, and score them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bot.adapters.embedded.ports import CalibrationCurve, Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification import copy_evidence, scoring
from bot.adapters.embedded.verification.copy_evidence import CopyEvidence
from bot.domain.matches import Edit, PictureRegion, Verdict
from bot.images.features import geometry
from bot.images.features.fingerprint import ORIENTATION_MATRICES
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures, is_identical, unpack
from bot.images.features.query_views import QueryRegion, QueryView
from bot.images.features.regions.picture_regions import as_part, region_showing

log = logging.getLogger(__name__)

MIN_COSINE = 0.3
"""Least cosine of candidates that are verified. Those with a fingerprint hit are verified at any cosine."""

FULLY_VERIFIED = 8
"""How many candidates, the most alike first, are verified even if they are hardly alike or a copy was found.

They are also aligned with the mirrored query: the embedding hardly tells a picture from its mirror image.
"""

_HARDLY_ALIKE, _RELATED = 3.0, 6.0
"""Scores of likeness, by the default curve or the database's own, whichever is higher.

Below the first, candidates farther down aren't verified, and none is aligned with the mirrored query; after a copy was
found, the second counts for that. The least cosine of a proved copy without a near fingerprint was 0.57, and that of a
mirrored crop to 35 % was 0.61; with 50,000 images the first score is a cosine of 0.556.
"""

_ALL_AGREE, _MORE_INLIERS = 0.9, 1.15
"""Share of agreeing points from which no homography is sought, and how many times more points it must explain."""


class GeometricVerifier:
    """Satisfies ``Verifier`` with fingerprints and geometric alignment."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """Return one scored match for each candidate, in the same order."""
        regions = [region for region in query_features.regions if isinstance(region, QueryRegion)]
        curve = calibration or scoring.DEFAULT_CALIBRATION
        matches, copy_found = [], False
        for rank, candidate in enumerate(candidates):
            similarity = scoring.similarity_score(candidate.cosine, curve)
            has_hit = candidate.fingerprint_distance is not None
            is_first = rank < FULLY_VERIFIED
            likeness = max(similarity, scoring.similarity_score(candidate.cosine, scoring.DEFAULT_CALIBRATION))
            # Skip candidates that are hardly copies: each would cost nearly a millisecond.
            unlikely = candidate.cosine < MIN_COSINE or not (is_first or (likeness >= _HARDLY_ALIKE and not copy_found))
            if candidate.local_features and (has_hit or not unlikely):
                mirrored_too = is_first and (has_hit or likeness >= (_RELATED if copy_found else _HARDLY_ALIKE))
                found = _verify_candidate(regions, candidate, similarity, is_first=is_first, mirrored_too=mirrored_too)
                matches.append(found)
                copy_found = copy_found or matches[-1].verdict.is_copy
            else:
                matches.append(ScoredMatch(similarity, Verdict.SIMILAR))
        return matches


def _verify_candidate(
    regions: Sequence[QueryRegion], candidate: Candidate, similarity: float, *, is_first: bool, mirrored_too: bool
) -> ScoredMatch:
    """Compare each region with the stored picture, the whole query first. The first proof of a copy decides."""
    try:
        stored = unpack(candidate.local_features)
    except ValueError:
        log.warning("the local features of row %d are damaged; scoring it by similarity alone", candidate.row_id)
        return ScoredMatch(similarity, Verdict.SIMILAR)
    if any(is_identical(region.view.features, stored) for region in regions[:1] if region.share == 1):
        return ScoredMatch(10.0, Verdict.SAME)
    best = similarity
    for region in regions:
        proof = _by_fingerprint(region, candidate, stored)
        if proof is not None:
            return scored_match(proof, region)
        best, proof = _by_points(region, stored, similarity, best, mirrored_too=mirrored_too)
        if proof is not None:
            return scored_match(proof, region)
    if is_first and copy_evidence.is_on_other_ground(regions, stored):
        return ScoredMatch(scoring.OTHER_GROUND_SCORE, Verdict.EDITED, (Edit.RECOLOURED,))
    return ScoredMatch(best, Verdict.SIMILAR)


def _by_points(
    region: QueryRegion, stored: LocalFeatures, similarity: float, best: float, *, mirrored_too: bool
) -> tuple[float, CopyEvidence | None]:
    """Align the region's points, also mirrored. Return the greatest score and the proof with the most inliers, if any.

    A symmetrical picture may be proved either way. A proof with which nearly all points agree needs no other.
    """
    proof: CopyEvidence | None = None
    for mirrored in (False, True) if mirrored_too else (False,):
        if proof is not None and proof.alignment.inliers >= _ALL_AGREE * proof.alignment.matched:
            break
        view = region.view.mirrored if mirrored else region.view
        for alignment in _alignments(view, stored):
            whole = geometry.scale_to_whole(alignment, region.share)
            probability = copy_evidence.probability(view, stored, whole)
            if region.part is not None and not scoring.proves_part(alignment):
                probability = min(probability, scoring.BELOW_PROOF)
            best = max(best, scoring.geometry_score(probability, similarity))
            if probability >= scoring.PROOF:
                if proof is None or whole.inliers > proof.alignment.inliers:
                    proof = CopyEvidence(best, view, stored, whole, mirrored, None)
                break
    return best, proof


def _alignments(view: QueryView, stored: LocalFeatures) -> Iterator[Alignment]:
    """Yield the similarity transform and, where it explains many points, the homography that explains more."""
    pairs = geometry.match_points(view, stored)
    alignment = geometry.align(view, stored, pairs)
    if alignment is None:
        return
    oblique = None
    if len(pairs) >= geometry.MIN_PERSPECTIVE_INLIERS and alignment.inliers < _ALL_AGREE * len(pairs):
        oblique = geometry.align_in_perspective(view, stored, pairs)
    if oblique is not None and oblique.inliers >= _MORE_INLIERS * alignment.inliers:
        yield oblique
    yield alignment


def _by_fingerprint(region: QueryRegion, candidate: Candidate, stored: LocalFeatures) -> CopyEvidence | None:
    distance, row = candidate.fingerprint_distance, candidate.fingerprint_row
    if distance is None or row is None:
        return None
    inverted = row in region.inverted_rows
    if row not in region.rows and not inverted:
        return None
    number = 0 if inverted else row - region.rows.start
    view = region.view.inverted if inverted else region.view
    orientation = np.array(ORIENTATION_MATRICES[number], np.float64)
    alignment = copy_evidence.by_fingerprint(view, stored, distance, orientation)
    if alignment is None:
        return None
    whole = geometry.scale_to_whole(alignment, region.share)
    # The colours of a negative differ by nature.
    if copy_evidence.shows_other_content(view, stored, whole):
        return None
    mirrored = bool(np.linalg.det(orientation) < 0)
    return CopyEvidence(scoring.fingerprint_score(distance), view, stored, whole, mirrored, distance, inverted)


def scored_match(proof: CopyEvidence, region: QueryRegion) -> ScoredMatch:
    """Return the match that the evidence from a region of the query proves."""
    return replace(_scored(proof), part=_part(proof, region))


def _scored(proof: CopyEvidence) -> ScoredMatch:
    edits = copy_evidence.edits_of(proof)
    same = not edits and copy_evidence.is_same(proof)
    return ScoredMatch(proof.score, Verdict.SAME if same else Verdict.EDITED, edits)


def _part(proof: CopyEvidence, region: QueryRegion) -> PictureRegion | None:
    """Return the part of the query that shows the stored picture, or None for the whole."""
    if region.part is not None or region.share < 1 or proof.distance is not None:
        return region.part
    query, stored = region.view.features, proof.stored
    sizes = (query.width, query.height), (stored.width, stored.height)
    return as_part(region_showing(proof.alignment.matrix, *sizes, mirrored=proof.mirrored))

"""Geometric verification: decide which candidates are copies, detect their edits, and score them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.adapters.embedded import scoring
from bot.adapters.embedded.ports import CalibrationCurve, Candidate, QueryFeatures, ScoredMatch
from bot.domain.matches import Edit, PictureRegion, Verdict
from bot.images.features import differences, geometry
from bot.images.features.fingerprint import ORIENTATION_MATRICES
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures, QueryRegion, QueryView, is_identical, unpack
from bot.images.features.picture_regions import as_part, region_showing

log = logging.getLogger(__name__)

MIN_COSINE = 0.3
"""Least cosine of candidates that are verified. Those with a fingerprint hit are verified at any cosine."""

FULLY_VERIFIED = 8
"""How many candidates, the most alike first, are also aligned with the mirrored query, and are verified even after a
copy was found.

The embedding hardly tells a picture from its mirror image, so a mirrored copy ranks among the first.
"""

# Thresholds of edits. Recompression at JPEG quality 10 stays below each (bench.quality, test_verifier.py).
_CROPPED, _FRAMED, _ROTATED_CORNERS = 0.05, 0.05, 0.12
_ROTATION_DEGREES = 1.5
_RECOLOURED, _BRIGHTENED = 4.5, 9.0

# Limits within which a copy counts as the same image: fingerprint distance, correlation, and worst patch.
_SAME_DISTANCE, _SAME_CORRELATION, _SAME_WORST, _SAME_WORST_ON_PLAIN = 20, 0.95, 0.6, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _CopyEvidence:
    """An alignment that proves a copy, with its score.

    ``distance`` is the fingerprint's Hamming distance, or None if matched points prove the copy.
    """

    score: float
    alignment: Alignment
    mirrored: bool
    distance: int | None

    @property
    def degrees(self) -> float:
        matrix = self.alignment.matrix
        sign = -1.0 if self.mirrored and self.distance is not None else 1.0
        return abs(math.degrees(math.atan2(matrix[1, 0], sign * matrix[0, 0])))


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
            # After the first copy, skip candidates far down the list: each would cost some milliseconds.
            unlikely = candidate.cosine < MIN_COSINE or (copy_found and rank >= FULLY_VERIFIED)
            if candidate.local_features and (has_hit or not unlikely):
                matches.append(_verify_candidate(regions, candidate, similarity, mirrored_too=rank < FULLY_VERIFIED))
                copy_found = copy_found or matches[-1].verdict.is_copy
            else:
                matches.append(ScoredMatch(similarity, Verdict.SIMILAR))
        return matches


def _verify_candidate(
    regions: Sequence[QueryRegion], candidate: Candidate, similarity: float, *, mirrored_too: bool
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
            return replace(_scored(proof, stored), part=_part(proof, stored, region))
        for mirrored in (False, True) if mirrored_too else (False,):
            view = region.view.mirrored if mirrored else region.view
            alignment = geometry.align(view, stored)
            if alignment is None:
                continue
            whole = geometry.scale_to_whole(alignment, region.share)
            probability = _probability(view, stored, whole)
            best = max(best, scoring.geometry_score(probability, similarity))
            if probability >= scoring.PROOF:
                proof = _CopyEvidence(best, whole, mirrored, None)
                return replace(_scored(proof, stored), part=_part(proof, stored, region))
    return ScoredMatch(best, Verdict.SIMILAR)


def _probability(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> float:
    """Return the probability of a copy. It stays below PROOF if the aligned pictures show different content."""
    probability = scoring.copy_probability(
        alignment.correlation, alignment.typical, alignment.inliers, alignment.matched
    )
    if probability >= scoring.PROOF and _shows_other_content(view, stored, alignment):
        return scoring.BELOW_PROOF
    return probability


def _shows_other_content(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    """Return whether the pictures share only a letterhead, a page, a frame or an app's screen."""
    if max(alignment.covered, 1 - alignment.outside) < scoring.MIN_SHARED:
        return True
    found = differences.measure(view, stored, alignment.matrix)
    return scoring.shows_other_content(differences.plain_share(stored), found.largest, found.share, found.worst)


def _by_fingerprint(region: QueryRegion, candidate: Candidate, stored: LocalFeatures) -> _CopyEvidence | None:
    distance, row = candidate.fingerprint_distance, candidate.fingerprint_row
    if distance is None or row is None or row not in region.rows:
        return None
    orientation = np.array(ORIENTATION_MATRICES[row - region.rows.start], np.float64)
    alignment = geometry.overlay(region.view, stored, orientation)
    if alignment is None or not scoring.fingerprint_proves(distance, alignment.correlation):
        return None
    whole = geometry.scale_to_whole(alignment, region.share)
    if _shows_other_content(region.view, stored, whole):
        return None
    return _CopyEvidence(scoring.fingerprint_score(distance), whole, bool(np.linalg.det(orientation) < 0), distance)


def _scored(proof: _CopyEvidence, stored: LocalFeatures) -> ScoredMatch:
    edits = tuple(_edits(proof))
    alignment = proof.alignment
    plain = differences.plain_share(stored) >= scoring.PLAIN_BACKGROUND
    same = (
        not edits
        and (proof.distance is None or proof.distance <= _SAME_DISTANCE)
        and alignment.correlation >= _SAME_CORRELATION
        and alignment.worst <= (_SAME_WORST_ON_PLAIN if plain else _SAME_WORST)
    )
    return ScoredMatch(proof.score, Verdict.SAME if same else Verdict.EDITED, edits)


def _part(proof: _CopyEvidence, stored: LocalFeatures, region: QueryRegion) -> PictureRegion | None:
    """Return the part of the query that shows the stored picture, or None for the whole."""
    if region.part is not None or region.share < 1 or proof.distance is not None:
        return region.part
    query = region.view.features
    sizes = (query.width, query.height), (stored.width, stored.height)
    return as_part(region_showing(proof.alignment.matrix, *sizes, mirrored=proof.mirrored))


def _edits(proof: _CopyEvidence) -> Iterator[Edit]:
    alignment = proof.alignment
    is_rotated = proof.degrees > _ROTATION_DEGREES
    # Rotation by other than right angles cuts corners off or adds new ones. That alone is neither a crop nor a frame.
    is_tilted = is_rotated and abs(proof.degrees % 90 - 45) < 45 - _ROTATION_DEGREES
    if 1 - alignment.covered > (_ROTATED_CORNERS if is_tilted else _CROPPED):
        yield Edit.CROPPED
    if proof.mirrored:
        yield Edit.MIRRORED
    if is_rotated:
        yield Edit.ROTATED
    if alignment.outside > (_ROTATED_CORNERS if is_tilted else _FRAMED):
        yield Edit.FRAMED
    if alignment.chroma > _RECOLOURED or alignment.brightness > _BRIGHTENED:
        yield Edit.RECOLOURED

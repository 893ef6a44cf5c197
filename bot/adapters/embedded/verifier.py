"""Looks at candidates closely: which are copies, what was done to them, and what they score."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.adapters.embedded import scoring
from bot.adapters.embedded.ports import CalibrationCurve, Candidate, QueryFeatures, ScoredMatch
from bot.domain.matches import Edit, Verdict
from bot.images.features import differences, geometry
from bot.images.features.fingerprint import ORIENTATION_MATRICES
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures, QueryRegion, QueryView, is_identical, unpack

log = logging.getLogger(__name__)

MIN_COSINE = 0.3
"""Below this nothing but a fingerprint makes a candidate worth a close look."""

FULLY_VERIFIED = 8
"""How many candidates, the most alike first, are also laid mirrored, and looked at though a better one is a copy.

The embedding hardly tells a picture from its mirror image, so that a mirrored copy is among the first.
"""

# From which a difference is an edit. Recompression at quality 10 stays below each (bench.quality, test_judge.py).
_CROPPED, _FRAMED, _ROTATED_CORNERS = 0.05, 0.05, 0.12
_ROTATION_DEGREES = 1.5
_RECOLOURED, _BRIGHTENED = 4.5, 9.0
_SAME_DISTANCE, _SAME_CORRELATION, _SAME_WORST, _SAME_WORST_ON_PLAIN = 20, 0.95, 0.6, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _CopyEvidence:
    """A way in which the query lies on the stored picture, and what it is worth."""

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
    """The Judge of the embedded engine."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """One judgement a candidate, in their order."""
        regions = [region for region in query_features.regions if isinstance(region, QueryRegion)]
        curve = calibration or scoring.DEFAULT_CALIBRATION
        judged, proven = [], False
        for rank, candidate in enumerate(candidates):
            likeness = scoring.similarity_score(candidate.cosine, curve)
            near = candidate.fingerprint_distance is not None
            # Once a copy is proved, those far down the list are not worth their milliseconds.
            far = candidate.cosine < MIN_COSINE or (proven and rank >= FULLY_VERIFIED)
            if candidate.local_features and (near or not far):
                judged.append(_verify_candidate(regions, candidate, likeness, mirrored_too=rank < FULLY_VERIFIED))
                proven = proven or judged[-1].verdict is not Verdict.SIMILAR
            else:
                judged.append(ScoredMatch(likeness, Verdict.SIMILAR))
        return judged


def _verify_candidate(
    regions: Sequence[QueryRegion], candidate: Candidate, likeness: float, *, mirrored_too: bool
) -> ScoredMatch:
    """Look by look, the whole picture before its content box: what proves a copy first says what was done to it."""
    try:
        stored = unpack(candidate.local_features)
    except ValueError:
        log.warning("the sketch of row %d is damaged: it is judged by likeness alone", candidate.row_id)
        return ScoredMatch(likeness, Verdict.SIMILAR)
    if any(is_identical(region.view.sketch, stored) for region in regions[:1]):
        return ScoredMatch(10.0, Verdict.SAME)
    best = likeness
    for region in regions:
        proof = _by_fingerprint(region, candidate, stored)
        if proof is not None:
            return _scored(proof, stored)
        for mirrored in (False, True) if mirrored_too else (False,):
            view = region.view.mirrored if mirrored else region.view
            alignment = geometry.align(view, stored)
            if alignment is None:
                continue
            whole = geometry.scale_to_whole(alignment, region.share)
            probability = _probability(view, stored, whole)
            best = max(best, scoring.geometry_score(probability, likeness))
            if probability >= scoring.PROOF:
                return _scored(_CopyEvidence(best, whole, mirrored, None), stored)
    return ScoredMatch(best, Verdict.SIMILAR)


def _probability(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> float:
    """That of a copy; just short of proof where the two agree on much and yet show different things."""
    probability = scoring.copy_probability(
        alignment.correlation, alignment.typical, alignment.inliers, alignment.matched
    )
    if probability >= scoring.PROOF and _shows_other_content(view, stored, alignment):
        return scoring.BELOW_PROOF
    return probability


def _shows_other_content(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    """Whether letterhead, page, frame or app are the same, and what is on them is not."""
    if max(alignment.covered, 1 - alignment.outside) < scoring.MIN_SHARED:
        return True
    seen = differences.measure(view, stored, alignment.matrix)
    return scoring.shows_other_content(differences.plain_share(stored), seen.largest, seen.share, seen.worst)


def _by_fingerprint(region: QueryRegion, candidate: Candidate, stored: LocalFeatures) -> _CopyEvidence | None:
    distance, row = candidate.fingerprint_distance, candidate.fingerprint_row
    if distance is None or row is None or row not in region.rows:
        return None
    turn = np.array(ORIENTATION_MATRICES[row - region.rows.start], np.float64)
    alignment = geometry.overlay(region.view, stored, turn)
    if alignment is None or not scoring.fingerprint_proves(distance, alignment.correlation):
        return None
    whole = geometry.scale_to_whole(alignment, region.share)
    if _shows_other_content(region.view, stored, whole):
        return None
    return _CopyEvidence(scoring.fingerprint_score(distance), whole, bool(np.linalg.det(turn) < 0), distance)


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


def _edits(proof: _CopyEvidence) -> Iterator[Edit]:
    alignment = proof.alignment
    turned = proof.degrees > _ROTATION_DEGREES
    # A turned picture loses its corners, or shows new ones: that alone is neither a crop nor a frame.
    askew = turned and abs(proof.degrees % 90 - 45) < 45 - _ROTATION_DEGREES
    if 1 - alignment.covered > (_ROTATED_CORNERS if askew else _CROPPED):
        yield Edit.CROPPED
    if proof.mirrored:
        yield Edit.MIRRORED
    if turned:
        yield Edit.ROTATED
    if alignment.outside > (_ROTATED_CORNERS if askew else _FRAMED):
        yield Edit.FRAMED
    if alignment.chroma > _RECOLOURED or alignment.brightness > _BRIGHTENED:
        yield Edit.RECOLOURED

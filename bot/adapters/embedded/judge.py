"""Looks at candidates closely: which are copies, what was done to them, and what they score."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.adapters.embedded import scoring
from bot.adapters.embedded.ports import Candidate, Judgement, Knots, Probe
from bot.images import disagreement, geometry
from bot.images.fingerprint import TURNS
from bot.images.geometry import Alignment
from bot.images.sketch import Look, Sketch, View, is_the_same, unpack
from bot.models import Edit, Verdict

log = logging.getLogger(__name__)

MIN_COSINE = 0.3
"""Below this nothing but a fingerprint makes a candidate worth a close look."""

LOOKED_AT_FULLY = 8
"""How many candidates, the most alike first, are also laid mirrored, and looked at though a better one is a copy.

The embedding hardly tells a picture from its mirror image, so that a mirrored copy is among the first.
"""

# From which a difference is an edit. Recompression at quality 10 stays below each (bench.quality, test_judge.py).
_CROPPED, _FRAMED, _TURNED_CORNERS = 0.05, 0.05, 0.12
_TURN_DEGREES = 1.5
_RECOLOURED, _BRIGHTENED = 4.5, 9.0
_SAME_DISTANCE, _SAME_CORRELATION, _SAME_WORST, _SAME_WORST_ON_PLAIN = 20, 0.95, 0.6, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _Proof:
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


class EvidenceJudge:
    """The Judge of the embedded engine."""

    def judge(self, probe: Probe, candidates: Sequence[Candidate], knots: Knots | None) -> list[Judgement]:
        """One judgement a candidate, in their order."""
        looks = [look for look in probe.sketches if isinstance(look, Look)]
        curve = knots or scoring.DEFAULT_KNOTS
        judged, proven = [], False
        for rank, candidate in enumerate(candidates):
            likeness = scoring.likeness(candidate.cosine, curve)
            near = candidate.fingerprint_distance is not None
            # Once a copy is proved, those far down the list are not worth their milliseconds.
            far = candidate.cosine < MIN_COSINE or (proven and rank >= LOOKED_AT_FULLY)
            if candidate.sketch and (near or not far):
                judged.append(_judged(looks, candidate, likeness, mirrored_too=rank < LOOKED_AT_FULLY))
                proven = proven or judged[-1].verdict is not Verdict.SIMILAR
            else:
                judged.append(Judgement(likeness, Verdict.SIMILAR))
        return judged


def _judged(looks: Sequence[Look], candidate: Candidate, likeness: float, *, mirrored_too: bool) -> Judgement:
    """Look by look, the whole picture before its content box: what proves a copy first says what was done to it."""
    try:
        stored = unpack(candidate.sketch)
    except ValueError:
        log.warning("the sketch of row %d is damaged: it is judged by likeness alone", candidate.row_id)
        return Judgement(likeness, Verdict.SIMILAR)
    if any(is_the_same(look.view.sketch, stored) for look in looks[:1]):
        return Judgement(10.0, Verdict.SAME)
    best = likeness
    for look in looks:
        proof = _by_fingerprint(look, candidate, stored)
        if proof is not None:
            return _verdict(proof, stored)
        for mirrored in (False, True) if mirrored_too else (False,):
            view = look.view.mirrored if mirrored else look.view
            alignment = geometry.align(view, stored)
            if alignment is None:
                continue
            whole = geometry.of_whole(alignment, look.share)
            probability = _probability(view, stored, whole)
            best = max(best, scoring.geometry_score(probability, likeness))
            if probability >= scoring.PROOF:
                return _verdict(_Proof(best, whole, mirrored, None), stored)
    return Judgement(best, Verdict.SIMILAR)


def _probability(view: View, stored: Sketch, alignment: Alignment) -> float:
    """That of a copy; just short of proof where the two agree on much and yet show different things."""
    probability = scoring.copy_probability(
        alignment.correlation, alignment.typical, alignment.inliers, alignment.matched
    )
    if probability >= scoring.PROOF and _shows_another(view, stored, alignment):
        return scoring.SHORT_OF_PROOF
    return probability


def _shows_another(view: View, stored: Sketch, alignment: Alignment) -> bool:
    """Whether letterhead, page, frame or app are the same, and what is on them is not."""
    if max(alignment.covered, 1 - alignment.outside) < scoring.LEAST_SHARED:
        return True
    seen = disagreement.of(view, stored, alignment.matrix)
    return scoring.shows_another(disagreement.ground(stored), seen.largest, seen.share, seen.worst)


def _by_fingerprint(look: Look, candidate: Candidate, stored: Sketch) -> _Proof | None:
    distance, row = candidate.fingerprint_distance, candidate.fingerprint_row
    if distance is None or row is None or row not in look.rows:
        return None
    turn = np.array(TURNS[row - look.rows.start], np.float64)
    alignment = geometry.overlay(look.view, stored, turn)
    if alignment is None or not scoring.fingerprint_proves(distance, alignment.correlation):
        return None
    whole = geometry.of_whole(alignment, look.share)
    if _shows_another(look.view, stored, whole):
        return None
    return _Proof(scoring.fingerprint_score(distance), whole, bool(np.linalg.det(turn) < 0), distance)


def _verdict(proof: _Proof, stored: Sketch) -> Judgement:
    edits = tuple(_edits(proof))
    alignment = proof.alignment
    plain = disagreement.ground(stored) >= scoring.PLAIN_GROUND
    same = (
        not edits
        and (proof.distance is None or proof.distance <= _SAME_DISTANCE)
        and alignment.correlation >= _SAME_CORRELATION
        and alignment.worst <= (_SAME_WORST_ON_PLAIN if plain else _SAME_WORST)
    )
    return Judgement(proof.score, Verdict.SAME if same else Verdict.EDITED, edits)


def _edits(proof: _Proof) -> Iterator[Edit]:
    alignment = proof.alignment
    turned = proof.degrees > _TURN_DEGREES
    # A turned picture loses its corners, or shows new ones: that alone is neither a crop nor a frame.
    askew = turned and abs(proof.degrees % 90 - 45) < 45 - _TURN_DEGREES
    if 1 - alignment.covered > (_TURNED_CORNERS if askew else _CROPPED):
        yield Edit.CROPPED
    if proof.mirrored:
        yield Edit.MIRRORED
    if turned:
        yield Edit.ROTATED
    if alignment.outside > (_TURNED_CORNERS if askew else _FRAMED):
        yield Edit.FRAMED
    if alignment.chroma > _RECOLOURED or alignment.brightness > _BRIGHTENED:
        yield Edit.RECOLOURED

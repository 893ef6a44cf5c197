"""Evidence to a score from 0 to 10. Every number here is fitted by ``bench/fit.py``; docs/scores.md says how.

* Likeness alone (the cosine of two embeddings) never reaches 9: it says *related*.
* A fingerprint or a transform under which the two pictures agree proves a copy: 9 and more.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.ports import CalibrationCurve

MAX_SIMILARITY_SCORE = 8.9
"""The most that likeness alone can give."""

DEFAULT_CALIBRATION: CalibrationCurve = (
    (0.36, 0.0),
    (0.63, 4.0),
    (0.71, 6.0),
    (0.81, 8.0),
    (1.0, MAX_SIMILARITY_SCORE),
)
"""Cosines at which unrelated pictures stand: the median, then 1 %, 0.1 % and 0.005 % of pairs beyond."""

CALIBRATION_SCORES = (0.0, 4.0, 6.0, 8.0)
CALIBRATION_QUANTILES = (0.5, 0.99, 0.999, 0.99995)

# Logistic regression of "is a copy" on what geometry saw. More points that match ask for a greater share that agree.
GEOMETRY_BIAS = -13.81
GEOMETRY_CORRELATION, GEOMETRY_RATIO, GEOMETRY_LOG_INLIERS, GEOMETRY_TYPICAL = 23.60, 20.30, -4.41, -13.67

PROOF = 0.65
"""Probability from which geometry counts as proof. Between one half and this lie few copies, and most of those pairs of
photographs of one scene that look like copies."""

BELOW_PROOF = 0.49
"""What is left of it where the two show different things: a captioned page still comes before mere look-alikes."""

MAX_DIFFERENCE = 0.4
"""Share of the short side. Captions and logos stay below 0.37; beyond, the two share a page and not a picture."""

MIN_SHARED = 0.4
"""Of the one picture or the other; pictures that have less in common share a letterhead or a logo."""

PLAIN_BACKGROUND = 0.3
PLAIN_SHARE, PLAIN_WORST = 0.05, 0.85
"""Pictures of which so much has one tone are pages, screens, logos and goods on white: what is on the ground is all
there is to see, so that little of it may differ. Edits that add nothing stay below both but for strong blur."""

FINGERPRINT_PROOF, FINGERPRINT_HINT = 31, 48
"""Bits of 256: unrelated pictures are rarely this near; the hint needs more agreement of the luminances."""

CORRELATION_PROOF, CORRELATION_HINT = 0.75, 0.9


def similarity_score(cosine: float, curve: CalibrationCurve = DEFAULT_CALIBRATION) -> float:
    """Score of a cosine on the curve, 0 to LIKENESS_TOP."""
    return float(np.interp(cosine, [knot[0] for knot in curve], [knot[1] for knot in curve]))


def copy_probability(correlation: float, typical: float, inliers: int, matched: int) -> float:
    """How likely it is that the query is a copy, from what ``images.features.geometry.align`` saw."""
    if not matched or not inliers or not math.isfinite(typical):
        return 0.0
    logit = (
        GEOMETRY_BIAS
        + GEOMETRY_CORRELATION * correlation
        + GEOMETRY_RATIO * inliers / matched
        + GEOMETRY_LOG_INLIERS * math.log(inliers)
        + GEOMETRY_TYPICAL * typical
    )
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def fingerprint_proves(distance: int, correlation: float) -> bool:
    """Whether a fingerprint this near, with luminances this alike, proves a copy."""
    if distance <= FINGERPRINT_PROOF:
        return correlation >= CORRELATION_PROOF
    return distance <= FINGERPRINT_HINT and correlation >= CORRELATION_HINT


def shows_other_content(plain: float, largest: float, share: float, worst: float) -> bool:
    """Whether pictures that agree on much show different things, from what ``images.features.differences`` saw."""
    if plain >= PLAIN_BACKGROUND:
        return share > PLAIN_SHARE or worst > PLAIN_WORST
    return largest > MAX_DIFFERENCE


def fingerprint_score(distance: int) -> float:
    """10 for the same fingerprint, 9.5 at the proof's end, 9 at the hint's."""
    return float(np.interp(distance, (0, FINGERPRINT_PROOF, FINGERPRINT_HINT), (10.0, 9.5, 9.0)))


def geometry_score(probability: float, similarity: float) -> float:
    """9 to 9.7 where geometry is proof; below, it lifts the likeness towards its top."""
    if probability >= PROOF:
        return 9.0 + 0.7 * (probability - PROOF) / (1 - PROOF)
    return similarity + (MAX_SIMILARITY_SCORE - similarity) * probability


def fit_calibration(cosines: npt.NDArray[np.float32]) -> CalibrationCurve:
    """The likeness curve for pictures whose unrelated pairs have these cosines.

    Knots keep a distance of at least 0.01, so that the curve rises however alike the pictures are.
    """
    at = np.quantile(cosines, CALIBRATION_QUANTILES)
    rising: list[tuple[float, float]] = []
    floor = -1.0
    for cosine, score in zip(at.tolist(), CALIBRATION_SCORES, strict=True):
        floor = min(max(cosine, floor + 0.01), 0.99 - 0.01 * (len(CALIBRATION_SCORES) - len(rising)))
        rising.append((round(floor, 4), score))
    return (*rising, (1.0, MAX_SIMILARITY_SCORE))

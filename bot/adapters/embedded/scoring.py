"""Scoring: turn similarity, fingerprint distance and geometric alignment into a score from 0 to 10.

* The cosine of two embeddings alone scores at most 8.9. It shows that pictures are similar.
* A near fingerprint, or a transform under which the two pictures agree, shows a copy. A copy scores at least 9.

``bench/fit.py`` fitted the numbers in this module; docs/scores.md describes how.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.ports import CalibrationCurve

MAX_SIMILARITY_SCORE = 8.9
"""Greatest score that the cosine alone can give."""

DEFAULT_CALIBRATION: CalibrationCurve = (
    (0.36, 0.0),
    (0.63, 4.0),
    (0.71, 6.0),
    (0.81, 8.0),
    (1.0, MAX_SIMILARITY_SCORE),
)
"""The curve of callers without a database, such as benchmarks; a database's own is from ``calibration``. Cosines of
pairs of unrelated pictures: the median, and those that 1 %, 0.1 % and 0.005 % of the pairs exceed."""

CALIBRATION_SCORES = (0.0, 4.0, 6.0, 8.0)
CALIBRATION_QUANTILES = (0.5, 0.99, 0.999, 0.99995)
"""Quantiles of the cosines of unrelated pairs that get these scores."""

# Coefficients of a logistic regression that predicts "is a copy" from an alignment. The one for the logarithm of the
# inliers is negative: the more points match, the greater the share of inliers must be.
GEOMETRY_BIAS = -13.81
GEOMETRY_CORRELATION, GEOMETRY_RATIO, GEOMETRY_LOG_INLIERS, GEOMETRY_TYPICAL = 23.60, 20.30, -4.41, -13.67

PROOF = 0.65
"""Probability from which an alignment proves a copy. Few copies lie between 0.5 and this value, but most of those pairs
of photographs of one scene that look like copies."""

BELOW_PROOF = 0.49
"""Probability of pictures that align but show different content. So a captioned page ranks above similar pictures."""

MAX_DIFFERENCE = 0.4
"""Greatest side of a square that may differ, as a share of the overlap's short side. Captions and logos stay below
0.37. Above the limit, two pictures share a page layout and not a picture."""

MIN_SHARED = 0.4
"""Share that the overlap must have of either picture. With less in common, pictures share a letterhead or a logo."""

PLAIN_BACKGROUND = 0.3
"""Share of one tone from which a picture has a plain background, such as a page, a screen, a logo or goods on white."""

PLAIN_SHARE, PLAIN_WORST = 0.05, 0.85
"""Greatest ``Difference.share`` and ``Difference.worst`` of copies with a plain background. Only what is on the
background counts there, so little of it may differ. Edits that add nothing stay below both limits, except for strong
blur."""

FINGERPRINT_PROOF, FINGERPRINT_HINT = 31, 48
"""Hamming distances, of 256 bits, that show a copy if the luminances also correlate. Unrelated pictures are rarely this
near. Up to FINGERPRINT_PROOF the correlation must reach CORRELATION_PROOF, and up to FINGERPRINT_HINT it must reach
CORRELATION_HINT."""

CORRELATION_PROOF, CORRELATION_HINT = 0.75, 0.9


def similarity_score(cosine: float, curve: CalibrationCurve = DEFAULT_CALIBRATION) -> float:
    """Return the score of a cosine on the curve, from 0 to MAX_SIMILARITY_SCORE."""
    return float(np.interp(cosine, [point[0] for point in curve], [point[1] for point in curve]))


def copy_probability(correlation: float, typical: float, inliers: int, matched: int) -> float:
    """Return the probability, from 0 to 1, that the query is a copy.

    The arguments are the fields of an ``images.features.geometry.Alignment``.
    """
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
    """Return whether a Hamming distance and a correlation of the luminances together prove a copy."""
    if distance <= FINGERPRINT_PROOF:
        return correlation >= CORRELATION_PROOF
    return distance <= FINGERPRINT_HINT and correlation >= CORRELATION_HINT


def shows_other_content(plain: float, largest: float, share: float, worst: float) -> bool:
    """Return whether two aligned pictures show different content.

    ``plain`` is the stored picture's ``differences.plain_share``; the others are fields of ``differences.Difference``.
    """
    if plain >= PLAIN_BACKGROUND:
        return share > PLAIN_SHARE or worst > PLAIN_WORST
    return largest > MAX_DIFFERENCE


def fingerprint_score(distance: int) -> float:
    """Return 10 for equal fingerprints, 9.5 at distance FINGERPRINT_PROOF and 9 at FINGERPRINT_HINT."""
    return float(np.interp(distance, (0, FINGERPRINT_PROOF, FINGERPRINT_HINT), (10.0, 9.5, 9.0)))


def geometry_score(probability: float, similarity: float) -> float:
    """Return 9 to 9.7 for a probability from PROOF on. A lower one raises ``similarity`` towards its maximum."""
    if probability >= PROOF:
        return 9.0 + 0.7 * (probability - PROOF) / (1 - PROOF)
    return similarity + (MAX_SIMILARITY_SCORE - similarity) * probability


def fit_calibration(cosines: npt.NDArray[np.float32]) -> CalibrationCurve:
    """Return the calibration curve for a database whose unrelated pairs have these cosines.

    Points are at least 0.01 apart, so that the curve rises even if all pictures are alike.
    """
    quantiles = np.quantile(cosines, CALIBRATION_QUANTILES)
    points: list[tuple[float, float]] = []
    position = -1.0
    for cosine, score in zip(quantiles.tolist(), CALIBRATION_SCORES, strict=True):
        position = min(max(cosine, position + 0.01), 0.99 - 0.01 * (len(CALIBRATION_SCORES) - len(points)))
        points.append((round(position, 4), score))
    return (*points, (1.0, MAX_SIMILARITY_SCORE))

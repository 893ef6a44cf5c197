"""Scoring: turn similarity, fingerprint distance and geometric alignment into a score from 0 to 10.

* The cosine of two embeddings alone scores at most 8.9. It shows that pictures are similar.
* A near fingerprint, or a transform under which the two pictures agree, shows a copy. A copy scores at least 9.

``bench/recognition/fit.py`` fitted the numbers in this module; docs/scores.md describes how.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.ports import MAX_SIMILARITY_SCORE, CalibrationCurve
from bot.images.features.comparison import fine_print
from bot.images.features.comparison.fine_print import Change, FineComparison
from bot.images.features.geometry import Alignment

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

# Coefficients of a logistic regression that predicts "is a copy" from an alignment. Each correlation enters as the
# negative logarithm of what it lacks, and the matched points as the logarithm of those that disagree, plus 1: another
# point that agrees never lowers the probability.
GEOMETRY_BIAS = 15.61
GEOMETRY_CORRELATION, GEOMETRY_TRIMMED, GEOMETRY_TYPICAL, GEOMETRY_LOG_OUTLIERS = 1.81, 0.32, -7.52, -5.85

_LEAST_LACKING = 0.002
"""Correlations above 0.998 count alike: recompression decides what is missing."""

PROOF_INLIERS = 12
"""Least number of agreeing points that prove a copy. Fewer agree by chance, for instance on two garments of one cut."""

FEW_TRIMMED, FEW_TYPICAL = 0.975, 0.17
"""Fewer points are enough if the luminances agree so well: least ``Alignment.trimmed`` and greatest ``typical``."""

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

PRINT_DETAIL, PRINT_CONTRAST, PRINT_FLATNESS, SAME_GROUND, OTHER_WORDS_SHARE = 0.4, 30.0, 0.42, 0.08, 0.5
"""Replaced print: least share of detail in either picture, least contrast and flatness, and greatest difference of the
grounds (see ``Change``); and its least share of all changes. Words that were replaced have a flatness of about 0.6, and
captions and stickers on photographs of about 0.2."""

MAX_ADDED, ADDED_OVER_DETAIL, ADDED_ON_GROUND, TINY_CHANGE = 0.35, 0.6, 0.35, 0.004
"""Additions on a plain ground: greatest area, greatest share of the stored picture's detail under one change and under
all, and area up to which a change isn't judged. Flavours of one pack differ where there is detail in both."""

MUCH_CHANGED = ((0.1, 0.165), (MAX_ADDED, 0.1))
"""Areas of one change, and typical differences of a patch, that stickers and captions don't exceed together, whether
recompressed or not. Filters change many small places."""

ADDED_WORST = 1.1
"""Greatest ``FineComparison.worst`` beside additions, whose edges reach farther than they are seen."""

STICKER_AGREEMENT, STICKER_GROUND = 0.9, 0.15
"""Stickers that cover the goods: least share of agreeing points and least ``Change.ground``. Flavours have less."""

PANNED_COVERED, PANNED_OUTSIDE = 0.95, 0.1
"""Share of the stored picture, and share of the query beyond it, from which a homography shows two views of one scene
by a camera that was turned. A photograph of a picture shows all of it or nothing else."""

PHOTOGRAPHED_CHANGES = 0.04
"""Greatest area that may change between a picture and a photograph of it. Two photographs of one scene change more."""

FINE_UNLIKE = 0.02
"""Greatest share of the detail that may differ at the size of small print."""

HUE_DEGREES = 40.0
"""Angle between the hues of two aligned pictures from which goods on a plain ground are another variant."""

PART_AGREEMENT, PART_TRIMMED, PART_TYPICAL, PART_PERSPECTIVE = 0.55, 0.9, 0.22, 0.9
"""Parts: least share of agreeing points, least ``Alignment.trimmed``, greatest ``typical``, and least share under a
homography. Many parts are tried, so one of them fits two photographs of one place by chance."""

FINGERPRINT_PROOF, FINGERPRINT_HINT = 31, 48
"""Hamming distances, of 256 bits, that show a copy if the luminances also correlate. Unrelated pictures are rarely this
near. Up to FINGERPRINT_PROOF the correlation must reach CORRELATION_PROOF, and up to FINGERPRINT_HINT it must reach
CORRELATION_HINT."""

CORRELATION_PROOF, CORRELATION_HINT = 0.75, 0.9

EXACT_TRIMMED, EXACT_TYPICAL, EXACT_CORRELATION = 0.985, 0.06, 0.6
"""Almost exact agreement without the worst quarter: least correlations and greatest typical difference of a patch. Two
photographs of one scene agree less."""

PERSPECTIVE_INLIERS, PERSPECTIVE_RATIO, PERSPECTIVE_CORRELATION, PERSPECTIVE_DIFFERING = 20, 0.5, 0.75, 0.03
"""Least agreeing points, share of them and correlation under a homography, and greatest share of the detail that may
differ, for pictures that have no plain background."""

DRAWING_BACKGROUND, OTHER_GROUND_SCORE = 0.4, 9.2
"""Share of one tone from which a picture is compared as a drawing on a ground, and the score of the same drawing on
another ground."""

FINE_HINT = 0.05
"""Probability from which agreement at the size of small print decides."""


def similarity_score(cosine: float, curve: CalibrationCurve = DEFAULT_CALIBRATION) -> float:
    """Return the score of a cosine on the curve, from 0 to MAX_SIMILARITY_SCORE."""
    return float(np.interp(cosine, [point[0] for point in curve], [point[1] for point in curve]))


def copy_probability(
    correlation: float, typical: float, inliers: int, matched: int, trimmed: float | None = None
) -> float:
    """Return the probability, from 0 to 1, that the query is a copy.

    The arguments are the fields of an ``images.features.geometry.Alignment``. Without ``trimmed``, ``correlation``
    stands for it.
    """
    if not matched or not inliers or not math.isfinite(typical):
        return 0.0
    logit = (
        GEOMETRY_BIAS
        + GEOMETRY_CORRELATION * lacking(correlation)
        + GEOMETRY_TRIMMED * lacking(correlation if trimmed is None else trimmed)
        + GEOMETRY_TYPICAL * typical
        + GEOMETRY_LOG_OUTLIERS * math.log1p(matched - inliers)
    )
    probability = 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
    agrees = trimmed is not None and trimmed >= FEW_TRIMMED and typical <= FEW_TYPICAL
    return probability if agrees or inliers >= PROOF_INLIERS else min(probability, BELOW_PROOF)


def lacking(correlation: float) -> float:
    """Return the negative logarithm of what a correlation lacks of 1. It rises with the correlation."""
    return -math.log(max(_LEAST_LACKING, 1 - correlation))


def fingerprint_proves(distance: int, correlation: float, trimmed: float = 0.0, typical: float = math.inf) -> bool:
    """Return whether a Hamming distance and a correlation of the luminances together prove a copy.

    A copy with a caption correlates less, but agrees almost exactly in three quarters of the picture.
    """
    if distance > FINGERPRINT_HINT:
        return False
    if trimmed >= EXACT_TRIMMED and typical <= EXACT_TYPICAL and correlation >= EXACT_CORRELATION:
        return True
    return correlation >= (CORRELATION_PROOF if distance <= FINGERPRINT_PROOF else CORRELATION_HINT)


def proves_in_perspective(inliers: int, matched: int, correlation: float, differing: float) -> bool:
    """Return whether a homography proves a photograph of the picture.

    ``differing`` is the share of the detail that differs. Two photographs of one scene differ in more.
    """
    return (
        inliers >= max(PERSPECTIVE_INLIERS, PERSPECTIVE_RATIO * matched)
        and correlation >= PERSPECTIVE_CORRELATION
        and differing <= PERSPECTIVE_DIFFERING
    )


def is_panned(alignment: Alignment) -> bool:
    """Return whether each of two pictures shows much that the other doesn't, as two views of a turned camera do."""
    return alignment.covered < PANNED_COVERED and alignment.outside > PANNED_OUTSIDE


def proves_part(alignment: Alignment) -> bool:
    """Return whether an alignment of a part of the query can prove a copy."""
    least = PART_PERSPECTIVE if alignment.is_homography else PART_AGREEMENT
    return (
        alignment.inliers >= least * alignment.matched
        and alignment.trimmed >= PART_TRIMMED
        and alignment.typical <= PART_TYPICAL
    )


def shows_other_content(plain: float, largest: float, share: float, worst: float) -> bool:
    """Return whether two aligned pictures show different content.

    ``plain`` is the stored picture's ``differences.plain_share``; the others are fields of ``differences.Difference``.
    """
    if plain >= PLAIN_BACKGROUND:
        return share > PLAIN_SHARE or worst > PLAIN_WORST
    return largest > MAX_DIFFERENCE


def has_other_words(changes: Sequence[Change]) -> bool:
    """Return whether words were replaced: most of what changed is print in both pictures, on the same flat ground.

    A sticker or a caption lies on another ground, over a photographed thing, or where nothing was.
    """
    replaced = sum(one.area for one in changes if _is_replaced_print(one))
    return replaced > 0 and replaced >= OTHER_WORDS_SHARE * sum(one.area for one in changes)


def has_replaced_print(changes: Sequence[Change]) -> bool:
    """Return whether print was replaced by other print anywhere."""
    return any(_is_replaced_print(one) for one in changes)


def _is_replaced_print(change: Change) -> bool:
    return (
        min(change.stored_detail, change.query_detail) >= PRINT_DETAIL
        and change.ground <= SAME_GROUND
        and change.contrast >= PRINT_CONTRAST
        and change.flatness >= PRINT_FLATNESS
    )


def changed_too_much(changes: Sequence[Change], typical: float) -> bool:
    """Return whether a large place changed although the rest doesn't agree well, as between two shots of one scene."""
    largest = max((one.area for one in changes), default=0.0)
    return any(largest > area and typical > limit for area, limit in MUCH_CHANGED)


def is_added(changes: Sequence[Change], agreement: float) -> bool:
    """Return whether the query has something added on a plain ground, and nothing of the stored picture is replaced.

    ``agreement`` is the share of the matched points that agree. If nearly all do, a sticker may lie on the goods.
    """
    if not changes or sum(one.area for one in changes) > MAX_ADDED:
        return False
    large = [one for one in changes if one.area >= TINY_CHANGE]
    if has_replaced_print(changes) or any(one.query_detail < PRINT_DETAIL for one in large):
        return False
    if agreement >= STICKER_AGREEMENT and all(one.ground >= STICKER_GROUND for one in large):
        return True
    return fine_print.mean_stored_detail(changes) <= ADDED_ON_GROUND and all(
        one.stored_detail <= ADDED_OVER_DETAIL for one in large
    )


def agrees_finely(fine: FineComparison) -> bool:
    """Return whether two pictures agree at the size at which small print can be told apart."""
    if has_replaced_print(fine.changes):
        return False
    changed = sum(one.area for one in fine.changes)
    return changed <= TINY_CHANGE and fine.unlike <= FINE_UNLIKE and fine.worst <= PLAIN_WORST


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

"""Calibration: the curve from cosines to scores, for a database's number of images and its own pictures.

The more images a database has, the more alike the best of the unrelated ones is. So the cosine that a score needs rises
with the logarithm of that number. docs/scores.md says how the numbers were fitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.calibration.stored import Calibration, ManualCurve, OwnPairs, parse
from bot.adapters.embedded.ports import CUSTOM_MODEL, MAX_SIMILARITY_SCORE, CalibrationCurve
from bot.domain.catalogue import ScoreFit

Floats = npt.NDArray[np.float32]

SMALLEST, LARGEST = 80, 1_000_000
"""Numbers of images between which the curve changes."""

UNRELATED = 0.36
"""Cosine that scores 0: the median of unrelated pictures."""

SIMILAR, SIMILAR_GROWTH = 0.58, 0.03
"""Cosine that scores 5 with SMALLEST images, and its growth when there are ten times as many. Of pictures whose kind
isn't in the database, 5 in 100 found anything as alike as an earlier curve needed, which is lower up to 80,000 images
(0.54 with a growth of 0.043)."""

RELATED, RELATED_GROWTH = 0.62, 0.038
"""The same for a score of 6, which 1 in 100 unrelated pictures reached on the earlier curve (0.60 and 0.045)."""

BELOW_SIMILAR = 0.04
"""How far below the cosine for 5 that for 4 is."""

VERY_ALIKE = 0.81
"""Cosine that scores 8, however many images there are."""

SELF_CALIBRATED_FROM = 100
"""Number of images from which a database calibrates itself."""

SAMPLE_SIZE = 2000
"""Images whose pairs are compared: about two million pairs, which take a second."""

TYPICAL = 0.37
"""Lower quartile of the cosines between different ids, for the built-in model and ordinary pictures. It was 0.33 to
0.42, and up to 0.66 for one kind of goods."""

ALL_ALIKE, ENTIRELY_ALIKE = 0.68, 0.80
"""Lower quartiles from which a database's own pairs begin to decide, and decide alone. Pages, forms and screens are
that much alike; for them, the default would call every page similar to every other."""


def default_curve(images: int) -> CalibrationCurve:
    """Return the curve for a database of this many ordinary pictures."""
    # In steps of a factor of two, so that a score doesn't change with each image that is added.
    size = min(max(images, SMALLEST), LARGEST)
    growth = math.log10(2 ** math.floor(math.log2(size / SMALLEST)))
    similar = SIMILAR + SIMILAR_GROWTH * growth
    return _curve(UNRELATED, similar - BELOW_SIMILAR, similar, RELATED + RELATED_GROWTH * growth, VERY_ALIKE)


def curve_for(calibration: Calibration, images: int, model_id: str) -> CalibrationCurve:
    """Return the curve that applies to a database of this many images."""
    if isinstance(calibration, ManualCurve):
        return calibration.curve
    curve = default_curve(images)
    if calibration is None or not calibration.sampled:
        return curve
    if model_id.startswith(CUSTOM_MODEL):
        # Another model's cosines lie elsewhere: move the curve so that ordinary pictures get the usual scores.
        stretch = (1 - calibration.typical) / (1 - TYPICAL)
        return _curve(*(1 - (1 - cosine) * stretch for cosine, _ in curve[:-1]))
    own_part = min(max((calibration.typical - ALL_ALIKE) / (ENTIRELY_ALIKE - ALL_ALIKE), 0.0), 1.0)
    if not own_part:
        return curve
    own = _own_curve(calibration, images)
    return _curve(*(a + own_part * (b - a) for (a, _), (b, _) in zip(curve[:-1], own[:-1], strict=True)))


def is_due(calibration: Calibration, images: int) -> bool:
    """Return whether a database must calibrate itself: it never did, or has doubled or halved since."""
    if isinstance(calibration, ManualCurve) or images < SELF_CALIBRATED_FROM:
        return False
    return calibration is None or not calibration.images / 2 < images < calibration.images * 2


def measure(entities: Sequence[str], embeddings: Floats, images: int) -> OwnPairs:
    """Measure the pairs of different ids in a sample of a database's ``images``.

    ``embeddings`` has one row of norm 1 for each of ``entities``. If all have one id, nothing is measured.
    """
    cosines = cosines_of_pairs(entities, embeddings)
    if not len(cosines):
        return OwnPairs(images)
    typical, median = np.quantile(cosines, (0.25, 0.5)).tolist()
    top = np.quantile(nearest_others(entities, embeddings), (0.9, 0.99)).round(4).tolist()
    return OwnPairs(images, len(entities), round(typical, 4), round(median, 4), (top[0], top[1]))


def cosines_of_pairs(entities: Sequence[str], embeddings: Floats) -> Floats:
    """Return the cosine of each pair of images with different ids, every pair once."""
    return np.asarray((embeddings @ embeddings.T)[np.triu(_different(entities))], np.float32)


def nearest_others(entities: Sequence[str], embeddings: Floats) -> Floats:
    """Return each image's greatest cosine to an image of another id; -1 if there is none."""
    if not len(embeddings):
        return np.zeros(0, np.float32)
    return np.asarray(np.where(_different(entities), embeddings @ embeddings.T, -1.0).max(axis=1), np.float32)


def _different(entities: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return for each pair of images whether they have different ids."""
    numbers = np.unique(np.array(entities, dtype=str), return_inverse=True)[1]
    return np.asarray(numbers[:, None] != numbers[None, :], np.bool_)


def fit_of(text: str | None) -> ScoreFit | None:
    """Return how a stored calibration fitted the scores; None if the default applies."""
    match parse(text):
        case ManualCurve():
            return ScoreFit()
        case OwnPairs(images=images, sampled=sampled) if sampled:
            return ScoreFit(images)
        case _:
            return None


def _own_curve(own: OwnPairs, images: int) -> CalibrationCurve:
    """Return the curve for pictures that are all alike: what their own nearest ones reach is not similar yet."""
    growth = math.log10(max(images, own.sampled) / own.sampled)
    similar, related = (1 - (1 - top) * (1 - SIMILAR_GROWTH * growth / (1 - SIMILAR)) for top in own.top)
    return _curve(own.median, similar - (similar - own.median) / 5, similar, related, (1 + related) / 2)


def _curve(*cosines: float) -> CalibrationCurve:
    """Return the curve with these cosines for 0, 4, 5, 6 and 8, at least 0.002 apart and below 0.99."""
    points: list[tuple[float, float]] = []
    for number, (cosine, score) in enumerate(zip(cosines, (0.0, 4.0, 5.0, 6.0, 8.0), strict=True)):
        least = points[-1][0] + 0.002 if points else -1.0
        points.append((round(min(max(cosine, least), 0.99 - 0.002 * (len(cosines) - number)), 4), score))
    return (*points, (1.0, MAX_SIMILARITY_SCORE))

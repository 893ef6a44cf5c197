"""Calibration: fit the scores of one database of the embedded engine to its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.calibration.curves import cosines_of_pairs, default_curve, nearest_others
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import CalibrationCurve
from bot.adapters.embedded.verification.scoring import fit_calibration, similarity_score
from bot.adapters.port import VisualSearch
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import SIMILAR_SCORE

RELATED_SCORE = 6.0
"""Lowest score of related images."""

MIN_PAIRS = 4000
"""With fewer pairs, the tail of the distribution is too uncertain; 90 images with different ids have more."""


@dataclass(frozen=True, slots=True)
class CalibrationEffect:
    """What a calibration changes.

    ``curve``: the new one by hand, or None for the default. ``images``: how many stored images were compared.
    ``similar_before`` and ``similar_after``: how many of them find another id that is called similar.
    ``related``: the cosine that scores 6 afterwards.
    """

    curve: CalibrationCurve | None
    images: int
    similar_before: int
    similar_after: int
    related: float


async def calibrate_database(
    visual: VisualSearch, key: DatabaseKey, *, reset: bool, preview: bool = False
) -> CalibrationEffect:
    """Fit and store the calibration curve of a database, or with ``reset``, go back to the default.

    With ``preview``, store nothing. Raises InvalidInput if the back end is not the embedded engine, or if the database
    has too few images for a fit.
    """
    if not isinstance(visual, EmbeddedSearch):
        raise InvalidInput(f"The “{visual.capabilities.name}” back end computes its own scores. It has no calibration.")
    entities, embeddings = await visual.calibrator.sample(key)
    curve = None if reset else await asyncio.to_thread(_fit, entities, embeddings)
    before = await visual.calibrator.current_curve(key)
    after = curve or default_curve(len(await visual.inventory(key)))
    if not preview:
        await visual.calibrator.set_manual_curve(key, curve)
    nearest = await asyncio.to_thread(nearest_others, entities, embeddings)
    return CalibrationEffect(
        curve,
        len(entities),
        _similar(nearest, before),
        _similar(nearest, after),
        next(cosine for cosine, score in after if score >= RELATED_SCORE),
    )


def _similar(nearest: npt.NDArray[np.float32], curve: CalibrationCurve) -> int:
    return sum(similarity_score(cosine, curve) >= SIMILAR_SCORE for cosine in nearest.tolist())


def _fit(entities: Sequence[str], embeddings: npt.NDArray[np.float32]) -> CalibrationCurve:
    """Fit the curve to pairs of images with different ids. Raises InvalidInput if there are fewer than MIN_PAIRS.

    ``embeddings`` has one row of norm 1 for each of ``entities``.
    """
    cosines = cosines_of_pairs(entities, embeddings)
    if len(cosines) < MIN_PAIRS:
        raise InvalidInput("There are too few images for a calibration. It needs about 90 with different ids.")
    return fit_calibration(cosines)

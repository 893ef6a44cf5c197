"""Calibration: fit the scores of one database of the embedded engine to its pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import CalibrationCurve
from bot.adapters.embedded.scoring import fit_calibration
from bot.adapters.port import VisualSearch
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey

SAMPLE_SIZE = 2000
"""Images that a calibration compares: about two million pairs, which take a second."""

MIN_PAIRS = 4000
"""With fewer pairs, the tail of the distribution is too uncertain; 90 images with different ids have more."""


async def calibrate_database(visual: VisualSearch, key: DatabaseKey, *, reset: bool) -> CalibrationCurve | None:
    """Fit and store the calibration curve of a database; with ``reset``, delete it and return None.

    Raises InvalidInput if the back end is not the embedded engine, or if the database has too few images.
    """
    if not isinstance(visual, EmbeddedSearch):
        raise InvalidInput(f"The “{visual.capabilities.name}” back end computes its own scores. It has no calibration.")
    curve = None
    if not reset:
        entities, embeddings = await visual.sample(key, SAMPLE_SIZE)
        curve = await asyncio.to_thread(_fit, entities, embeddings)
    await visual.set_calibration(key, curve)
    return curve


def _fit(entities: Sequence[str], embeddings: npt.NDArray[np.float32]) -> CalibrationCurve:
    """Fit the curve to pairs of images with different ids. Raises InvalidInput if there are fewer than MIN_PAIRS.

    ``embeddings`` has one row of norm 1 for each of ``entities``.
    """
    numbers = np.unique(np.array(entities, dtype=str), return_inverse=True)[1]
    first, second = np.triu_indices(len(numbers), 1)
    unrelated = numbers[first] != numbers[second]
    if int(unrelated.sum()) < MIN_PAIRS:
        raise InvalidInput("There are too few images for a calibration. It needs about 90 with different ids.")
    cosines = (embeddings @ embeddings.T)[first, second][unrelated]
    return fit_calibration(cosines)

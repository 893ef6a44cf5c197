"""Metrics of retrieval, defined as in DISC21 and SSCD so that figures can be compared. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Predictions = Sequence[tuple[float, bool]]
"""Score, and whether the pair is right, for every (query, image) pair that any query of a benchmark returned."""


def micro_average_precision(predictions: Predictions, positives: int) -> float:
    """Return uAP: the area under the precision-recall curve of all queries' answers in one list, best scores first.

    ``positives`` is the number of right pairs, whether they were returned or not. So scores must mean the same for
    every query, and a query without a right pair only adds wrong ones.
    """
    right, precision, _ = _curve(predictions, positives)
    return float((precision * right).sum() / positives)


def recall_at_precision(predictions: Predictions, positives: int, least: float = 0.9) -> float:
    """Return the greatest recall at which at least the given share of the answers is right; 0 if there is none."""
    _, precision, recall = _curve(predictions, positives)
    reached = recall[precision >= least]
    return float(reached.max()) if len(reached) else 0.0


def _curve(
    predictions: Predictions, positives: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return for each answer, best scores first, whether it is right, and precision and recall down to it.

    Of equal scores, wrong answers come first, so that ties never flatter.
    """
    ordered = sorted(predictions, key=lambda prediction: (-prediction[0], prediction[1]))
    right = np.array([is_right for _, is_right in ordered], np.float64)
    found = np.cumsum(right)
    return right, found / np.arange(1, len(right) + 1), found / positives

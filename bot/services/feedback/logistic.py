"""Logistic regression with NumPy: Fisher scoring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEPS, LARGEST_STEP, SMALLEST_STEP = 200, 1.0, 1e-9

BIAS_RIDGE = 1e-6
"""Of the ridge. It keeps the bias finite if all rows are of one class."""


def fit_logistic(
    features: Floats,
    truth: npt.NDArray[np.bool_],
    *,
    ridge: float,
    weight: Floats | None = None,
    prior: Floats | None = None,
    mistakes: float = 0.0,
) -> tuple[float, Floats]:
    """Return the bias and a weight for each column of ``features``.

    ``ridge``: the penalty on weights that differ from ``prior``, for features with deviation 1. ``prior``: 0 unless
    given. ``weight``: of each row, 1 unless given. ``mistakes``: the share of rows in each class whose truth is wrong.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    x = np.column_stack((np.ones(len(features)), (features - mean) / deviation))
    expected = np.r_[0.0, np.zeros(len(mean)) if prior is None else prior * deviation]
    found, penalty = expected.copy(), ridge * np.diag(np.r_[BIAS_RIDGE, np.ones(len(mean))])
    rows = np.ones(len(features)) if weight is None else weight
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-x @ found))
        said = mistakes + (1 - 2 * mistakes) * probability
        slope, variance = (1 - 2 * mistakes) * probability * (1 - probability), said * (1 - said) + 1e-12
        gradient = x.T @ (rows * (truth - said) * slope / variance) - penalty @ (found - expected)
        information = (x * (rows * slope**2 / variance)[:, None]).T @ x + penalty
        step = np.clip(np.linalg.solve(information, gradient), -LARGEST_STEP, LARGEST_STEP)
        found += step
        if np.abs(step).max() < SMALLEST_STEP:
            break
    weights = found[1:] / deviation
    return float(found[0] - weights @ mean), weights

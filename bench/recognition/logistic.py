"""Logistic regression, as the constants of the verification are fitted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def fit_logistic(features: Matrix, truth: npt.NDArray[np.bool_], weight: Matrix, ridge: float) -> tuple[float, Matrix]:
    """Fit by Newton's method. Return bias and weights.

    ``weight``: of each row of ``features``. ``ridge``: the penalty on weights of features with deviation 1.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    x = np.column_stack((np.ones(len(features)), (features - mean) / deviation))
    found = np.zeros(x.shape[1])
    for _ in range(200):
        probability = 1 / (1 + np.exp(-x @ found))
        gradient = x.T @ (weight * (truth - probability)) - ridge * np.r_[0, found[1:]]
        curvature = (x * (weight * probability * (1 - probability))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        found += np.clip(np.linalg.solve(curvature, gradient), -3, 3)
    weights = found[1:] / deviation
    return float(found[0] - weights @ mean), weights

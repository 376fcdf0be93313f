"""Ridge regression in its dual form, with the strength chosen by units that are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.estimation.conformal import unit_folds

Floats = npt.NDArray[np.float64]

STRENGTHS = np.logspace(-4, 3, 15)
"""Shares of the mean squared length of the features."""


def fit_ridge(features: Floats, target: Floats, units: npt.NDArray[Any], seed: int) -> tuple[Floats, float]:
    """Weights [D] and intercept of a ridge regression.

    Of the strengths, the one with the least squared error on left-out units is taken: with samples pressed
    several times, left-out presses alone would choose too weak a one.

    Args:
        features: [n, D], standardised.
        target: [n].
        units: [n].
        seed: seed of the folds.
    """
    errors = np.zeros(len(STRENGTHS))
    for train, test in unit_folds(units, seed):
        weights, intercept = _path(features[train], target[train])
        errors += ((features[test] @ weights + intercept - target[test][:, None]) ** 2).sum(axis=0)
    weights, intercept = _path(features, target)
    best = int(errors.argmin())
    return weights[:, best], float(intercept[best])


def _path(features: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Weights [D, strengths] and intercepts [strengths]."""
    centre, mean = features.mean(axis=0), target.mean()
    x, y = features - centre, target - mean
    if x.shape[1] <= x.shape[0]:
        values, vectors = np.linalg.eigh(x.T @ x)
        right = vectors.T @ (x.T @ y)
        weights = vectors @ (right[:, None] / (np.maximum(values, 0)[:, None] + _strengths(x)))
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        dual = vectors @ ((vectors.T @ y)[:, None] / (np.maximum(values, 0)[:, None] + _strengths(x)))
        weights = x.T @ dual
    return weights, mean - centre @ weights


def _strengths(x: Floats) -> Floats:
    return STRENGTHS * max(float((x**2).sum() / len(x)), 1e-12)

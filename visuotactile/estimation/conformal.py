"""Calibration of stated intervals on units that were left out of the fit.

Conformal prediction (Vovk, Gammerman and Shafer 2005): the level-quantile of the absolute residuals of data
that had no part in the fit, each divided by its expected deviation, states intervals that hold new data at
that level, whatever the estimator. Here the residuals come from a cross-validation (cross-conformal, Vovk
2015), and what is exchangeable is the unit, such as the sample pressed, and not the press: each unit weighs
the same, however often it was pressed (Dunn, Wasserman and Ramdas 2023, "Distribution-free prediction sets
for two-layer hierarchical models").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True)
class Scores:
    """Residuals of units that were not fitted on.

    Attributes:
        values: [m] absolute residuals over their expected deviation, ascending.
        weights: [m] one over the number of the unit's residuals.
    """

    values: Floats
    weights: Floats

    @classmethod
    def of(cls, values: Floats, units: npt.NDArray[Any]) -> Self:
        """Scores of residuals [m] of units [m]."""
        _, unit, count = np.unique(units, return_inverse=True, return_counts=True)
        order = np.argsort(values, kind="stable")
        return cls(values[order], 1.0 / count[unit][order])

    def quantile(self, level: float) -> float:
        """Factor of the expected deviation that holds a share `level` of new units' numbers.

        One more unit, the new one, counts as if it were never held; where that alone is more than 1 − level,
        the largest residual is the best that can be said.
        """
        if not 0 < level < 1:
            raise DataError(f"level is {level}; expected a share above 0 and below 1, such as 0.9")
        units = self.weights.sum()
        place = np.searchsorted(np.cumsum(self.weights), level * (units + 1) - 1e-9)
        return float(self.values[min(place, len(self.values) - 1)])


def unit_folds(units: npt.NDArray[Any], seed: int, folds: int = FOLDS) -> Iterator[tuple[Rows, Rows]]:
    """Training and test rows of each fold; every unit is tested once.

    Raises:
        DataError: there are fewer than two units.
    """
    names, unit = np.unique(units, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{len(names)} unit is too few to calibrate an interval on; press several samples")
    count = min(folds, len(names))
    home = np.random.default_rng(seed).permutation(np.arange(len(names)) % count)[unit]
    for fold in range(count):
        yield np.flatnonzero(home != fold), np.flatnonzero(home == fold)

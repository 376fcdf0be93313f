"""Calibration error of probabilities, and the curve of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from visuotactile.errors import DataError

Floats = npt.NDArray[np.float64]
Bins = Literal["mass", "width"]

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Predicted probability and observed frequency, bin by bin; empty bins are left out.

    Attributes:
        predicted: [K], mean probability in each bin.
        observed: [K], share of the examples that succeeded.
        count: [K], examples.
    """

    predicted: Floats
    observed: Floats
    count: npt.NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean |predicted − observed|, each bin weighted by its examples."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.count))


def reliability(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: Bins = "mass", count: int = BINS
) -> Reliability:
    """Bin probabilities [N] and compare with labels [N] of 0 and 1.

    `bins="mass"` gives each bin the same number of examples, as far as ties allow (equal probabilities share
    a bin): none is a handful of examples, also where nearly all predictions are alike. It is what we report.
    `"width"` divides [0, 1] evenly, as Guo et al. (2017) do: for comparison with others. Either is biased
    upwards on few examples: with n in a bin, chance alone moves its share by about sqrt(p(1 − p) / n).

    Raises:
        DataError: there is nothing to bin, or something is neither a probability nor a label.
    """
    p, y = _checked(probabilities, labels)
    if bins == "width":
        edges = np.linspace(0, 1, count + 1)[1:-1]
    else:
        edges = np.unique(np.quantile(p, np.linspace(0, 1, count + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, p, side="right" if bins == "width" else "left")
    _, place, members = np.unique(place, return_inverse=True, return_counts=True)
    return Reliability(
        predicted=np.bincount(place, p) / members,
        observed=np.bincount(place, y) / members,
        count=members.astype(np.int64),
    )


def calibration_error(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: Bins = "mass", count: int = BINS
) -> float:
    """Expected calibration error in [0, 1]; see `reliability` for the bins."""
    return reliability(probabilities, labels, bins, count).error


def log_loss(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean negative log-likelihood in nats; certainties are taken as 1 − 10⁻⁷."""
    p, y = _checked(probabilities, labels)
    return float(metrics.log_loss(y, p.clip(1e-7, 1 - 1e-7), labels=[0, 1]))


def _checked(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    if p.shape != y.shape or p.ndim != 1 or not p.size:
        raise DataError(
            f"{p.shape} probabilities and {y.shape} labels; expected as many of each, at least one"
        )
    if not ((p >= 0) & (p <= 1)).all() or not np.isin(y, (0, 1)).all():
        raise DataError(
            "expected probabilities from 0 to 1, and labels 0 or 1: leave unlabelled examples out"
        )
    return p, y

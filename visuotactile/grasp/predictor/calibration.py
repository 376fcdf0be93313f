"""Calibration of logits to probabilities, fitted on objects held out of the training.

Platt scaling is the paper's, and what a predictor keeps. Temperature and isotonic regression are for
comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from visuotactile.errors import DataError

Floats = npt.NDArray[np.float64]
Method = Literal["none", "platt", "temperature"]

FLATTEST = 1e-3
"""Minimum slope, per standard deviation of the logits: an uninformative network then gets the success rate of
the held-out objects as its probability, but keeps its order."""

TEMPERATURES = (0.02, 50.0)


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope · logit + intercept), for each outcome.

    Attributes:
        method: "platt", "temperature" (no intercept) or "none".
        slope, intercept: [O].
        examples: number of labelled examples that it was fitted on, for each outcome.
        objects: number of their objects.
    """

    method: Method
    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    examples: tuple[int, ...]
    objects: int

    @classmethod
    def none(cls, outcomes: int) -> Calibration:
        """The network's own probabilities."""
        return cls("none", (1.0,) * outcomes, (0.0,) * outcomes, (0,) * outcomes, 0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The inverse of `dataclasses.asdict`, after JSON; `TypeError` on any missing or unknown key."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)


def calibrate(
    logits: npt.ArrayLike, labels: npt.ArrayLike, objects: npt.ArrayLike, method: Method = "platt"
) -> Calibration:
    """Fit each outcome of logits [N, O] on labels [N, O], without labels below 0.

    Raises:
        DataError: an outcome has no labelled example.
    """
    x, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if x.ndim != 2 or x.shape != y.shape or len(np.asarray(objects)) != len(x):
        raise DataError(f"logits are {x.shape}, labels {y.shape}; expected [N, O] of each and N objects")
    if method == "none":
        return Calibration.none(x.shape[1])
    fit = {"platt": platt, "temperature": temperature}[method]
    slopes, intercepts = zip(*(fit(x[seen, o], y[seen, o]) for o, seen in enumerate(y.T >= 0)), strict=True)
    examples = tuple(int(n) for n in (y >= 0).sum(0))
    return Calibration(method, slopes, intercepts, examples, len(np.unique(np.asarray(objects))))


def platt(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[float, float]:
    """Slope and intercept of Platt (1999), by maximum likelihood.

    His targets, (n₊ + 1) / (n₊ + 2) for success and 1 / (n₋ + 2) for failure, keep the slope finite where the
    held-out examples are separable. The slope is at least `FLATTEST`, so that the order is kept.
    """
    x, y = _checked(logits, labels)
    target = _soft(y)
    twice, classes = np.concatenate([x, x])[:, None], np.repeat([1, 0], len(x))
    weights = np.concatenate([target, 1 - target])
    # Scaled, since small logits need a large slope, and the solver's tolerance is absolute.
    spread = float(x.std()) or 1.0
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(twice / spread, classes, weights)
    slope, intercept = float(model.coef_[0, 0]) / spread, float(model.intercept_[0])
    least = FLATTEST / spread
    if slope >= least:
        return slope, intercept
    mean = float(target.mean())
    return least, float(np.log(mean / (1 - mean)) - least * x.mean())


def temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[float, float]:
    """Slope 1/T of temperature scaling (Guo et al., 2017) by maximum likelihood on Platt's targets, and 0."""
    x, y = _checked(logits, labels)
    target = _soft(y)

    def loss(log_temperature: float) -> float:
        z = x * np.exp(-log_temperature)
        return float(np.mean(np.logaddexp(0, z) - target * z))

    low, high = np.log(TEMPERATURES)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(-best.x)), 0.0


def isotonic(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Callable[[npt.ArrayLike], Floats]:
    """Isotonic regression from logits [N] to probabilities.

    Its steps tie candidates and have no gradient, so predictors do not use it.
    """
    x, y = _checked(logits, labels)
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y)
    return lambda values: np.asarray(fitted.predict(np.asarray(values, np.float64)), np.float64)


def sigmoid(logits: npt.ArrayLike, slope: float = 1.0, intercept: float = 0.0) -> Floats:
    """Probabilities of logits, in float64."""
    return np.asarray(expit(slope * np.asarray(logits, np.float64) + intercept), np.float64)


def _soft(labels: Floats) -> Floats:
    positive = labels.sum()
    negative = len(labels) - positive
    return np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))


def _checked(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise DataError(
            f"{x.shape} logits and {y.shape} labels held out; expected as many of each, at least one"
        )
    if not np.isfinite(x).all() or not np.isin(y, (0, 1)).all():
        raise DataError("expected finite logits and labels 0 or 1: leave unlabelled examples out")
    return x, y

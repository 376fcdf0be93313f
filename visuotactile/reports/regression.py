"""Metrics of predicted numbers under thousands of resamples at once, and the calibration of their intervals.

A resample of the independent units is a weight per trial, so every metric takes weights `[draws, n]` and
returns one value per draw, `[draws]`. The figure itself is the metric at weight one, where it equals
scikit-learn's or SciPy's. A resample in which a metric is undefined gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.reports.intervals import Estimate, Figure, Floats, Ints, estimate, format_figure

MOST_VALUES = 8
"""Distinct values of a condition that are reported one by one; of more, thirds."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers predicted for trials that the estimator was not fitted on.

    Attributes:
        truth: [n].
        predicted: [n].
        drawn: [n] number of each trial's independent unit, such as its object.
        low: [n] lower end of each trial's stated interval; None where none was stated.
        high: [n] upper end.
    """

    truth: Floats
    predicted: Floats
    drawn: Ints
    low: Floats | None = None
    high: Floats | None = None

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.truth)

    def only(self, chosen: npt.NDArray[np.bool_] | Ints) -> Numbers:
        """The chosen trials."""
        low, high = (None if end is None else end[chosen] for end in (self.low, self.high))
        return Numbers(
            truth=self.truth[chosen],
            predicted=self.predicted[chosen],
            drawn=self.drawn[chosen],
            low=low,
            high=high,
        )

    def on(self, scale: Callable[[Floats], Floats]) -> Numbers:
        """The same on another scale, given an increasing function of the number."""
        low, high = (None if end is None else scale(end) for end in (self.low, self.high))
        return replace(self, truth=scale(self.truth), predicted=scale(self.predicted), low=low, high=high)


Metric = Callable[[Numbers, Floats], Floats]


def rmse(found: Numbers, weights: Floats) -> Floats:
    """Root of the mean squared error."""
    return np.sqrt(_mean(weights, (found.predicted - found.truth) ** 2))


def mae(found: Numbers, weights: Floats) -> Floats:
    """Mean absolute error."""
    return _mean(weights, np.abs(found.predicted - found.truth))


def bias(found: Numbers, weights: Floats) -> Floats:
    """Mean of predicted minus true."""
    return _mean(weights, found.predicted - found.truth)


def r2(found: Numbers, weights: Floats) -> Floats:
    """Coefficient of determination: 0 for the mean of the tested numbers, 1 without error.

    It is undefined where all tested numbers are equal.
    """
    error, total = (found.predicted - found.truth) ** 2, weights.sum(axis=1)
    # Centred, so that the variance does not lose its digits; rounding alone is no variance.
    centred = found.truth - found.truth.mean()
    spread = weights @ centred**2 - _ratio(weights @ centred, total) ** 2 * total
    spread = np.where(spread > 1e-12 * (weights @ found.truth**2), spread, 0.0)
    return 1 - _ratio(weights @ error, spread)


def spearman(found: Numbers, weights: Floats) -> Floats:
    """Spearman's rank correlation; ties share their mean rank."""
    x, y = _ranks(found.truth, weights), _ranks(found.predicted, weights)
    x -= _mean_of(weights, x)[:, None]
    y -= _mean_of(weights, y)[:, None]
    joint, own, other = ((weights * product).sum(axis=1) for product in (x * y, x * x, y * y))
    return _ratio(joint, np.sqrt(own * other))


def coverage(found: Numbers, weights: Floats) -> Floats:
    """Share of the stated intervals that hold the true number."""
    low, high = _stated(found)
    return _mean(weights, (low <= found.truth) & (found.truth <= high))


def width(found: Numbers, weights: Floats) -> Floats:
    """Mean width of the stated intervals."""
    low, high = _stated(found)
    return _mean(weights, high - low)


ERRORS: dict[str, Metric] = {"rmse": rmse, "mae": mae, "r2": r2, "spearman": spearman, "bias": bias}
STATED: dict[str, Metric] = {"coverage": coverage, "width": width}
"""Metrics of stated intervals."""

TITLES = {
    "rmse": "RMSE",
    "rmse_share": "RMSE, % of range",
    "mae": "MAE",
    "mae_share": "MAE, % of range",
    "r2": "R²",
    "spearman": "Spearman",
    "bias": "Bias",
    "coverage": "Held",
    "width": "Width",
    "width_share": "Width, % of range",
}


def figures(per_seed: Sequence[Numbers], counts: Floats, span: float) -> dict[str, Figure]:
    """Every metric, with its interval over units, for a JSON report.

    Args:
        per_seed: predictions for each seed.
        counts: [draws, units], from `intervals.draw_units`.
        span: range of the true numbers, of which `…_share` are shares: maximum minus minimum over the store,
            not over the trials at hand, so that figures of several splits compare.
    """
    metrics = ERRORS if per_seed[0].low is None else ERRORS | STATED
    found = {name: estimate(metric, per_seed, counts) for name, metric in metrics.items()}
    for name in ("rmse", "mae", "width"):
        if name in found:
            each = found[name]
            found[f"{name}_share"] = Estimate(each.per_seed / span, each.resampled / span)
    return {name: found[name].figure() for name in TITLES if name in found}


def written(name: str, figure: Figure | None) -> str:
    """A figure of `figures` for a table: shares in percent."""
    share = name.endswith("_share") or name == "coverage"
    return format_figure(figure, 1 if share else 2, ends=1 if share else 2, scale=100 if share else 1)


def calibration(at_level: Mapping[float, Sequence[Numbers]], counts: Floats) -> list[dict[str, object]]:
    """Share of intervals that hold the truth, at each stated level.

    Args:
        at_level: stated level, such as 0.9 → predictions for each seed, with intervals of that level.
        counts: [draws, units].
    """
    return [
        {"level": level, "held": estimate(coverage, per_seed, counts).figure()}
        for level, per_seed in sorted(at_level.items())
    ]


def error_by(
    per_seed: Sequence[Numbers], values: Sequence[npt.NDArray[Any]], counts: Floats, span: float
) -> list[dict[str, object]]:
    """Figures within each value of a condition, or within thirds of its trials where it has many values.

    Args:
        per_seed: predictions for each seed.
        values: for each seed the condition [n] of its trials, such as the depth of the press; numbers or
            text.
        counts: [draws, units].
        span: as for `figures`.

    Returns:
        A list of rows with `low` and `high`, the ends of the condition, `trials`, and `figures`, which have
        no interval where a single unit is left.
    """
    whole = np.concatenate(list(values))
    distinct = np.unique(whole)
    bins: list[tuple[Any, Any]]
    if len(distinct) <= MOST_VALUES or whole.dtype.kind == "U":
        bins = [(value, value) for value in distinct.tolist()]
    else:
        first, second = np.quantile(whole, [1 / 3, 2 / 3])
        bins = [
            (float(part.min()), float(part.max()))
            for part in (
                whole[whole <= first],
                whole[(whole > first) & (whole <= second)],
                whole[whole > second],
            )
            if len(part)
        ]
    rows: list[dict[str, object]] = []
    for low, high in bins:
        inside = [(each >= low) & (each <= high) for each in values]
        chosen = [found.only(mask) for found, mask in zip(per_seed, inside, strict=True) if mask.any()]
        several = len(np.unique(np.concatenate([each.drawn for each in chosen]))) > 1
        rows.append(
            {
                "low": low,
                "high": high,
                "trials": sum(map(len, chosen)) // len(chosen),
                "figures": figures(chosen, counts if several else np.full_like(counts, np.nan), span),
            }
        )
    return rows


def _stated(found: Numbers) -> tuple[Floats, Floats]:
    if found.low is None or found.high is None:
        raise ValueError("these predictions state no intervals")
    return found.low, found.high


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Rank [draws, n] of each number in each resample, up to a constant."""
    order = np.argsort(values, kind="stable")
    ranked, weighed = values[order], weights[:, order]
    first = np.r_[True, ranked[1:] != ranked[:-1]]
    tied = np.add.reduceat(weighed, np.flatnonzero(first), axis=1)
    middle = np.cumsum(tied, axis=1) - tied / 2
    ranks = np.empty_like(weighed, np.float64)
    ranks[:, order] = middle[:, np.cumsum(first) - 1]
    return ranks


def _mean(weights: Floats, values: npt.NDArray[np.generic]) -> Floats:
    return _ratio(weights @ values.astype(np.float64), weights.sum(axis=1))


def _mean_of(weights: Floats, values: Floats) -> Floats:
    return _ratio((weights * values).sum(axis=1), weights.sum(axis=1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

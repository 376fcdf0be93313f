"""Reliability of predicted probabilities: calibration error, reliability diagram, and the report of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn import metrics

from visuotactile.errors import DataError
from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import isotonic, platt, sigmoid, temperature
from visuotactile.reports import intervals
from visuotactile.reports.intervals import Estimate, draw_units, drawn_rows, format_figure
from visuotactile.reports.markdown import made_with, table

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

    `bins="mass"`, which we report, gives each bin the same number of examples, as far as ties allow (equal
    probabilities share a bin), so that no bin is nearly empty. `"width"` divides [0, 1] evenly, as Guo et al.
    (2017) do, for comparison. Either is biased upwards on few examples: with n in a bin, chance alone moves
    its share by about sqrt(p(1 − p) / n).

    Raises:
        DataError: the arrays are empty, or hold other values than probabilities and labels.
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
    """Mean negative log-likelihood in nats, with probabilities clipped at 10⁻⁷ from 0 and 1."""
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


AS_TRAINED, PLATT = "as trained", "Platt scaling"
DRAWS = 300
"""Fewer resamples than elsewhere, since each is binned anew."""

MEASURES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "calibration error, equal mass": lambda p, y: calibration_error(p, y, "mass"),
    "calibration error, equal width": lambda p, y: calibration_error(p, y, "width"),
    "Brier score": lambda p, y: float(metrics.brier_score_loss(y, p)),
    "log loss": log_loss,
}
COLORS = {AS_TRAINED: "#b3473c", PLATT: "#2a6f97"}


def calibrated_ways(logits: npt.ArrayLike, labels: npt.ArrayLike, tested: npt.ArrayLike) -> dict[str, Floats]:
    """Probabilities of `tested` logits [M] by each method, fitted on logits and labels [N] of other objects.

    "base rate" is the baseline without inputs: the success rate of the [N].
    """
    x, new = np.asarray(logits, np.float64), np.asarray(tested, np.float64)
    return {
        "base rate": np.full(len(new), float(np.mean(np.asarray(labels, np.float64)))),
        AS_TRAINED: sigmoid(new),
        "temperature": sigmoid(new, *temperature(x, labels)),
        PLATT: sigmoid(new, *platt(x, labels)),
        "isotonic": isotonic(x, labels)(new),
    }


def measure(
    ways: Mapping[str, Floats], labels: npt.ArrayLike, objects: npt.ArrayLike, seed: int = 0
) -> dict[str, dict[str, intervals.Figure]]:
    """Each of `MEASURES` for each method, with its interval over objects.

    The calibration error of a resample contains the sampling noise twice, and is too high on average: the
    interval is shifted by the bias of the resamples' mean.
    """
    y = np.asarray(labels, np.float64)
    _, owner = np.unique(np.asarray(objects), return_inverse=True)
    counts = draw_units(np.ones(owner.max() + 1, bool), seed, DRAWS)
    samples = list(drawn_rows(owner.astype(np.int64), counts))
    found: dict[str, dict[str, intervals.Figure]] = {}
    for way, p in ways.items():
        found[way] = {}
        for name, of in MEASURES.items():
            value, drawn = of(p, y), np.array([of(p[rows], y[rows]) for rows in samples] or [np.nan])
            moved = (drawn - drawn.mean() + value).clip(0)
            found[way][name] = Estimate(np.array([value]), moved).figure()
    return found


def draw_diagram(
    ways: Mapping[str, Floats], labels: npt.ArrayLike, path: Path, outcome: str = "success"
) -> None:
    """Save a reliability diagram as SVG: observed over predicted frequency, and a histogram."""
    with mpl.rc_context({"svg.hashsalt": "visuotactile", "font.size": 9}):
        figure = Figure(figsize=(4.2, 5.2), layout="constrained")
        curve, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        curve.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for way, color in COLORS.items():
            found = reliability(ways[way], labels)
            label = f"{way}, error {found.error:.3f}"
            curve.plot(found.predicted, found.observed, "o-", color=color, markersize=4, label=label)
            counts.hist(ways[way], bins=20, range=(0, 1), histtype="step", color=color)
        curve.set(ylabel="share that succeeded", ylim=(-0.02, 1.02), xlim=(-0.02, 1.02), aspect="equal")
        curve.legend(loc="upper left", frameon=False)
        counts.set(xlabel=f"predicted probability of {outcome}", ylabel="examples")
        for axes in (curve, counts):
            axes.spines[["top", "right"]].set_visible(False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def write_calibration_report(
    folder: Path,
    ways: Mapping[str, Floats],
    labels: npt.ArrayLike,
    objects: npt.ArrayLike,
    about: str,
    seed: int = 0,
    outcome: str = "success",
) -> dict[str, dict[str, intervals.Figure]]:
    """Write calibration.md, calibration.json and reliability.svg of one outcome into `folder`.

    Args:
        folder: folder of the report, made if necessary.
        ways: result of `calibrated_ways`, concatenated over folds.
        labels: 0 or 1 of each recorded example.
        objects: object of each example, the unit of the interval.
        about: a sentence on training, calibration and test data.
        seed: seed of the interval.
        outcome: name of the outcome; of several, each has a report in its own folder.
    """
    found = measure(ways, labels, objects, seed)
    draw_diagram(ways, labels, folder / "reliability.svg", outcome)
    examples, units = len(np.asarray(labels)), len(np.unique(np.asarray(objects)))
    rows = [
        [way, *(format_figure(figure, ends=3) for figure in measures.values())]
        for way, measures in found.items()
    ]
    parts = [
        "# Calibration on unseen objects",
        about,
        f"{examples:,} examples of {units} objects, none of which the network was trained or calibrated on; "
        f"95% interval from {DRAWS} draws of the objects. Calibration error over {BINS} bins.",
        table(["", *MEASURES], rows),
        "![reliability](reliability.svg)",
        *made_with(provenance()),
    ]
    write_text(folder / "calibration.md", "\n\n".join(parts) + "\n")
    content = {"examples": examples, "objects": units, "seed": seed, "measures": found, **provenance()}
    write_json(folder / "calibration.json", content)
    return found

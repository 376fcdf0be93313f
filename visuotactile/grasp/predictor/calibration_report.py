"""Calibration of a predictor's probabilities on unseen objects: table and reliability diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.metrics import brier_score_loss

from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import isotonic, platt, sigmoid, temperature
from visuotactile.grasp.predictor.reliability import (
    BINS,
    calibration_error,
    log_loss,
    reliability,
)
from visuotactile.reports import intervals
from visuotactile.reports.intervals import Estimate, draw_units, drawn_rows, format_figure
from visuotactile.reports.markdown import table

Floats = npt.NDArray[np.float64]

AS_TRAINED, PLATT = "as trained", "Platt scaling"
DRAWS = 300
"""Fewer than elsewhere: every draw is binned anew."""

MEASURES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "calibration error, equal mass": lambda p, y: calibration_error(p, y, "mass"),
    "calibration error, equal width": lambda p, y: calibration_error(p, y, "width"),
    "Brier score": lambda p, y: float(brier_score_loss(y, p)),
    "log loss": log_loss,
}
COLORS = {AS_TRAINED: "#b3473c", PLATT: "#2a6f97"}


def calibrated_ways(logits: npt.ArrayLike, labels: npt.ArrayLike, tested: npt.ArrayLike) -> dict[str, Floats]:
    """Probabilities of `tested` logits [M], by every way fitted on logits and labels [N] of other objects.

    "base rate" is the baseline that looks at nothing: the success rate of the [N].
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
    """Each of `MEASURES` for each way, with its interval over objects.

    The calibration error of a redrawn sample holds the sampling noise twice, and so lies too high on average:
    the interval is moved by as much as the draws' mean is off.
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


def draw_diagram(ways: Mapping[str, Floats], labels: npt.ArrayLike, path: Path) -> None:
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
        counts.set(xlabel="predicted probability of success", ylabel="examples")
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
) -> dict[str, dict[str, intervals.Figure]]:
    """Write calibration.md, calibration.json and reliability.svg into `folder`.

    Args:
        folder: made if it is not there.
        ways: what `calibrated_ways` gave, of several folds one after another if there are.
        labels: 0 or 1 of each example; leave out those that were not recorded.
        objects: of each example; the interval is over them.
        about: a sentence on what was trained, fitted and tested.
        seed: of the interval.
    """
    found = measure(ways, labels, objects, seed)
    draw_diagram(ways, labels, folder / "reliability.svg")
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
    ]
    write_text(folder / "calibration.md", "\n\n".join(parts) + "\n")
    content = {"examples": examples, "objects": units, "seed": seed, "measures": found, **provenance()}
    write_json(folder / "calibration.json", content)
    return found

"""Figures 7 and 8: measures of force, and what the predictor makes of force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from experiments.gentle_grasping.experiment import OUTCOMES, TOUCHES, Experiment, Floats
from experiments.gentle_grasping.rows import ALL, cross_validated
from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.reports.markdown import table

MEASURES = {"position error": "mm", "displacement of the targets": "mm", "change of the gels": "grey levels"}
COLOURS = {(1, 1): "#2a9d58", (1, 0): "#e07b1f", (0, 1): "#4477cc", (0, 0): "#b03060"}


def write_force(experiment: Experiment) -> dict[str, Any]:
    """Write figure7.md, figure7.json and both pictures; returns the content."""
    rows = np.flatnonzero(experiment.example == "stay")
    store, labels = experiment.store, experiment.labels[rows]
    measured: dict[str, Floats] = {
        "position error": store.column("outcome/position_error_mm")[rows],
        "displacement of the targets": store.column("outcome/displacement_mm")[rows],
        "change of the gels": np.sum(
            [
                np.abs(
                    store.read(name, "during", rows).astype(np.float32)
                    - store.read(name, "before", rows).astype(np.float32)
                ).mean((1, 2, 3))
                for name in TOUCHES
            ],
            axis=0,
        ),
    }
    force = store.column("hidden/force")[rows]
    found = cross_validated(experiment)["grasp"][ALL][0]
    probability = found.probabilities[np.searchsorted(found.rows, rows)]
    content: dict[str, Any] = {
        "grasps": len(rows),
        "auroc": {
            name: {
                "stable": float(roc_auc_score(labels[:, 0], values)),
                "loud": float(roc_auc_score(1 - labels[:, 1], values)),
            }
            for name, values in measured.items()
        },
        "rank correlation with the simulator's force": {
            name: float(spearmanr(values, force)[0]) for name, values in measured.items()
        },
        "rank correlation of position error with the predicted probability": {
            name: float(spearmanr(measured["position error"], probability[:, number])[0])
            for number, name in enumerate(OUTCOMES)
        },
        **provenance(),
    }
    write_json(experiment.results / "figure7.json", content)
    write_text(experiment.results / "figure7.md", "\n".join(_lines(content)))
    _draw(experiment.results / "figure7.png", measured, labels, probability)
    return content


def _draw(path: Path, measured: dict[str, Floats], labels: Any, probability: Floats) -> None:
    error = measured["position error"]
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(10, 5), layout="constrained")
        axes = figure.subplots(2, 2)
        for axis, name in zip(axes[0], ("displacement of the targets", "change of the gels"), strict=True):
            for key, colour in COLOURS.items():
                where = (labels == key).all(1)
                axis.scatter(
                    measured[name][where],
                    error[where],
                    s=5,
                    alpha=0.6,
                    color=colour,
                    label=f"stable, gentle: {key}",
                )
            axis.set(xlabel=f"{name}, {MEASURES[name]}", ylabel="position error, mm")
        axes[0, 0].legend(fontsize=6)
        for number, (axis, name) in enumerate(zip(axes[1], OUTCOMES, strict=True)):
            for value, colour in ((1, "#2a9d58"), (0, "#b03060")):
                where = labels[:, number] == value
                axis.scatter(
                    error[where], probability[where, number], s=5, alpha=0.6, color=colour,
                    label=name if value else f"not {name}",
                )  # fmt: skip
            axis.set(xlabel="position error, mm", ylabel=f"predicted probability of {name}")
            axis.legend(fontsize=6)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=110)


def _lines(content: dict[str, Any]) -> list[str]:
    by_force = content["rank correlation with the simulator's force"]
    rows = [
        [
            name,
            f"{own['stable']:.3f}",
            f"{own['loud']:.3f}",
            f"{by_force[name]:.2f}",
        ]
        for name, own in content["auroc"].items()
    ]
    correlation = content["rank correlation of position error with the predicted probability"]
    return [
        "# Figures 7 and 8: measures of force, simulated",
        "",
        f"{content['grasps']:,} simulated regrasps. AUROC of each measure for stable and for loud grasps, "
        "and its rank correlation with the simulator's force on a pad.",
        "",
        table(["measure", "AUROC stable", "AUROC loud", "correlation with force"], rows),
        "",
        "Rank correlation of the position error with the predicted probability, on grasps that the predictor "
        "has not seen: "
        + ", ".join(f"{name} {value:+.2f}" for name, value in correlation.items())
        + ". The paper's Figure 8: stable rises, gentle falls.",
        "",
        "![Figures 7 and 8](figure7.png)",
        "",
    ]

"""Figure 5 and Table II: which senses predict stable and gentle grasps, in cross-validation; calibration.

By grasp, the three state–action pairs of a grasp are on one side of every fold: this is the result. By
sample, as the paper's row totals suggest for its folds, copies of one grasp lie on both sides: beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import torch

from experiments.gentle_grasping.experiment import OUTCOMES, Experiment, Floats, Index
from experiments.gentle_grasping.heads import Predicted, predicted
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.predictor.reliability import calibration_error
from visuotactile.reports.intervals import Estimate, draw_units, format_figure, mean_over_units
from visuotactile.reports.markdown import table

ALL, MAJORITY = "vision + touch + action", "majority class"
CONFIGURATIONS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    ALL: (("camera", "touch"), True),
    "vision + action": (("camera",), True),
    "touch + action": (("touch",), True),
    "action": ((), True),
    "vision + touch, no action": (("camera", "touch"), False),
}
UNITS = ("grasp", "trial")
MEASURES = (*OUTCOMES, "both")

PAPER_BOTH = {ALL: "88.24", "vision + action": "84.97"}
"""Accuracy of both, %, in the paper's text (all senses, and 3.27 points less without touch)."""

CLASSES = ((1, 1), (1, 0), (0, 1), (0, 0))
PAPER_CONFUSION = ((388, 25, 25, 3), (42, 405, 4, 4), (37, 7, 675, 13), (5, 10, 26, 131))
"""Table II, of the paper's best fold: rows actual, columns predicted, (stable, gentle) as `CLASSES`."""


def cross_validated(experiment: Experiment) -> dict[str, dict[str, list[Predicted]]]:
    """Unit of the folds → row → seed → predictions of every row of the store."""
    encoders = experiment.encoders()
    for folder in encoders.values():
        experiment.features(folder)
    jobs = [
        (unit, row, seed, fold)
        for unit in UNITS
        for row in (CONFIGURATIONS if unit == "grasp" else (ALL,))
        for seed in range(experiment.preset.seeds if unit == "grasp" else 1)
        for fold in range(experiment.preset.folds)
    ]
    answers = joblib.Parallel(n_jobs=experiment.jobs, batch_size=1)(
        joblib.delayed(_fold)(experiment, *job) for job in jobs
    )
    parts: dict[str, dict[str, dict[int, list[Predicted]]]] = {}
    for (unit, row, seed, _), answer in zip(jobs, answers, strict=True):
        parts.setdefault(unit, {}).setdefault(row, {}).setdefault(seed, []).append(answer)
    return {
        unit: {row: [_joined(folds) for folds in seeds.values()] for row, seeds in rows.items()}
        for unit, rows in parts.items()
    }


def _fold(experiment: Experiment, unit: str, row: str, seed: int, fold: int) -> Predicted:
    torch.set_num_threads(1)
    branches, action = CONFIGURATIONS[row]
    train, test = (side.astype(np.int64) for side in experiment.split(unit).indices(experiment.store, fold))
    units = experiment.grasp.astype(str) if unit == "grasp" else experiment.store.names
    encoders = {name: folder for name, folder in experiment.encoders().items() if name in branches}
    name = f"{unit}-{row.replace(' + ', '-').replace(', ', '-').replace(' ', '-')}-{seed}-{fold}"
    return predicted(experiment, name, encoders, train, test, units, seed, action)


def _joined(folds: list[Predicted]) -> Predicted:
    rows = np.concatenate([fold.rows for fold in folds])
    order = np.argsort(rows)
    return Predicted(rows[order], np.concatenate([fold.probabilities for fold in folds])[order])


def correct(experiment: Experiment, found: Predicted) -> dict[str, Floats]:
    """1 where a prediction is right, of each outcome and of both."""
    right = (found.probabilities > 0.5) == (experiment.labels[found.rows] == 1)
    columns = {name: right[:, number].astype(float) for number, name in enumerate(OUTCOMES)}
    return {**columns, "both": right.all(1).astype(float)}


def over_grasps(experiment: Experiment, rows: Index, values: list[Floats]) -> Estimate:
    """Mean over seeds, with an interval over grasps."""
    counts = draw_units(np.ones(experiment.grasp.max() + 1, bool), seed=0)
    each = [mean_over_units(value, experiment.grasp[rows], counts) for value in values]
    return Estimate(
        np.concatenate([one.per_seed for one in each]), np.mean([one.resampled for one in each], axis=0)
    )


def write_rows(experiment: Experiment) -> dict[str, Any]:
    """Write figure5.md and figure5.json; returns the content."""
    found = cross_validated(experiment)
    store_rows = np.arange(len(experiment.store))
    figures: dict[str, dict[str, dict[str, Estimate]]] = {}
    for unit, rows in found.items():
        for row, seeds in rows.items():
            right = [correct(experiment, each) for each in seeds]
            figures.setdefault(unit, {})[row] = {
                measure: over_grasps(experiment, store_rows, [each[measure] for each in right])
                for measure in MEASURES
            }
        figures[unit][MAJORITY] = _majority(experiment, unit)
    gains = {
        row: {
            measure: figures["grasp"][ALL][measure] - figures["grasp"][row][measure] for measure in MEASURES
        }
        for row in (*CONFIGURATIONS, MAJORITY)
        if row != ALL
    }
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    first = found["grasp"][ALL][0]
    said = (first.probabilities > 0.5).astype(np.int64)
    for actual, answer in zip(experiment.labels[first.rows], said, strict=True):
        confusion[CLASSES.index((actual[0], actual[1])), CLASSES.index((answer[0], answer[1]))] += 1
    errors = {
        name: [
            float(calibration_error(each.probabilities[:, number], experiment.labels[each.rows, number]))
            for each in found["grasp"][ALL]
        ]
        for number, name in enumerate(OUTCOMES)
    }
    content: dict[str, Any] = {
        "grasps": int(experiment.grasp.max() + 1),
        "samples": len(experiment.store),
        "accuracy": {
            unit: {row: {m: value.figure() for m, value in own.items()} for row, own in rows.items()}
            for unit, rows in figures.items()
        },
        "gain of all senses": {
            row: {m: value.figure() for m, value in own.items()} for row, own in gains.items()
        },
        "confusion": confusion.tolist(),
        "calibration error": errors,
        **provenance(),
    }
    write_json(experiment.results / "figure5.json", content)
    write_text(experiment.results / "figure5.md", "\n".join(_lines(content)))
    return content


def _majority(experiment: Experiment, unit: str) -> dict[str, Estimate]:
    """Accuracy of the training side's most frequent class."""
    right = {measure: np.zeros(len(experiment.store)) for measure in MEASURES}
    split = experiment.split(unit)
    for fold in range(experiment.preset.folds):
        train, test = split.indices(experiment.store, fold)
        labels, asked = experiment.labels[train], experiment.labels[test]
        for number, name in enumerate(OUTCOMES):
            right[name][test] = asked[:, number] == round(labels[:, number].mean())
        names, counts = np.unique(labels, axis=0, return_counts=True)
        right["both"][test] = (asked == names[counts.argmax()]).all(1)
    rows = np.arange(len(experiment.store))
    return {measure: over_grasps(experiment, rows, [value]) for measure, value in right.items()}


def _lines(content: Mapping[str, Any]) -> list[str]:
    def cells(own: Mapping[str, Any], *, signed: bool = False) -> list[str]:
        return [format_figure(own[measure], 1, scale=100, signed=signed) for measure in MEASURES]

    lines = [
        "# Figure 5 and Table II, simulated",
        "",
        f"{content['grasps']:,} simulated grasps, {content['samples']:,} state–action pairs. Accuracy, % "
        "[95 % interval over grasps].",
        "",
        "## By grasp: the result",
        "",
        table(
            ["", *MEASURES, "paper, both"],
            [
                [row, *cells(own), PAPER_BOTH.get(row, "")]
                for row, own in content["accuracy"]["grasp"].items()
            ],
        ),
        "",
        "## All senses minus each row, points, paired",
        "",
        table(
            ["", *MEASURES],
            [[row, *cells(own, signed=True)] for row, own in content["gain of all senses"].items()],
        ),
        "",
        "## By sample, copies of a grasp on both sides: as the paper's folds were cut",
        "",
        table(["", *MEASURES], [[row, *cells(own)] for row, own in content["accuracy"]["trial"].items()]),
        "",
        "## Table II: confusion of all senses by grasp, first seed, all folds; the paper's best fold beside",
        "",
    ]
    names = [f"({stable}, {gentle})" for stable, gentle in CLASSES]
    rows = []
    for number, name in enumerate(names):
        own, paper = content["confusion"][number], PAPER_CONFUSION[number]
        rows.append(
            [
                name,
                *map(str, own),
                f"{100 * own[number] / max(1, sum(own)):.1f}",
                " ".join(map(str, paper)),
                f"{100 * paper[number] / sum(paper):.1f}",
            ]
        )
    lines += [table(["actual (stable, gentle)", *names, "%", "paper", "paper, %"], rows), ""]
    lines += ["## Calibration error of all senses by grasp, each seed", ""]
    calibration = [
        [name, ", ".join(f"{error:.3f}" for error in errors)]
        for name, errors in content["calibration error"].items()
    ]
    return [*lines, table(["outcome", "error"], calibration), ""]

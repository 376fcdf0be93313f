"""Table I: contribution of sight, touch and action to the prediction, on unseen objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.more_than_a_feeling.predicted import Part, Predicted, held_out, tested
from experiments.more_than_a_feeling.trials import EXAMPLES
from visuotactile.datasets.store import Store
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import platt, sigmoid
from visuotactile.grasp.predictor.reliability import (
    calibrated_ways,
    calibration_error,
    write_calibration_report,
)
from visuotactile.probes.metrics import Metric, Predictions, accuracy, auroc, balanced_accuracy
from visuotactile.reports.intervals import Figure, draw_units, estimate, format_figure
from visuotactile.reports.markdown import table

FULL = "tactile + vision + action"
CONFIGURATIONS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "vision + action": (("camera",), True),
    "tactile + action": (("touch",), True),
    FULL: (("camera", "touch"), True),
    "tactile + vision, no action": (("camera", "touch"), False),
}
"""Row of the table → its branches, and True if it takes the action."""

PAPER = {
    "chance": (62.80, 0.85),
    "vision + action": (73.03, 0.24),
    "tactile + action": (79.34, 0.66),
    FULL: (80.28, 0.68),
    "tactile + vision, no action": (76.43, 0.42),
}
"""Accuracy, %, mean and standard error over three folds: 18,070 examples of 65 real objects."""

CHANCE = "chance"
METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "balanced accuracy": balanced_accuracy,
    "AUROC": auroc,
}
Rows = npt.NDArray[np.bool_]


def write_table1(folder: Path, store: Store, parts: Mapping[str, Sequence[Sequence[Part]]]) -> dict[str, Any]:
    """Write table1.md, table1.json and the calibration of the full network into `folder`.

    Args:
        folder: folder of the results.
        store: store of the examples.
        parts: row of the table → seed → fold → finished part.
    """
    found = {name: [_pooled(store, folds) for folds in seeds] for name, seeds in parts.items()}
    found = {CHANCE: [_chance(store, folds, found) for folds in next(iter(parts.values()))], **found}
    # Every part was tested on the same folds, so the first row's trials are those of all.
    example = store.column("column/example")[found[FULL][0].trials]
    counts = draw_units(np.ones(len(np.unique(store.objects)), bool), seed=0)
    kinds: dict[str, Rows] = {"all": np.ones(len(example), bool)}
    kinds |= {kind: example == kind for kind in EXAMPLES}
    estimates = {
        kind: {
            metric: {
                name: estimate(of, [_only(each, rows) for each in seeds], counts)
                for name, seeds in found.items()
            }
            for metric, of in METRICS.items()
        }
        for kind, rows in kinds.items()
    }
    content = {
        "examples": len(store),
        "objects": len(np.unique(store.objects)),
        "folds": len(next(iter(parts.values()))[0]),
        "seeds": len(next(iter(parts.values()))),
        "figures": {
            kind: {
                metric: {name: value.figure() for name, value in rows.items()} for metric, rows in own.items()
            }
            for kind, own in estimates.items()
        },
        "accuracy of each fold": {name: _by_fold(seeds) for name, seeds in found.items()},
        "full network minus the row": {
            kind: {
                metric: {name: (rows[FULL] - value).figure() for name, value in rows.items() if name != FULL}
                for metric, rows in own.items()
            }
            for kind, own in estimates.items()
        },
        "calibration error after Platt scaling": {
            name: _calibration(folder / "calibration", store, seeds[0], name == FULL)
            for name, seeds in parts.items()
        },
        **provenance(),
    }
    write_json(folder / "table1.json", content)
    write_text(folder / "table1.md", "\n".join(_lines(content)))
    return content


def _pooled(store: Store, folds: Sequence[Part]) -> Predictions:
    """Predictions of all folds on their test objects, each calibrated on its held-out objects."""
    _, objects = np.unique(store.objects, return_inverse=True)
    found = [tested(part) for part in folds]
    p = np.concatenate([sigmoid(s.logits, *_platt(part)) for s, part in zip(found, folds, strict=True)])
    rows = np.concatenate([s.rows for s in found])
    return Predictions(
        trials=rows,
        labels=np.concatenate([s.labels for s in found]).astype(np.int64),
        predicted=(p > 0.5).astype(np.int64),
        scores=np.stack([1 - p, p], axis=1),
        objects=objects[rows].astype(np.int64),
        folds=np.repeat(np.arange(len(folds)), [len(s.rows) for s in found]),
    )


def _platt(part: Part) -> tuple[float, float]:
    found = held_out(part)
    return platt(found.logits, found.labels)


def _chance(store: Store, folds: Sequence[Part], found: Mapping[str, Sequence[Predictions]]) -> Predictions:
    """Majority baseline: the more frequent outcome of each fold's training side."""
    like = next(iter(found.values()))[0]
    success = store.column("outcome/success")
    predicted, scores = like.predicted.copy(), like.scores.copy()
    for number, part in enumerate(folds):
        rate = float(np.delete(success, tested(part).rows).mean())
        predicted[like.folds == number] = int(rate > 0.5)
        scores[like.folds == number] = 1 - rate, rate
    return replace(like, predicted=predicted, scores=scores)


def _only(found: Predictions, rows: Rows) -> Predictions:
    return replace(
        found,
        trials=found.trials[rows],
        labels=found.labels[rows],
        predicted=found.predicted[rows],
        scores=found.scores[rows],
        objects=found.objects[rows],
        folds=found.folds[rows],
    )


def _by_fold(seeds: Sequence[Predictions]) -> list[float]:
    folds = np.unique(seeds[0].folds)
    return [
        float(np.mean([np.mean((s.predicted == s.labels)[s.folds == fold]) for s in seeds])) for fold in folds
    ]


def _calibration(folder: Path, store: Store, folds: Sequence[Part], written: bool) -> dict[str, float]:
    """Calibration error on unseen objects before and after Platt scaling; write a report if `written`."""
    ways: dict[str, list[npt.NDArray[np.float64]]] = {}
    found: list[Predicted] = [tested(part) for part in folds]
    for part, test in zip(folds, found, strict=True):
        held = held_out(part)
        for way, p in calibrated_ways(held.logits, held.labels, test.logits).items():
            ways.setdefault(way, []).append(p)
    joined = {way: np.concatenate(p) for way, p in ways.items()}
    labels = np.concatenate([test.labels for test in found])
    if written:
        objects = store.objects[np.concatenate([test.rows for test in found])]
        about = (
            "Simulated grasps; tactile + vision + action. Each fold's network is calibrated on the objects "
            "that were held out of its training, and tested on the fold's objects."
        )
        write_calibration_report(folder, joined, labels, objects, about)
    return {way: calibration_error(p, labels) for way, p in joined.items()}


def _lines(content: Mapping[str, Any]) -> list[str]:
    figures, folds = content["figures"], content["accuracy of each fold"]
    lines = [
        "# Table I, in simulation",
        "",
        f"{content['examples']:,} simulated examples of {content['objects']} objects, "
        f"{content['folds']} folds by object, {content['seeds']} seed(s). Value [95% interval over objects]. "
        "The paper's accuracies are of real grasps: mean ± standard error over its folds.",
        "",
    ]
    own = figures["all"]
    rows = []
    for name in own["accuracy"]:
        cells = [_percent(own[metric][name]) for metric in METRICS]
        each = ", ".join(f"{100 * value:.1f}" for value in folds[name])
        rows.append([name, cells[0], each, cells[1], cells[2], "{:.1f} ± {:.1f}".format(*PAPER[name])])
    head = ["", "accuracy, %", "each fold", "balanced accuracy, %", "AUROC, %", "paper: accuracy, %"]
    differences = content["full network minus the row"]["all"]
    lines += [
        table(head, rows),
        "",
        "## Gain of the full network",
        "",
        "Paired: the same examples, the same draws of the objects. Percentage points.",
        "",
        table(
            ["", *METRICS],
            [
                [f"over {name}", *(_percent(differences[metric][name], signed=True) for metric in METRICS)]
                for name in differences["accuracy"]
            ],
        ),
    ]
    for metric in ("AUROC", "accuracy"):
        rows = [
            [name, *(_percent(figures[kind][metric][name]) for kind in EXAMPLES)] for name in own["accuracy"]
        ]
        lines += ["", f"## {metric} by kind of example, %", "", table(["", *EXAMPLES], rows)]
    calibration = content["calibration error after Platt scaling"]
    ways = list(next(iter(calibration.values())))
    rows = [[name, *(f"{values[way]:.3f}" for way in ways)] for name, values in calibration.items()]
    lines += [
        "",
        "## Calibration error on unseen objects (10 bins of equal mass)",
        "",
        table(["", *ways], rows),
    ]
    return [*lines, ""]


def _percent(found: Figure, *, signed: bool = False) -> str:
    return format_figure(found, 1, scale=100, signed=signed)

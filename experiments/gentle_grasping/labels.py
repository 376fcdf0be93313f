"""Table I: the labels, how well the robot makes them, and a gentleness label without sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.gentle_grasping.experiment import TOUCHES, Experiment, Floats
from visuotactile.datasets.grasp_labels import StabilityLabels
from visuotactile.files import provenance, write_json, write_text
from visuotactile.reports.markdown import table

PAPER = {(1, 1): 364, (1, 0): 385, (0, 1): 609, (0, 0): 142}
"""Table I: (stable, gentle) → grasps of 1,500."""

WATCHED = 100
"""Lifts of which a person tells the outcome, before the robot labels its own."""


def write_labels(experiment: Experiment) -> dict[str, Any]:
    """Write table1.md and table1.json; returns the content."""
    store = experiment.store
    rows = np.flatnonzero(experiment.example == "stay")
    stable, gentle = experiment.labels[rows].T
    counts = {key: int(((stable == key[0]) & (gentle == key[1])).sum()) for key in PAPER}
    truth = {name: store.column(f"hidden/{name}")[rows].astype(np.int64) for name in ("stable", "gentle")}
    moved = np.stack(
        [store.column(f"outcome/moved_{finger}_mm")[rows] / 1000 for finger in ("middle", "thumb")], axis=1
    )
    watched = min(WATCHED, len(rows) // 2)
    judged = StabilityLabels(moved[:watched], truth["stable"][:watched])
    own = np.array([judged.label(each[None])[0] for each in moved[watched:]])
    content: dict[str, Any] = {
        "grasps": len(rows),
        "counts": {f"{key}": value for key, value in counts.items()},
        "agreement": {
            "gentle: sound and truth": float(np.mean(gentle == truth["gentle"])),
            "stable: fingertips and truth": float(np.mean(own == truth["stable"][watched:])),
        },
        "gentle without sound": _without_sound(experiment, rows, gentle),
        **provenance(),
    }
    write_json(experiment.results / "table1.json", content)
    write_text(experiment.results / "table1.md", "\n".join(_lines(content, counts)))
    return content


def _without_sound(
    experiment: Experiment, rows: npt.NDArray[np.intp], gentle: npt.NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Agreement with the sound's label, and AUROC, of measures of the regrasp other than its sound.

    Each is a logistic regression, cross-validated over grasps. "gel" is how much both gels have changed, and
    where; "camera" the change of the picture; "fingers" the position error.
    """
    store = experiment.store
    inputs = {
        "gel": np.concatenate(
            [_change(store.read(name, "during", rows), store.read(name, "before", rows)) for name in TOUCHES],
            axis=1,
        ),
        "camera": _change(store.read("rgb", "during", rows), store.read("rgb", "before", rows)),
        "fingers": store.column("outcome/position_error_mm")[rows][:, None],
    }
    inputs["gel + fingers"] = np.concatenate([inputs["gel"], inputs["fingers"]], axis=1)
    found = {}
    for name, values in inputs.items():
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        said = cross_val_predict(
            model, values, gentle, groups=np.arange(len(rows)), cv=GroupKFold(5), method="predict_proba"
        )[:, 1]
        found[name] = {
            "agreement": float(np.mean((said > 0.5) == (gentle == 1))),
            "auroc": float(roc_auc_score(gentle, said)),
        }
    majority = float(max(gentle.mean(), 1 - gentle.mean()))
    return {**found, "majority class": {"agreement": majority, "auroc": 0.5}}


def _change(now: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> Floats:
    """Absolute changes of pictures [n, H, W, 3]: mean, 99th percentile, share of large ones, and the means in
    a 4 × 4 grid, [n, 19]."""
    change = np.abs(now.astype(np.float32) - before.astype(np.float32)).mean(3)
    n, height, width = change.shape
    grid = change[:, : height // 4 * 4, : width // 4 * 4].reshape(n, 4, height // 4, 4, width // 4)
    flat = change.reshape(n, -1)
    numbers = [flat.mean(1), np.quantile(flat, 0.99, axis=1), (flat > 20).mean(1)]
    return np.concatenate([np.stack(numbers, 1), grid.mean((2, 4)).reshape(n, 16)], axis=1).astype(np.float64)


def _lines(content: dict[str, Any], counts: dict[tuple[int, int], int]) -> list[str]:
    total = content["grasps"]
    rows = []
    for key, paper in PAPER.items():
        share = counts[key] / total
        error = 1500 * np.sqrt(share * (1 - share) / total)
        rows.append([f"{key}", str(counts[key]), f"{1500 * share:.0f} ± {error:.0f}", str(paper)])
    agreements = [[name, f"{100 * value:.1f}"] for name, value in content["agreement"].items()]
    without = [
        [name, f"{100 * own['agreement']:.1f}", f"{own['auroc']:.3f}"]
        for name, own in content["gentle without sound"].items()
    ]
    return [
        "# Table I: labels, simulated",
        "",
        f"{total:,} simulated grasps with random regrasps.",
        "",
        table(["(stable, gentle)", "grasps", "per 1,500 ± standard error", "paper"], rows),
        "",
        "## The robot's labels and the simulator's truth, % equal",
        "",
        table(["", "%"], agreements),
        "",
        "## A label of gentleness without sound, beside the sound's",
        "",
        table(["measured in the regrasp", "agreement, %", "AUROC"], without),
        "",
    ]

"""Baseline of Table I: its rows by gradient boosting on hand-made features.

    python -m experiments.more_than_a_feeling.bound --preset laptop

Whatever boosting predicts is in the observations, so a network that falls short of it is limited by itself
and not by the lab. Writes results/PRESET/bound.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from experiments.more_than_a_feeling.experiment import FOLDS, Experiment, add_options
from experiments.more_than_a_feeling.table1 import CHANCE, CONFIGURATIONS
from experiments.more_than_a_feeling.trials import EXAMPLES
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.files import write_text
from visuotactile.reports.markdown import table

GRID = 4  # cells along each side of a gel in which its change is averaged
STRONG = 8.0  # grey levels of change that count as contact
AT_ONCE = 256
MOTION, POSE = ("dx", "dy", "dz", "dyaw"), ("x", "y", "z", "yaw")
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Compute the features, fit on each fold, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    experiment = Experiment.of(parser.parse_args())
    store = experiment.small
    split = Split.load(experiment.split(store), store)
    labels = store.column("outcome/success").astype(np.int64)
    kinds = store.column("column/example")
    lines = [
        "# The same rows by gradient boosting on hand-made numbers (simulated)",
        "",
        f"{len(store):,} examples, {FOLDS} folds by object. Accuracy, % (AUROC pooled over the folds).",
        "",
    ]
    rows = []
    for name, numbers in _rows(store).items():
        p = np.empty(len(store))
        for fold in range(FOLDS):
            train, test = split.indices(store, fold)
            model = HistGradientBoostingClassifier(
                learning_rate=0.06, max_iter=200, min_samples_leaf=20, random_state=0
            )
            p[test] = model.fit(numbers[train], labels[train]).predict_proba(numbers[test])[:, 1]
        cells = []
        for chosen in (np.ones(len(store), bool), *(kinds == kind for kind in EXAMPLES)):
            right = np.mean((p[chosen] > 0.5) == labels[chosen])
            cells.append(f"{100 * right:.1f} ({roc_auc_score(labels[chosen], p[chosen]):.3f})")
        rows.append([name, *cells])
    chance = f"{100 * max(labels.mean(), 1 - labels.mean()):.1f}"
    rows.append([CHANCE, chance, *("" for _ in EXAMPLES)])
    lines.append(table(["", "all", *EXAMPLES], rows))
    write_text(experiment.results / "bound.md", "\n".join([*lines, ""]))
    print("\n".join(lines))


def _rows(store: Store) -> Mapping[str, Floats]:
    """Row of Table I → its features [examples, n]."""
    pose, action = _columns(store, "pose", POSE), _columns(store, "action", MOTION)
    forces = np.stack([store.column("action/force"), store.column("force/force"), pose[:, 2]], axis=1)
    felt, here = _touch(store), _cylinder_from(store, pose)
    motion = np.hstack([action, forces, _turned(action[:, :2], pose[:, 3])])
    sight, touch = np.hstack([here, _cylinder_from(store, pose + action), motion]), np.hstack([felt, motion])
    still = np.hstack([felt, here, forces[:, 1:]])
    numbers = (sight, touch, np.hstack([felt, sight]), still)
    return dict(zip(CONFIGURATIONS, numbers, strict=True))


def _columns(store: Store, group: str, names: tuple[str, ...]) -> Floats:
    return np.stack([store.column(f"{group}/{name}") for name in names], axis=1).astype(np.float64)


def _cylinder_from(store: Store, pose: Floats) -> Floats:
    """The fitted cylinder in the frame of a hand at `pose` [n, 4]."""
    x, y, radius, height = _columns(store, "cylinder", ("x", "y", "radius", "height")).T
    across, along = _turned(np.stack([x, y], axis=1) - pose[:, :2], pose[:, 3]).T
    above = pose[:, 2] - height
    return np.stack([across, along, abs(across), abs(along), radius, height, above, above / height], axis=1)


def _turned(vectors: Floats, yaw: Floats) -> Floats:
    """Horizontal vectors [n, 2] in the gripper's axes."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y = vectors.T
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=1)


def _touch(store: Store) -> Floats:
    """Change of each finger's gel: by cell, its area and its strength."""
    parts = []
    for start in range(0, len(store), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(store)))
        sides = []
        for stream in ("tactile_left", "tactile_right"):
            now, before = (
                store.read(stream, phase, rows).astype(np.float32) for phase in ("during", "before")
            )
            change = now - before
            cells = np.stack(
                [
                    cell.mean(axis=(1, 2))
                    for band in np.array_split(change, GRID, axis=1)
                    for cell in np.array_split(band, GRID, axis=2)
                ],
                axis=1,
            )
            strength = np.abs(change).mean(-1)
            strong = np.maximum(strength - STRONG, 0)
            share = (strong > 0).mean(axis=(1, 2))
            sides.append(np.column_stack([cells.reshape(len(rows), -1), share, strong.mean(axis=(1, 2))]))
        parts.append(np.hstack(sides))
    return np.concatenate(parts).astype(np.float64)


if __name__ == "__main__":
    main()

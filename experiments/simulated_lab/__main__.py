"""Contribution of touch in the simulated lab: action, sight, touch and the first millimetres of lift.

    visuotactile collect grasp --trials 6000 --scheme single --camera-size 112 --store STORE --workers 2
    python -m experiments.simulated_lab STORE

Gradient boosting on a few hand-made features of each modality predicts the success of the lift on unseen
objects. No encoder is trained: the question is how informative the simulator's observations are, and whether
the modalities rank as in the real world. Writes results/what_touch_adds.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.files import write_text
from visuotactile.probes.metrics import Predictions, auroc
from visuotactile.reports.intervals import Estimate, draw_units, format_figure
from visuotactile.reports.markdown import table

HERE = Path(__file__).parent
FOLDS, SEEDS = 5, 3
SIDES = ("tactile_left", "tactile_right")
GRID = 4  # cells along each side of the window in which change is averaged
DEPTH_CELLS = 8
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Make the features, fit, and print the table."""
    options = _options()
    store = Store(options.store)
    chosen = np.flatnonzero(store.column("column/example") == "stay")
    action = _action(store, chosen)
    vision, touch = _vision(store, chosen), _touch(store, chosen, "during", "before")
    lift = _touch(store, chosen, "lift", "during")
    tasks = {
        "action": action,
        "vision + action": np.hstack([vision, action]),
        "touch + action": np.hstack([touch, action]),
        "lift + touch + action": np.hstack([lift, touch, action]),
    }
    estimates = {name: _estimate(store, chosen, features) for name, features in tasks.items()}
    table = _table(store, chosen, estimates)
    print(table)
    write_text(options.out, f"{table}\n\n{_by_object(store, chosen)}\n")


def _action(store: Store, chosen: npt.NDArray[np.intp]) -> Floats:
    names = ("pose/z", "pose/yaw", "action/force")
    return np.stack([store.column(name)[chosen] for name in names], axis=1)


def _vision(store: Store, chosen: npt.NDArray[np.intp]) -> Floats:
    """The cylinder fitted to the depth image, in the hand's frame, and a coarse depth image."""

    def column(name: str) -> Floats:
        return np.asarray(store.column(name)[chosen], np.float64)

    x, y = (column(f"cylinder/{axis}") - column(f"pose/{axis}") for axis in "xy")
    cos, sin = np.cos(column("pose/yaw")), np.sin(column("pose/yaw"))
    radius, height = column("cylinder/radius"), column("cylinder/height")
    across, along = cos * x + sin * y, cos * y - sin * x
    above = column("pose/z") - height
    numbers = np.stack([across, along, abs(across), abs(along), radius, height, above, above / height], 1)

    def coarse(rows: npt.NDArray[np.intp]) -> Floats:
        depth = store.read("depth", "during", rows).astype(np.float64)
        n, side = depth.shape[:2]
        middle = depth[:, side // 4 : side // 4 + side // 2, side // 4 : side // 4 + side // 2]
        step = side // 2 // DEPTH_CELLS
        middle = middle[:, : step * DEPTH_CELLS, : step * DEPTH_CELLS]
        return middle.reshape(n, DEPTH_CELLS, step, DEPTH_CELLS, step).mean((2, 4)).reshape(n, -1)

    return np.hstack([numbers, _blocks(chosen, coarse)])


def _touch(store: Store, chosen: npt.NDArray[np.intp], now: str, then: str) -> Floats:
    """Change of each finger's gel: its amount, by cell and by colour, and its centroid."""

    def measure(rows: npt.NDArray[np.intp]) -> Floats:
        parts = []
        for stream in SIDES:
            change = store.read(stream, now, rows).astype(np.float32) - store.read(stream, then, rows)
            strength = np.abs(change).mean(-1)
            n, height, width = strength.shape
            cells = strength.reshape(n, GRID, height // GRID, GRID, width // GRID).mean((2, 4)).reshape(n, -1)
            signed = (
                change.reshape(n, GRID, height // GRID, GRID, width // GRID, 3).mean((2, 4)).reshape(n, -1)
            )
            weight = np.maximum(strength - 8, 0).reshape(n, -1)
            total = weight.sum(1, keepdims=True) + 1e-3
            v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
            centre = np.stack([weight @ v, weight @ u], 1) / total
            parts += [cells, signed, centre, (weight > 0).mean(1, keepdims=True), total / weight.shape[1]]
        return np.hstack(parts).astype(np.float64)

    return _blocks(chosen, measure)


def _blocks(
    chosen: npt.NDArray[np.intp], measure: Callable[[npt.NDArray[np.intp]], Floats], size: int = 200
) -> Floats:
    return np.concatenate([measure(chosen[i : i + size]) for i in range(0, len(chosen), size)])


def _estimate(store: Store, chosen: npt.NDArray[np.intp], features: Floats) -> Estimate:
    """AUROC on held-out objects over several shuffles of the folds, bootstrapped over objects."""
    names, objects = np.unique(store.objects[chosen], return_inverse=True)
    labels = store.column("outcome/success")[chosen].astype(np.int64)
    counts = draw_units(np.ones(len(names), bool), seed=0)
    values, resampled = [], []
    place = np.full(len(store), -1)
    place[chosen] = np.arange(len(chosen))
    for seed in range(SEEDS):
        split = make_split(store, f"object:{FOLDS}", seed)
        scores, folds = np.empty(len(chosen)), np.empty(len(chosen), np.int64)
        for fold in range(FOLDS):
            train, test = (place[side][place[side] >= 0] for side in split.indices(store, fold))
            model = HistGradientBoostingClassifier(
                learning_rate=0.06, max_iter=200, min_samples_leaf=20, random_state=seed
            )
            model.fit(features[train], labels[train])
            scores[test], folds[test] = model.predict_proba(features[test])[:, 1], fold
        found = Predictions(
            trials=chosen.astype(np.int64),
            labels=labels,
            predicted=(scores > 0.5).astype(np.int64),
            scores=np.stack([1 - scores, scores], axis=1),
            objects=objects.astype(np.int64),
            folds=folds,
            strata=None,
        )
        values.append(float(auroc(found, np.ones((1, len(chosen))))[0]))
        resampled.append(auroc(found, counts[:, objects]))
    return Estimate(np.array(values), np.mean(resampled, axis=0))


def _table(store: Store, chosen: npt.NDArray[np.intp], estimates: dict[str, Estimate]) -> str:
    success = store.column("outcome/success")[chosen]
    lines = [
        "# What touch adds, in simulation",
        "",
        f"AUROC of success on held-out objects: {len(chosen):,} simulated grasps of "
        f"{len(np.unique(store.objects[chosen]))} objects, {100 * success.mean():.1f}% successful. "
        f"Gradient boosting on hand-made numbers, {FOLDS} folds by object, {SEEDS} shuffles; 95% interval "
        "over objects.",
        "",
    ]
    above: Estimate | None = None
    rows = []
    for name, estimate in estimates.items():
        gained = "" if above is None else format_figure((estimate - above).figure(), ends=3, signed=True)
        rows.append([name, format_figure(estimate.figure(), ends=3), gained])
        above = estimate
    return "\n".join([*lines, table(["input", "AUROC", "gain over the row above"], rows)])


def _by_object(store: Store, chosen: npt.NDArray[np.intp]) -> str:
    """Success rate of random grasps by object, lowest first."""
    success = store.column("outcome/success")[chosen]
    names, objects, counts = np.unique(store.objects[chosen], return_inverse=True, return_counts=True)
    rates = np.bincount(objects, success) / counts
    middle = np.quantile(rates, [0.1, 0.5, 0.9])
    lines = [
        "## Success of random grasps, by object",
        "",
        f"{100 * success.mean():.1f}% over all; over objects the median is {100 * middle[1]:.0f}%, and eight "
        f"in ten lie between {100 * middle[0]:.0f}% and {100 * middle[2]:.0f}%.",
        "",
    ]
    order = np.argsort(rates, kind="stable")
    rows = [[names[i], str(counts[i]), f"{100 * rates[i]:.0f}%"] for i in order]
    return "\n".join([*lines, table(["object", "grasps", "success"], rows)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "what_touch_adds.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()

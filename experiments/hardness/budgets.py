"""Label budgets: hardness from few labelled presses, on frozen features and end to end.

Two folds by sample: half of the samples to learn from, half to test on, and the other way round. At each
budget random presses of the training side are labelled, the same ones for every row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.hardness.experiment import BALLS, TARGET, Experiment, Rows
from experiments.hardness.predictions import LEVELS, Predicted, fitted
from experiments.hardness.presets import END_TO_END, IMAGENET
from visuotactile.datasets.clips import StoreClips
from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.imagenet import imagenet_file
from visuotactile.estimation.file import load_estimator
from visuotactile.estimation.measured import measured_clips
from visuotactile.training.runs import Run, fit

FOLDS = 2
Found = dict[str, dict[str, list[Predicted]]]
"""Budget → row → predictions of each draw, both folds together."""


def run(experiment: Experiment) -> Found:
    """Predictions at each budget; the radius is known."""
    preset, found = experiment.preset, {}
    for budget in preset.budgets:
        draws = preset.draws if budget is not None else 1
        rows = {
            row: [_frozen(experiment, row, budget, draw) for draw in range(draws)]
            for row in available(experiment)
        }
        if budget in preset.end_to_end_budgets:
            rows[END_TO_END] = [_end_to_end(experiment, budget)]
        found[written(budget)] = rows
    return found


def available(experiment: Experiment) -> list[str]:
    """Rows of frozen features; ImageNet's only where its weights are installed."""
    names = [name for name in experiment.preset.encoders if name != IMAGENET or imagenet_file() is not None]
    return [f"{name}, ridge" for name in names]


def written(budget: int | None) -> str:
    """The budget as a word."""
    return "all" if budget is None else str(budget)


def labelled(store: Store, budget: int | None, draw: int) -> list[tuple[Rows, Rows]]:
    """Labelled and test rows of each fold."""
    split = make_split(store, f"object:{FOLDS}", 0)
    pairs = []
    for fold in range(FOLDS):
        train, test = split.indices(store, fold)
        rng = np.random.default_rng((draw, fold))
        chosen = train if budget is None else np.sort(rng.permutation(train)[:budget])
        pairs.append((chosen, test))
    return pairs


def _frozen(experiment: Experiment, row: str, budget: int | None, draw: int) -> Predicted:
    file = _file(experiment, f"{row.replace(', ', '-')}-{written(budget)}-{draw}.npz")
    if file.exists():
        return Predicted.load(file)
    found = Predicted.joined(
        [
            fitted(experiment, BALLS, row, train, test, radius=True, seed=draw)
            for train, test in labelled(experiment.balls, budget, draw)
        ]
    )
    found.save(file)
    return found


def _end_to_end(experiment: Experiment, budget: int | None) -> Predicted:
    """Predictions by a network trained on the labelled presses, one for each fold."""
    file = _file(experiment, f"end-to-end-{written(budget)}.npz")
    if file.exists():
        return Predicted.load(file)
    store, folder = experiment.balls, experiment.work / "end to end" / written(budget)
    pairs, parts = labelled(store, budget, 0), []
    split = folder / "split.json"
    if not split.exists():
        split.parent.mkdir(parents=True, exist_ok=True)
        made = tuple(Fold(*(tuple(store.names[side].tolist()) for side in pair)) for pair in pairs)
        Split(f"{written(budget)} labelled presses", "object", made, store.fingerprint, 0).save(split)
    for number, (_, test) in enumerate(pairs):
        run = Run(
            folder=folder / f"fold-{number}",
            config=experiment.preset.end_to_end,
            changes={
                "model.init_args.radius": True,
                "model.init_args.seed": 0,
                "data.init_args.store": str(store.path),
                "data.init_args.split": str(split),
                "data.init_args.fold": number,
                "data.init_args.target": TARGET,
                "data.init_args.radius": "radius",
                "data.init_args.seed": 0,
                **experiment.preset.end_to_end_changes,
            },
        )
        estimator = load_estimator(fit(run, experiment.threads))
        measured = measured_clips(estimator, StoreClips(store), experiment.work / "measured")
        test = test[estimator.shown(measured[test])]
        known = experiment.known(BALLS).only(test)
        parts.append(
            Predicted.of(test, [estimator.predict(measured[test], known, level=level) for level in LEVELS])
        )
    found = Predicted.joined(parts)
    found.save(file)
    return found


def _file(experiment: Experiment, name: str) -> Path:
    return experiment.work / "predicted" / "budgets" / name

"""Label budgets: hardness from few labelled presses, on frozen features and end to end.

Two folds by sample: half of the samples to learn from, half to test on, and the other way round. At each
budget random presses of the training side are labelled, the same ones for every row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.hardness.claims import SELF_SUPERVISED
from experiments.hardness.experiment import BALLS, Experiment, Rows
from experiments.hardness.predictions import Predicted, fitted
from experiments.hardness.presets import ADAPTED, END_TO_END, IMAGENET, MOCO, UNTRAINED
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store

FOLDS = 2
ENCODERS = (UNTRAINED, ADAPTED, IMAGENET, MOCO)
ROWS = (SELF_SUPERVISED, *(f"{encoder}, ridge" for encoder in ENCODERS))

Found = dict[str, dict[str, list[Predicted]]]
"""Budget → row → predictions of each draw, both folds together."""


def run(experiment: Experiment) -> Found:
    """Predictions at each budget; the radius is known, but to the network end to end."""
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
    from visuotactile.encoders.imagenet import imagenet_file

    return [row for row in ROWS if not row.startswith(IMAGENET) or imagenet_file() is not None]


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
    raise NotImplementedError


def _file(experiment: Experiment, name: str) -> Path:
    return experiment.work / "predicted" / "budgets" / name

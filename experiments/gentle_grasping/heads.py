"""The predictor over frozen features: training, calibration, and predictions on grasps it has not seen.

What looks is frozen and encodes every picture once; the action networks and the fusion are trained as in the
paper, with its dropout, and a learning rate that falls exponentially.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from experiments.gentle_grasping.experiment import OUTCOMES, Experiment, Floats, Index
from visuotactile.datasets.splits import hold_out
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch
from visuotactile.files import atomic_path
from visuotactile.grasp.predictor.calibration import Calibration, calibrate, sigmoid
from visuotactile.grasp.predictor.examples import actions, outcome_columns, store_embodiment, vectors
from visuotactile.grasp.predictor.module import masked_cross_entropy
from visuotactile.grasp.predictor.network import Predictor
from visuotactile.training.schedule import OptimizerConfig

HELD_OUT = 0.1
BATCH = 64
OPTIMIZER = OptimizerConfig(name="adamw", schedule="exponential", lr=1e-3, final_lr=2e-5, weight_decay=1e-2)
DROPOUT = 0.25
LOOKS = 10
"""Validations on the held-out grasps in a training; the best state is kept."""

LEAST_STEPS = 300


@dataclass(frozen=True)
class Trained:
    """A trained predictor with its calibration, and its logits of the rows asked for."""

    predictor: Predictor
    calibration: Calibration
    logits: Floats


@dataclass(frozen=True)
class Predicted:
    """Calibrated probabilities [n, 2] of rows [n] of the store."""

    rows: Index
    probabilities: Floats


def train(
    experiment: Experiment,
    encoders: Mapping[str, Path],
    learned: Index,
    asked: Index,
    units: npt.NDArray[np.str_],
    seed: int,
    action: bool = True,
) -> Trained:
    """Train on some rows, calibrate on units held out of them, and predict others.

    Args:
        experiment: store and sizes.
        encoders: branch → folder of its frozen encoder.
        learned: rows to learn from, whose held-out units calibrate the predictor.
        asked: rows to predict.
        units: [rows of the store] unit that stays together when some are held out.
        seed: seed of weights, batches, dropout and held-out units.
        action: False for a predictor without the action.
    """
    store = experiment.store
    seen = {name: experiment.features(folder) for name, folder in encoders.items()}
    rows, held = hold_out(units, learned, HELD_OUT, seed, what="grasps")
    with seeded(seed):
        predictor = Predictor(
            {name: Branch(encoder=folder) for name, folder in encoders.items()},
            store_embodiment(store),
            OUTCOMES,
            vectors=[],
            action=action,
            width=experiment.preset.width,
            separate=True,
            dropout=DROPOUT,
        )
    every = np.arange(len(store))
    pose = vectors(store, predictor.observed, every)
    tried = actions(store, predictor.embodiment, every)
    outcome = outcome_columns(store, OUTCOMES, every)

    def logits(some: Index, generator: torch.Generator | None = None) -> Tensor:
        features = {name: values[some] for name, values in seen.items()}
        state = predictor.encode({name: values[some] for name, values in pose.items()}, features=features)
        found: Tensor = predictor.logits(state, tried[some, None], generator)
        return found[:, 0]

    size = min(BATCH, len(rows))
    steps = max(
        LEAST_STEPS if experiment.preset.passes > 2 else 4, experiment.preset.passes * len(rows) // size
    )
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    learnable = [p for p in predictor.parameters() if p.requires_grad]
    optimizer = OPTIMIZER.create([{"params": learnable}])
    order = np.concatenate([rng.permutation(rows) for _ in range(-(-steps * size // len(rows)))])
    lowest, best = float("inf"), predictor.state_dict()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = OPTIMIZER.rate(step, steps)
        some = order[step * size : (step + 1) * size]
        loss = masked_cross_entropy(logits(some, generator), outcome[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % max(1, steps // LOOKS) == 0:
            with torch.no_grad():
                validated = float(masked_cross_entropy(logits(held), outcome[held]))
            if validated < lowest:
                lowest = validated
                best = {name: value.clone() for name, value in predictor.state_dict().items()}
    predictor.load_state_dict(best)
    predictor.eval()
    with torch.no_grad():
        fitted = calibrate(logits(held).double().numpy(), outcome[held].numpy(), units[held])
        found = logits(asked).double().numpy()
    return Trained(predictor, fitted, found)


def predicted(
    experiment: Experiment,
    name: str,
    encoders: Mapping[str, Path],
    learned: Index,
    asked: Index,
    units: npt.NDArray[np.str_],
    seed: int,
    action: bool = True,
) -> Predicted:
    """Predictions of `train`, kept under their name."""
    file = experiment.work / "predictions" / f"{name}.npz"
    if not file.exists():
        made = train(experiment, encoders, learned, asked, units, seed, action)
        probabilities = sigmoid(
            made.logits * np.array(made.calibration.slope) + np.array(made.calibration.intercept)
        )
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, rows=asked, probabilities=probabilities)
    with np.load(file) as found:
        return Predicted(found["rows"], found["probabilities"])

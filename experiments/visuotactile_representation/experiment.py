"""Shared parts of the experiment: sizes, folders, stores and splits, and parallel training."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import joblib
import numpy as np
import torch

from experiments.visuotactile_representation.presets import PRESETS, Preset
from visuotactile.datasets.splits import Fold, Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.sim.collect import collect
from visuotactile.training.runs import Run, fit

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since results keep the command line
PERTURBED = "column:split:trial"
"""Training on the poses of the grid, test on perturbed poses of the same objects, as in the paper."""
FOLDS = 3
IN_CONTACT = ("regrasp", "stay")
"""States of a simulated grasp in which the fingers are closed, since the open hand feels nothing."""


@dataclass(frozen=True)
class Experiment:
    """Preset, folders and stores of the experiment; stores are made on first use."""

    preset: Preset
    work: Path
    results: Path
    jobs: int

    @cached_property
    def connectors(self) -> Store:
        """Simulated pairs of sight and touch: 1,920 to train on, 640 perturbed ones to test on."""
        path = self.work / "connectors"
        return collect("connectors", path, workers=self.jobs, seed=0, size=self.preset.connector_size)

    @cached_property
    def poses(self) -> Path:
        """The split of the connectors."""
        return _saved(self.work / "splits" / "connectors.json", self.connectors)

    @cached_property
    def grasps(self) -> Store:
        """Simulated grasps of the training objects."""
        preset = self.preset
        return collect(
            "grasp",
            self.work / "grasps",
            workers=self.jobs,
            trials=preset.grasps,
            objects="train",
            camera_size=preset.camera_size,
            seed=0,
        )

    @cached_property
    def unseen_objects(self) -> Path:
        """A split of the grasps: the states in contact of fold 0 of three folds by object."""
        store, path = self.grasps, self.work / "splits" / "grasps.json"
        if not path.exists():
            fold = make_split(store, f"object:{FOLDS}").folds[0]
            chosen = store.names[np.isin(store.column("column/example"), IN_CONTACT)].tolist()
            kept = set(chosen)
            sides = (tuple(name for name in side if name in kept) for side in (fold.train, fold.test))
            name = f"object:{FOLDS}, fold 0, in contact"
            Split(name, "object", (Fold(*sides),), store.fingerprint, 0).save(path)
        return path

    @property
    def threads(self) -> int:
        """Threads of each parallel process."""
        return max(1, (os.cpu_count() or 1) // self.jobs)

    @property
    def device(self) -> str:
        """Device on which trained networks are evaluated."""
        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def features(self) -> Path:
        """Folder of cached features."""
        return self.work / "features"

    def fit(self, networks: Sequence[Run]) -> None:
        """Train networks in parallel."""
        joblib.Parallel(n_jobs=self.jobs, batch_size=1)(
            joblib.delayed(fit)(network, self.threads) for network in networks
        )

    @classmethod
    def of(cls, options: argparse.Namespace) -> Experiment:
        """The experiment for parsed options."""
        name = options.preset
        return cls(PRESETS[name], options.work / name, HERE / "results" / name, options.jobs)


def _saved(path: Path, store: Store) -> Path:
    if not path.exists():
        make_split(store, PERTURBED).save(path)
    return path

"""One predictor or encoder: trained through the command line, exported, asked about unseen objects.

Each is a folder under the work folder. What is finished is kept, and training goes on from its last
checkpoint, so that an interrupted experiment goes on where it stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml

from visuotactile.checkpoints import CHECKPOINT_KEY, read_checkpoint
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError
from visuotactile.files import atomic_path, write_json
from visuotactile.grasp.evaluation import predict
from visuotactile.grasp.export import export_predictor
from visuotactile.grasp.predictor_file import DESCRIPTION, load_predictor
from visuotactile.ssl.export import export_checkpoint
from visuotactile.training import LAST

Changes = Mapping[str, Any]

QUIET = {
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.num_sanity_val_steps": 0,
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One predictor to train.

    Attributes:
        folder: of its run; the predictor comes to FOLDER/predictor.
        config: YAML that it starts from.
        branches: those that it has; what is given for one replaces the configuration's.
        store: of the training examples.
        split: only the training side of `fold` is learnt from, and the test side is predicted; or None.
        fold: of the split.
        seed: of weights, crops, order, and the objects held out.
        changes: of the configuration, by dotted names such as trainer.max_steps.
        tested: whether the test side is predicted; tuning never asks.
    """

    folder: Path
    config: Path
    branches: Mapping[str, Changes]
    store: Path
    split: Path | None = None
    fold: int = 0
    seed: int = 0
    changes: Changes = field(default_factory=dict)
    tested: bool = True

    @property
    def predictor(self) -> Path:
        """Folder of the calibrated predictor."""
        return self.folder / "predictor"


@dataclass(frozen=True)
class Said:
    """What a network said of examples.

    Attributes:
        rows: [n] in the store.
        logits: [n] of success, before calibration.
        labels: [n] 0 or 1.
    """

    rows: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


def fit_part(part: Part, threads: int = 1) -> Path:
    """Train, export and test one predictor, unless it is there; returns the predictor's folder."""
    torch.set_num_threads(threads)
    if not (part.predictor / DESCRIPTION).exists():
        config = _changed(part.config, QUIET | dict(part.changes))
        given = config["model"]["init_args"]["branches"]
        config["model"]["init_args"]["branches"] = {
            name: dict(instead) or given[name] for name, instead in part.branches.items()
        }
        config["model"]["init_args"]["seed"] = part.seed
        data = {"store": str(part.store), "seed": part.seed, "fold": part.fold}
        config["data"]["init_args"] |= data | ({"split": str(part.split)} if part.split else {})
        _train(config, part.folder, threads)
        export_predictor(part.folder / LAST, part.predictor)
    if part.tested and part.split is not None and not _tested(part).exists():
        store = Store(part.store)
        rows = Split.load(part.split, store).indices(store, part.fold)[1].astype(np.int64)
        logits, labels = predict(load_predictor(part.predictor), store, rows)
        with atomic_path(_tested(part)) as path, open(path, "wb") as file:
            np.savez(file, rows=rows, logits=logits[:, 0], labels=labels[:, 0])
    return part.predictor


def tested(part: Part) -> Said:
    """What the finished part said of its test objects, in the store's order."""
    with np.load(_tested(part)) as found:
        return Said(
            found["rows"].astype(np.int64),
            found["logits"].astype(np.float64),
            found["labels"].astype(np.int64),
        )


def held_out(part: Part) -> Said:
    """What the finished part said of the training objects that were held out of its training."""
    described = read_checkpoint(part.folder / LAST)[CHECKPOINT_KEY]
    store = Store(part.store)
    rows = np.arange(len(store))
    if part.split is not None:
        rows = Split.load(part.split, store).indices(store, part.fold)[0]
    objects = np.array(described["data"]["held_out_objects"])
    rows = rows[np.isin(store.objects[rows], objects)].astype(np.int64)
    said = described["validated"]
    return Said(
        rows, said["logits"][:, 0].numpy().astype(np.float64), said["outcomes"][:, 0].numpy().astype(np.int64)
    )


def pretrain(
    config: Path,
    folder: Path,
    store: Path,
    split: Path,
    fold: int,
    changes: Changes,
    seed: int = 0,
    threads: int = 1,
) -> Path:
    """Pretrain and export one encoder, unless it is there; returns its folder."""
    encoder = folder / "encoder"
    if not (encoder / "encoder.json").exists():
        values = _changed(config, QUIET | dict(changes))
        values["model"]["init_args"]["seed"] = seed
        values["data"]["init_args"] |= {"store": str(store), "split": str(split), "fold": fold, "seed": seed}
        _train(values, folder, threads)
        export_checkpoint(folder / LAST, encoder)
    return encoder


def _tested(part: Part) -> Path:
    return part.folder / "tested.npz"


def _changed(path: Path, changes: Changes) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *parents, last = name.split(".")
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return config


def _train(config: dict[str, Any], folder: Path, threads: int) -> None:
    config["trainer"]["default_root_dir"] = str(folder)
    file = folder / "config.yaml"
    write_json(file, config)  # JSON is YAML too
    print(f"training {folder}: see fit.log in it", flush=True)
    command = [sys.executable, "-m", "visuotactile", "fit", "--config", str(file)]
    with open(folder / "fit.log", "a") as log:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, stdout=log, stderr=log, env=environment)
    if done.returncode:
        raise DataError(f"the training of {folder} failed; {folder / 'fit.log'} says why")

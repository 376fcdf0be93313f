"""Shared parts of the experiment: sizes, folders, the store, its folds, and frozen encoders' features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from experiments.gentle_grasping.presets import Preset
from visuotactile.datasets.splits import Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import imagenet_encoder, save_encoder
from visuotactile.files import atomic_path
from visuotactile.progress import track
from visuotactile.sim.collect import collect

Index = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TOUCHES = ("tactile_thumb", "tactile_middle")
OUTCOMES = ("stable", "gentle")
AT_ONCE = 64


@dataclass(frozen=True)
class Experiment:
    """Preset, folders and data; what is made is kept in `work`, and results in `results`."""

    preset: Preset
    work: Path
    results: Path
    jobs: int
    given: Path | None = None

    @cached_property
    def store(self) -> Store:
        """Grasps of the toy with random regrasps: the one that was given, or a collection."""
        if self.given is not None:
            return Store(self.given)
        options: dict[str, Any] = {"trials": self.preset.grasps, "camera_size": self.preset.camera_size}
        return collect("gentle", self.work / "grasps", workers=self.jobs, **options)

    @cached_property
    def grasp(self) -> Index:
        """Number of each row's grasp."""
        return np.unique(self.store.column("column/grasp"), return_inverse=True)[1].astype(np.int64)

    @cached_property
    def example(self) -> npt.NDArray[np.str_]:
        """Kind of each row's state–action pair: regrasp, released or stay."""
        return self.store.column("column/example")

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Outcomes of each row, [rows, 2]."""
        columns = [self.store.column(f"outcome/{name}") for name in OUTCOMES]
        return np.stack(columns, axis=1).astype(np.int64)

    def split(self, unit: str) -> Split:
        """Folds by "grasp", or by "trial", which is the paper's sample: one state–action pair."""
        spec = f"unit:column/grasp:{self.preset.folds}" if unit == "grasp" else f"trial:{self.preset.folds}"
        return make_split(self.store, spec)

    def encoders(self) -> dict[str, Path]:
        """ImageNet's encoder of the camera's picture, and of both tactile differences: name → folder."""
        contracts = {
            "camera": InputContract(streams=("rgb",), reference=None, size=self.preset.camera_input),
            "touch": InputContract(streams=TOUCHES, reference="before", size=self.preset.touch_input),
        }
        found = {}
        for name, contract in contracts.items():
            found[name] = self.work / "encoders" / name
            if not found[name].exists():
                made = imagenet_encoder(contract)
                save_encoder(found[name], made.backbone, made.architecture, made.contract, made.meta)
        return found

    def features(self, encoder: Path) -> torch.Tensor:
        """A frozen encoder's features of every row, float32 [rows, width], kept on disk."""
        file = self.work / "features" / f"{'-'.join(encoder.parts[-3:])}.npy"
        if not file.exists():
            found = _features(self.store, encoder)
            with atomic_path(file) as path, open(path, "wb") as opened:
                np.save(opened, found)
        return torch.from_numpy(np.load(file))


@torch.no_grad()
def _features(store: Store, encoder: Path) -> npt.NDArray[np.float32]:
    network = Branch(encoder=encoder).build().eval()
    found = np.empty((len(store), network.look_width), np.float32)
    for start in track(range(0, len(store), AT_ONCE), f"features of {encoder.name}"):
        rows = np.arange(start, min(start + AT_ONCE, len(store)))
        seen = {}
        for name in network.keys:
            stream, _, phase = name.rpartition("/")
            seen[name] = torch.from_numpy(store.read(stream, phase, rows))
        found[rows] = network.look(seen).numpy()
    return found

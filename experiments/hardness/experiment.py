"""Stores, encoders and measured clips of the experiment; each is made once and kept."""

from __future__ import annotations

import argparse
import dataclasses
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.hardness.presets import AUTOENCODER, IMAGENET, MOCO, PRESETS, UNTRAINED, Preset
from visuotactile.datasets.clips import StoreClips, numbers
from visuotactile.datasets.splits import Fold, Split
from visuotactile.datasets.store import Store
from visuotactile.encoders.adapt import adapted
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import (
    FrozenEncoder,
    imagenet_encoder,
    load_encoder,
    save_encoder,
    untrained_encoder,
)
from visuotactile.estimation.contact_mechanics import ContactMechanics
from visuotactile.estimation.estimator import Estimator, Known
from visuotactile.estimation.features import FrozenFeatures
from visuotactile.estimation.measured import measured_clips
from visuotactile.sim.collect import collect
from visuotactile.training.runs import Run, fit

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since results keep the command line
TARGET = "log_modulus"
BALLS, SHAPES = "balls", "shapes"
HEMISPHERE = "hemisphere"

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Experiment:
    """Preset and folders of the experiment.

    Attributes:
        preset: sizes.
        work: folder of stores, networks, measured clips and predictions.
        results: folder of tables and pictures.
        jobs: simulations at once.
    """

    preset: Preset
    work: Path
    results: Path
    jobs: int

    @cached_property
    def balls(self) -> Store:
        """Presses on the sixty hemispheres."""
        preset = self.preset
        return collect(
            "press",
            self.work / BALLS,
            workers=self.jobs,
            trials=preset.balls,
            seed=0,
            frames=preset.frames,
            units=preset.units,
        )

    @cached_property
    def shapes(self) -> Store:
        """Presses on every shape, with other sensor units."""
        preset = self.preset
        return collect(
            "press",
            self.work / SHAPES,
            workers=self.jobs,
            trials=preset.shapes,
            seed=1,
            frames=preset.frames,
            units=preset.units,
            first_unit=100,
            shapes="all",
            textures="all",
            hardness="wide",
            motion="press,roll",
            angle=15.0,
        )

    def store(self, name: str) -> Store:
        """The store `BALLS` or `SHAPES`."""
        return self.balls if name == BALLS else self.shapes

    def encoder(self, name: str, store: str) -> FrozenEncoder:
        """A frozen encoder for the presses of `store`, which has seen nothing of its samples and units.

        The autoencoder, MoCo and the adapted statistics saw the other store: shapes other than hemispheres
        for the hemispheres, and hemispheres for the shapes.
        """
        if name in (AUTOENCODER, MOCO):
            return load_encoder(self._pretrained(name, store))
        contract = self._contract(store)
        if name == IMAGENET:
            return imagenet_encoder(dataclasses.replace(contract, size=self.preset.imagenet_size))
        plain = untrained_encoder(self.preset.backbone, contract, seed=0)
        if name == UNTRAINED:
            return plain
        folder = self.work / "encoders" / store / "adapted"
        if not folder.exists():
            made = adapted(plain, self.store(_other(store)), self._unlabelled(store))
            save_encoder(folder, made.backbone, made.architecture, made.contract, made.meta)
        return load_encoder(folder)

    def estimator(self, name: str, store: str, *, radius: bool) -> Estimator:
        """An estimator that has not been fitted: contact mechanics, or ENCODER, HEAD.

        Args:
            name: its name.
            store: of the presses that it is for.
            radius: the radius is known.
        """
        encoder, _, head = name.rpartition(", ")
        if not encoder:
            return ContactMechanics()
        return FrozenFeatures(self._encoders(encoder, store), head=head, radius=radius)  # type: ignore[arg-type]

    def measured(self, name: str, store: str) -> npt.NDArray[np.floating]:
        """Measured clips of a store [n, …]; NaN where one shows no contact. Heads share their encoder's."""
        key = name.rpartition(", ")[0] or name, store
        if key not in self._clips:
            estimator = self.estimator(name, store, radius=False)
            clips = StoreClips(self.store(store))
            self._clips[key] = measured_clips(estimator, clips, self.work / "measured")
        return self._clips[key]

    def known(self, store: str) -> Known:
        """Radii and sensor units of a store's presses."""
        opened = self.store(store)
        return Known(radius=opened.column("column/radius"), sensor=opened.column("sensor").astype(np.str_))

    def target(self, store: str) -> Floats:
        """log10 of Young's modulus of each press."""
        return numbers(self.store(store), TARGET)

    def _contract(self, store: str) -> InputContract:
        """The input of encoders for `store`, on the scale of the other store's images, as in pretraining."""
        contract = InputContract(
            streams=("tactile",),
            phase="during",
            reference="before",
            size=self.preset.size,
            normalisation="store",
        )
        return contract.measured(self.store(_other(store)).statistics)

    @property
    def threads(self) -> int:
        """Threads of a training."""
        return max(1, int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))

    @cached_property
    def _clips(self) -> dict[tuple[str, str], npt.NDArray[np.floating]]:
        return {}

    @cached_property
    def _kept(self) -> dict[tuple[str, str], FrozenEncoder]:
        return {}

    def _encoders(self, name: str, store: str) -> FrozenEncoder:
        if (name, store) not in self._kept:
            self._kept[name, store] = self.encoder(name, store)
        return self._kept[name, store]

    def _pretrained(self, method: str, store: str) -> Path:
        other = self.store(_other(store))
        split = self.work / "encoders" / store / "unlabelled.json"
        if not split.exists():
            seen = self._unlabelled(store)
            rest = np.setdiff1d(np.arange(len(other)), seen)
            if not len(rest):  # a split has two sides; the encoder then does without a few presses
                seen, rest = seen[:-1], seen[-1:]
            fold = Fold(tuple(other.names[seen].tolist()), tuple(other.names[rest].tolist()))
            split.parent.mkdir(parents=True, exist_ok=True)
            Split("unlabelled", "trial", (fold,), other.fingerprint, 0).save(split)
        run = Run(
            folder=self.work / "encoders" / store / method,
            config=f"{self.preset.configs}{method}",
            changes={
                **self.preset.pretraining,
                **(self.preset.shapes_pretraining if store == SHAPES else {}),
                "model.init_args.seed": 0,
                "data.init_args.store": str(other.path),
                "data.init_args.split": str(split),
                "data.init_args.fold": 0,
                "data.init_args.seed": 0,
            },
        )
        return fit(run, self.threads)

    def _unlabelled(self, store: str) -> Rows:
        """Rows of the other store whose images encoders for `store` may see."""
        other = self.store(_other(store))
        if store == BALLS:
            return np.flatnonzero(other.column("column/family") != HEMISPHERE)
        return np.arange(len(other))

    @classmethod
    def of(cls, options: argparse.Namespace) -> Experiment:
        """The experiment for parsed options."""
        name = options.preset
        results = options.results or HERE / "results" / name
        return cls(PRESETS[name], options.work / name, results, options.jobs)


def _other(store: str) -> str:
    return SHAPES if store == BALLS else BALLS

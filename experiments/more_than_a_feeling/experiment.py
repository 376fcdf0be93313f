"""Shared parts of the experiment: sizes, folders and stores."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import joblib

from experiments.more_than_a_feeling.predicted import Part, fit_and_test
from experiments.more_than_a_feeling.presets import PRESETS, Preset, normalised
from experiments.more_than_a_feeling.trials import by_object, collected, collected_on_policy, reduced
from visuotactile.datasets.join import join
from visuotactile.datasets.store import Store
from visuotactile.training.runs import Changes, Run

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since results keep the command line
FOLDS = 3
Branches = Mapping[str, Changes]
CAMERA: Branches = {"camera": {}}
TOUCH: Branches = {"touch": {}}
BOTH: Branches = {**CAMERA, **TOUCH}


@dataclass(frozen=True)
class Experiment:
    """Preset, folders and stores of the experiment; stores are made on first use."""

    preset: Preset
    work: Path
    results: Path
    jobs: int

    @cached_property
    def grasps(self) -> Store:
        """Simulated grasps of the training objects, regrasped at random."""
        return collected(
            self.work / "grasps", self.preset.grasps, self.preset.camera_size, seed=0, workers=self.jobs
        )

    @cached_property
    def small(self) -> Store:
        """`grasps` with reduced images."""
        return reduced(self.grasps, self.work / "small", self.preset.side, self.jobs)

    def with_on_policy(self, predictor: Path, number: int, objective: str) -> Store:
        """`small` joined with the on-policy rounds 1 to `number`, reduced likewise.

        The predictor plans the last of these rounds for `objective`; earlier ones must exist.
        """
        grasps = collected_on_policy(
            self.work / f"on-policy-{number}",
            predictor,
            objective,
            self.preset.on_policy,
            self.preset.camera_size,
            first=self.preset.grasps + (number - 1) * self.preset.on_policy,
            workers=self.jobs,
        )
        reduced(grasps, self._small(number), self.preset.side, self.jobs)
        parts = [self.small.path, *(self._small(each) for each in range(1, number + 1))]
        return join(parts, self.work / f"joined-{number}")

    def _small(self, number: int) -> Path:
        kept = "on-policy" if self.preset.side is None else "small-on-policy"
        return self.work / f"{kept}-{number}"

    def split(self, store: Store) -> Path:
        """Split of `store` by object."""
        return by_object(store, self.work / "splits" / f"{store.fingerprint[:12]}.json", FOLDS)

    @property
    def threads(self) -> int:
        """Threads of each parallel process."""
        return max(1, (os.cpu_count() or 1) // self.jobs)

    def part(
        self,
        name: str,
        branches: Branches,
        *,
        changes: Changes | None = None,
        split: Path | None = None,
        fold: int = 0,
        seed: int = 0,
        store: Store | None = None,
    ) -> Part:
        """A predictor of the preset's size on a store, the reduced random grasps by default.

        With sight, it also gets the depth camera's location of the object: see the README.
        """
        examples = (store or self.small).path
        run = Run(
            folder=self.work / "networks" / name,
            config=self.preset.predictor,
            branches=branches,
            changes={
                **normalised("branches.touch"),
                **self.preset.predictor_changes,
                "model.init_args.vectors": ["pose", "force", *(["cylinder"] if "camera" in branches else [])],
                **(changes or {}),
                "model.init_args.seed": seed,
                "data.init_args.store": str(examples),
                "data.init_args.seed": seed,
                "data.init_args.fold": fold,
                **({"data.init_args.split": str(split)} if split else {}),
            },
        )
        return Part(run, examples, split, fold)

    def fit(self, parts: Sequence[Part]) -> None:
        """Train and evaluate parts in parallel."""
        joblib.Parallel(n_jobs=self.jobs, batch_size=1)(
            joblib.delayed(fit_and_test)(part, self.threads) for part in parts
        )

    @classmethod
    def of(cls, options: argparse.Namespace) -> Experiment:
        """The experiment for parsed options."""
        name = options.preset
        return cls(PRESETS[name], options.work / name, HERE / "results" / name, options.jobs)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command of the experiment takes."""
    parser.add_argument("--preset", choices=list(PRESETS), default="laptop")
    parser.add_argument("--work", type=Path, default=Path("runs") / HERE.name)
    parser.add_argument("--jobs", type=int, default=1, help="networks, episodes or simulations at once")

"""One network of an experiment: a configuration with changes, trained by `visuotactile fit` and exported.

    run = Run(folder=Path("runs/moco"), config="moco", changes={"seed_everything": 1})
    encoder = fit(run)

A finished run is skipped and an unfinished one resumes from its last checkpoint, so that a script which
trains many networks can be interrupted. A folder that holds a run of other settings is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from visuotactile.configs import find
from visuotactile.errors import DataError, brief
from visuotactile.files import differences, read_json, write_json
from visuotactile.training.export import export
from visuotactile.training.folder import LAST

Changes = Mapping[str, Any]
"""Dotted name in a configuration, such as trainer.max_epochs → new value."""

QUIET: Changes = {
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.num_sanity_val_steps": 0,
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One network to train.

    Attributes:
        folder: folder of the run: config.json, fit.log, checkpoints and the exported network.
        config: YAML file to start from, or the name of a shipped configuration.
        changes: changes of the configuration.
        branches: branches of the model, each with a mapping that replaces the configuration's unless it is
            empty; None keeps all branches as they are.
        checkpoint: file in the run's folder to export.
        calibration: "none" for a predictor of which only the ranking matters.
    """

    folder: Path
    config: str | Path
    changes: Changes = field(default_factory=dict)
    branches: Mapping[str, Changes] | None = None
    checkpoint: Path = LAST
    calibration: Literal["none"] | None = None

    @property
    def exported(self) -> Path:
        """Folder of the encoder, the joint space, the predictor or the classifier."""
        return self.folder / "exported"

    def configuration(self) -> dict[str, Any]:
        """The complete configuration, changes included.

        Raises:
            UsageError: there is no such configuration.
            DataError: it cannot be read, or lacks one of `branches`.
        """
        path = find(self.config)
        try:
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as why:
            raise DataError(f"{path} cannot be read as a configuration: {brief(why)}") from why
        if not isinstance(config, dict):
            raise DataError(
                f"{path} cannot be read as a configuration: it holds no names but {config!r:.40}; "
                "expected model, data and trainer"
            )
        for name, value in {**QUIET, **self.changes}.items():
            *parents, last = name.split(".")
            place = config
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
        if self.branches is not None:
            given = config["model"]["init_args"]["branches"]
            missing = [name for name, instead in self.branches.items() if not instead and name not in given]
            if missing:
                raise DataError(f"{path} has no branch {missing[0]!r}; it has {', '.join(given)}")
            config["model"]["init_args"]["branches"] = {
                name: dict(instead) or given[name] for name, instead in self.branches.items()
            }
        config["trainer"]["default_root_dir"] = str(self.folder)
        plain: dict[str, Any] = json.loads(json.dumps(config))  # tuples become lists, as in the file
        return plain


def fit(run: Run, threads: int = 1) -> Path:
    """Train and export a network, unless its folder is complete; returns the exported folder.

    Args:
        run: network to train.
        threads: number of threads of its process, and of this one.

    Raises:
        DataError: the folder holds a run of other settings, or the training failed.
    """
    torch.set_num_threads(threads)
    config, file = run.configuration(), run.folder / "config.json"
    if file.exists() and (different := differences(read_json(file, DataError), config)):
        raise DataError(
            f"{run.folder} was trained with other settings: {different}; remove it, or give another folder"
        )
    if not run.exported.exists():
        write_json(file, config)  # JSON is YAML too
        print(f"training {run.folder}: see fit.log in it", flush=True)
        _train(file, run.folder / "fit.log", threads)
        export(run.folder / run.checkpoint, run.exported, calibration=run.calibration)
    return run.exported


def _train(config: Path, log: Path, threads: int) -> None:
    # A process of its own: several may train at once, and each starts from a fresh state.
    command = [sys.executable, "-m", "visuotactile", "fit", "--config", str(config)]
    with open(log, "a") as opened:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, stdout=opened, stderr=opened, env=environment)
    if done.returncode:
        raise DataError(f"the training of {config.parent} failed; {log} says why")

"""One network: trained through the command line, exported, and kept.

Each is a folder under the work folder. What is finished is skipped, and training goes on from its last
checkpoint, so that an interrupted experiment goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from presets import Changes

from visuotactile.errors import DataError
from visuotactile.export import export
from visuotactile.files import read_json, write_json
from visuotactile.training import LAST

QUIET = {
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.num_sanity_val_steps": 0,
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network to train.

    Attributes:
        folder: of its run.
        config: YAML that it starts from.
        changes: of the configuration.
        branches: those that it has; what is given for one replaces the configuration's. None for all of them.
        checkpoint: in the run's folder, that is exported.
        calibration: of a predictor: "none" where only the order of what it says matters.
    """

    folder: Path
    config: Path
    changes: Changes
    branches: Mapping[str, Changes] | None = None
    checkpoint: Path = LAST
    calibration: Literal["none"] | None = None

    @property
    def exported(self) -> Path:
        """Folder of the classifier, the joint space, the encoder or the predictor."""
        return self.folder / "exported"

    def configuration(self) -> dict[str, Any]:
        """The whole configuration, with the changes made."""
        config: dict[str, Any] = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        for name, value in (QUIET | dict(self.changes)).items():
            *parents, last = name.split(".")
            place = config
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
        if self.branches is not None:
            given = config["model"]["init_args"]["branches"]
            config["model"]["init_args"]["branches"] = {
                name: dict(instead) or given[name] for name, instead in self.branches.items()
            }
        config["trainer"]["default_root_dir"] = str(self.folder)
        return json.loads(json.dumps(config))


def fit(network: Network, threads: int = 1) -> Path:
    """Train and export a network, unless it is there; returns the folder of what was exported.

    Raises:
        DataError: the folder holds a network of other settings, or the training failed.
    """
    torch.set_num_threads(threads)
    config, file = network.configuration(), network.folder / "config.json"
    if file.exists() and read_json(file, DataError) != config:
        raise DataError(
            f"{network.folder} was trained with other settings than the preset's; remove it, or give another "
            "--work"
        )
    if not network.exported.exists():
        write_json(file, config)  # JSON is YAML too
        print(f"training {network.folder}: see fit.log in it", flush=True)
        _run(file, network.folder / "fit.log", threads)
        export(network.folder / network.checkpoint, network.exported, calibration=network.calibration)
    return network.exported


def _run(config: Path, log: Path, threads: int) -> None:
    command = [sys.executable, "-m", "visuotactile", "fit", "--config", str(config)]
    with open(log, "a") as opened:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, stdout=opened, stderr=opened, env=environment)
    if done.returncode:
        raise DataError(f"the training of {config.parent} failed; {log} says why")

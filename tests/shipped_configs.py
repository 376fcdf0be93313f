"""The shipped configurations, run by the command with networks and images small enough for a test."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import classification_helpers
import cross_modal_helpers
from ssl_helpers import RESNET, noise_store

from visuotactile.cli import main
from visuotactile.configs import FOLDER as CONFIGS
from visuotactile.training.metrics import METRICS

ROOT = Path(__file__).parents[1]
QUIET = ("accelerator=cpu", "log_every_n_steps=1", "enable_progress_bar=false", "enable_model_summary=false")
MODALITY = {"backbone": RESNET, "pretrained": False, "contract": {"size": 32}}
TOUCH = {"backbone": RESNET, "pretrained": False, "contract": {"reference": "before", "size": 48}}


def one_encoder(config: Path, store: Path, root: Path, *more: str, backbone: str = RESNET) -> list[str]:
    """Arguments of pretraining with one encoder on a `noise_store`."""
    return _arguments(
        config,
        store,
        root,
        "--model.init_args.branch.contract.size=32",
        f"--model.init_args.branch.backbone={backbone}",
        "--data.batch_size=16",
        "--data.resident=memory",
        *more,
    )


def cross_modal(config: Path, store: Path, root: Path, *more: str, branches: Any = None) -> list[str]:
    """Arguments of cross-modal pretraining on a `cross_modal_helpers.pair_store`."""
    small = _small(root, branches or {"sight": MODALITY, "touch": MODALITY})
    steps = ("--trainer.max_steps=2", "--trainer.precision=32-true")
    return _arguments(config, store, root, small, "--data.batch_size=16", *steps, *more)


def classification(config: Path, store: Path, root: Path, *more: str) -> list[str]:
    """Arguments of classification on a `classification_helpers.pair_store`."""
    touch = {**TOUCH, "contract": {**TOUCH["contract"], "mean": [0.0] * 3}}  # type: ignore[dict-item]
    return _arguments(
        config,
        store,
        root,
        _small(root, {"sight": MODALITY, "touch": touch}),
        f"--data.split={store.parent / 'split.json'}",
        "--data.group=object+part/x",
        "--data.batch_size=48",
        "--trainer.max_steps=4",
        "--trainer.precision=32-true",
        *more,
    )


def clips(config: Path, store: Path, root: Path, *more: str) -> list[str]:
    """Arguments of training an estimator on the clips of a `noise_store`."""
    branch = {
        "backbone": RESNET,
        "pretrained": False,
        "contract": {"streams": ["tactile_left"], "frames": 2, "size": 32},
    }
    small = root.with_suffix(".json")
    small.write_text(json.dumps({"model": {"init_args": {"branch": branch}}}))
    return _arguments(
        config,
        store,
        root,
        f"--config={small}",
        "--data.target=success",
        "--data.batch_size=3",
        "--data.resident=memory",
        "--trainer.max_epochs=2",
        "--trainer.precision=32-true",
        *more,
    )


def logged(root: Path) -> set[str]:
    """Names of the values in the run's log."""
    with open(root / METRICS, newline="") as file:
        return {name for row in csv.DictReader(file) for name, value in row.items() if value}


class ShippedRuns:
    """Runs of shipped configurations, each made once, in folders of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, set[Path]()
        self.noise = noise_store(folder / "noise").path  # 72 samples on both sensors, 36 on one
        self.pairs = cross_modal_helpers.pair_store(folder / "pairs", trials=60).path
        (folder / "classes").mkdir()
        self.classes = classification_helpers.pair_store(folder / "classes" / "store").path

    def __call__(self, config: Path) -> Path:
        """The folder of the run."""
        root = self.folder / "-".join(config.relative_to(CONFIGS).with_suffix("").parts)
        if config not in self.made:
            if config.stem == "classifier":
                argv = classification(config, self.classes, root, "--data.held_out=0.3")
            elif config.stem.startswith("cross_modal"):
                few = ("--trainer.limit_train_batches=2", "--trainer.max_epochs=1")
                argv = cross_modal(config, self.pairs, root, *few)
            elif config.stem == "hardness":
                argv = clips(config, self.noise, root)
            else:
                few = ["--data.label=success", "--trainer.max_epochs=2"]
                if "hidden:" in config.read_text(encoding="utf-8"):
                    # Heads of the papers' size are 130 M weights.
                    few += [f"--model.init_args.{name}=16" for name in ("dimension", "hidden")]
                argv = one_encoder(config, self.noise, root, *few)
            assert main(argv) == 0
            self.made.add(config)
        return root


def _arguments(config: Path, store: Path, root: Path, *more: str) -> list[str]:
    return [
        "fit",
        f"--config={config}",
        f"--data.store={store}",
        f"--trainer.default_root_dir={root}",
        *(f"--trainer.{setting}" for setting in QUIET),
        *more,
    ]


def _small(root: Path, branches: Any) -> str:
    small = root.with_suffix(".json")
    small.write_text(json.dumps({"model": {"init_args": {"branches": branches}}}))
    return f"--config={small}"

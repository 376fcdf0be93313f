"""A run's folder belongs to one configuration and one store, and to one `fit` at a time.

FOLDER/run.json            settings of the run that began here; each checkpoint has them, too
FOLDER/checkpoints/        last.ckpt, and best.ckpt of a classifier
FOLDER/.lock               locked while a `fit` trains in the folder
"""

from __future__ import annotations

import contextlib
import enum
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visuotactile.encoders.frozen import ENCODER
from visuotactile.errors import EncoderError, UsageError
from visuotactile.files import differences, lock, read_json, write_json

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from visuotactile.datasets.datamodule import StoreData
    from visuotactile.training.module import TrainingModule

CHECKPOINTS = Path("checkpoints")
LAST = CHECKPOINTS / "last.ckpt"
BEST = CHECKPOINTS / "best.ckpt"
"""That of a classifier's epoch with the lowest training loss."""
RECORD = "run.json"
LOCK = ".lock"
SETTINGS_KEY = "visuotactile settings"
"""Entry of a checkpoint with the settings of its run."""

Settings = dict[str, Any]
"""Dotted name of a setting, as on the command line without `init_args` → its plain value."""

TRAINER = (
    *("precision", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
    *("limit_train_batches", "overfit_batches"),
)
"""The trainer's settings that change what is learnt. Its length may change, and is recorded beside them."""

CALLBACKS = (
    *("StochasticWeightAveraging", "WeightAveraging", "EMAWeightAveraging", "ModelPruning"),
    *("GradientAccumulationScheduler", "BaseFinetuning", "BackboneFinetuning"),
    *("BatchSizeFinder", "LearningRateFinder"),
)
"""Lightning's callbacks that change what is learnt; the others only watch."""

ELSEWHERE = {"data.store", "data.split", "data.fold", "data.batch_size", "data.workers", "data.resident"}
"""The data module's settings that change nothing, or that are recorded by what they stand for."""

LENGTH = ("max_epochs", "max_steps")


def configured(configuration: Mapping[str, Any]) -> Settings:
    """Settings of the model and the data in a resolved configuration; encoder folders by their hash."""
    found: Settings = {}
    for section in ("model", "data", "optimizer", "lr_scheduler", "seed_everything"):
        _flatten(section, configuration.get(section), found)
    sync = (configuration.get("trainer") or {}).get("sync_batchnorm")
    found["trainer.sync_batchnorm"] = bool(sync)
    return {name: value for name, value in found.items() if name not in ELSEWHERE}


def settings_of(module: TrainingModule, data: StoreData, trainer: pl.Trainer) -> Settings:
    """Everything on which the result of a run depends, but its length.

    Args:
        module: its optimiser counts, and its `configured` settings.
        data: data module; the store counts by its fingerprint, the split by its hash, and the batch over all
            processes.
        trainer: of the run.
    """
    callbacks = [type(each).__name__ for each in trainer.callbacks]  # type: ignore[attr-defined]
    split = data.split_hash
    found: Settings = {
        "data.store": f"fingerprint {data.store.fingerprint[:12]}",
        "data.split": f"hash {split[:12]}" if split else None,
        "data.fold": data.fold if split else None,
        "data.batch_size": data.batch_size * trainer.world_size,
        "trainer.callbacks": [name for name in callbacks if name in CALLBACKS],
    }
    for name in TRAINER:
        value = getattr(trainer, name, None)
        counted = name in ("limit_train_batches", "overfit_batches") and isinstance(value, int)
        _flatten(f"trainer.{name}", f"{value} batches" if counted else value, found)
    _flatten("model.optimizer", vars(module.optimizer_config), found)
    return found | module.configured


def _flatten(name: str, value: Any, found: Settings) -> None:
    """Put every leaf of nested mappings into `found`, as JSON has it."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            _flatten(name if key == "init_args" else f"{name}.{key}", inner, found)
        return
    if isinstance(value, enum.Enum):
        value = value.value
    elif name.endswith(".encoder") and value is not None and ENCODER.lies_at(value):
        value = f"hash {ENCODER.read(value)['hash'][:12]}"
    elif isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    found[name] = json.loads(json.dumps(value, default=str))


def check_same(found: Mapping[str, Any], mine: Mapping[str, Any], where: str) -> None:
    """Compare the settings of a run with those of the one that would continue it.

    Where one of them was made in Python, which knows no configuration, only what both have is compared.

    Raises:
        EncoderError: they differ; the message names what, with both values.
    """
    kind = "model.class_path"
    if (kind in found) != (kind in mine):
        found, mine = ({name: each[name] for name in mine if name in found} for each in (found, mine))
    if different := differences(found, mine):
        raise EncoderError(
            f"{where} is of a run with other settings: {different}; continue with the old ones, or give "
            "another --trainer.default_root_dir"
        )


def length_of(trainer: pl.Trainer) -> dict[str, int | None]:
    """Epochs and steps after which a run ends; None where either has no limit."""
    return {name: None if (value := getattr(trainer, name)) in (-1, None) else value for name in LENGTH}


class RunFolder:
    """The folder of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last(self) -> Path:
        """Its last checkpoint."""
        return self.path / LAST

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other `fit`s out of the folder, and sweep what interrupted saves left in it.

        Raises:
            UsageError: another `fit` trains in the folder, or it cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            opened = open(self.path / LOCK, "a")  # noqa: SIM115  closed below
        except OSError as why:
            raise UsageError(
                f"{self.path} cannot be written to ({why.strerror}); give another --trainer.default_root_dir"
            ) from None
        with opened as file:
            try:
                alone = lock(file.fileno())
            except BlockingIOError:
                raise UsageError(
                    f"another fit is training in {self.path}; wait for it to end, or give another "
                    "--trainer.default_root_dir"
                ) from None
            if alone:
                for part in (*self.path.glob(".*.part"), *(self.path / CHECKPOINTS).glob(".*.part")):
                    part.unlink(missing_ok=True)
            else:
                print(f"{self.path} cannot be locked; take care that no other fit uses it")
            yield

    def claim(self, settings: Settings) -> None:
        """Record the settings of the run that begins in the folder.

        Raises:
            EncoderError: there are checkpoints of other settings.
        """
        record = self.path / RECORD
        if record.exists() and any((self.path / CHECKPOINTS).glob("*.ckpt")):
            check_same(read_json(record, EncoderError), settings, str(self.path))
        else:
            write_json(record, settings)

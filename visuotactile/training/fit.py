"""`visuotactile fit` and `validate`: LightningCLI, with checkpoints that survive a kill."""

from __future__ import annotations

import re
import textwrap
import warnings
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from visuotactile.datasets.store import Store
from visuotactile.encoders.contract import InputContract
from visuotactile.errors import UsageError, VisuotactileError
from visuotactile.files import atomic_path
from visuotactile.training.checkpoints import load_values, read_checkpoint
from visuotactile.training.module import TrainingModule
from visuotactile.training.tracking import wandb_mode

LAST = Path("checkpoints") / "last.ckpt"
LINKS = ("reads", "outcomes")
"""Attributes of the model that are parameters of its data module: a configuration states them once."""

NOISE = (
    ".*does not have many workers.*",  # resident data need none
    ".*dataloader is not resumable.*",  # it is: the batches follow from the step
    ".*treespec, LeafSpec.*",  # Lightning's use of PyTorch and, next, of jsonargparse
    ".*deprecated in v4.49.0.*",
    ".*intended to run from within Python.*",  # cli.py passes the arguments on
    ".*exists and is not empty.*",  # a resumed run writes to its folder again
    ".*smaller than the logging interval.*",
    ".*Total length of `list` across ranks is zero.*",  # nothing is held out
    ".*in eval mode at the start of training.*",  # frozen encoders are meant to be
)


class SafeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are written atomically and never unpickled.

    A kill leaves the old one or the new one, whole.

    (Lightning writes to the system's temporary folder first, from where a move to another disk is a copy that
    can be cut short.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
        """Tensors and plain values of a local file, whatever `weights_only`; `EncoderError` for others."""
        return load_values(path)


class TrainingCLI(LightningCLI):
    """LightningCLI whose runs resume by themselves, and whose data module reads what the model looks at."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The data module follows the model in each parameter of `LINKS` that it has."""
        for name in LINKS:
            # Also evaluated for the links that the data module has no use for.
            parser.link_arguments(
                "model", f"data.init_args.{name}", partial(_attribute, name), apply_on="instantiate"
            )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """`fit` and `validate`; encoders, classifiers and predictors are tested by commands of their own."""
        return {name: LightningCLI.subcommands()[name] for name in ("fit", "validate")}

    def before_instantiate_classes(self) -> None:
        """Let a W&B logger start offline unless the user has logged in; take numbers from the store."""
        loggers = self._get(self.config, "trainer")["logger"]
        for logger in loggers if isinstance(loggers, list) else [loggers]:
            if getattr(logger, "class_path", "").endswith("WandbLogger"):
                settings = logger.init_args
                settings.mode = settings.mode or ("offline" if settings.offline else wandb_mode())
        _measure(self._get(self.config, "model"), self._get(self.config, "data"))

    def instantiate_trainer(self, **arguments: Any) -> Trainer:
        """Lightning's trainer, with metrics in a CSV file by default, and one last checkpoint."""
        config = self._get(self.config_init, "trainer")
        root = Path(config["default_root_dir"] or "runs")
        if config["logger"] in (None, True):
            arguments["logger"] = CSVLogger(root, name="logs")
        trainer = super().instantiate_trainer(**arguments)
        trainer.strategy.checkpoint_io = SafeCheckpoints()
        # Ours replaces Lightning's default, which names a new file for each epoch and version.
        trainer.callbacks = [c for c in trainer.callbacks if type(c) is not ModelCheckpoint or c.dirpath]  # type: ignore[attr-defined]
        trainer.callbacks.append(  # type: ignore[attr-defined]
            ModelCheckpoint(
                dirpath=root / LAST.parent,
                filename=LAST.stem,
                enable_version_counter=False,
                save_on_exception=True,
            )
        )
        return trainer

    def before_fit(self) -> None:
        """Continue from the last checkpoint in the run's folder, unless --ckpt_path names another."""
        last = Path(self.trainer.default_root_dir) / LAST
        settings = self.config_init["fit"]
        if settings["ckpt_path"] is None and last.exists():
            settings["ckpt_path"] = str(last)
        if settings["ckpt_path"] is not None:
            _check_checkpoint(settings)
            print(f"continuing from {settings['ckpt_path']}")

    def before_validate(self) -> None:
        """Check the checkpoint before Lightning, whose errors are obscure, reads it."""
        settings = self.config_init["validate"]
        if settings["ckpt_path"] is not None:
            _check_checkpoint(settings)

    def _parse_ckpt_path(self) -> None:
        """Take no setting from a checkpoint, as Lightning would: it could name any class."""

    def after_fit(self) -> None:
        """Make up for a validation that an interruption prevented: Lightning takes the run for finished."""
        if self.model.validation_is_due:
            self.trainer.validate(self.model, self.datamodule)
            self.trainer.save_checkpoint(Path(self.trainer.default_root_dir) / LAST)


def _check_checkpoint(settings: Namespace) -> None:
    """Check what is to be read, and make its path absolute: `last` alone is a keyword to Lightning."""
    if settings["weights_only"] is False:
        raise UsageError("weights_only is false, but checkpoints are never unpickled; leave it out")
    read_checkpoint(settings["ckpt_path"])
    settings["ckpt_path"] = str(Path(settings["ckpt_path"]).absolute())


def _attribute(name: str, model: LightningModule) -> Any:
    return getattr(model, name, None)


def _measure(model: Any, data: Any) -> None:
    """Put the store's mean and deviation into each contract of a model's configuration that asks for them."""
    contracts = [part for part in _parts(model) if part.get("normalisation") == "store"]
    if contracts:
        statistics = Store(data["init_args"]["store"]).statistics
        for contract in contracts:
            measured = InputContract(**contract).measured(statistics)
            contract["normalisation"] = measured.normalisation
            contract["mean"], contract["std"] = list(measured.mean), list(measured.std)


def _parts(value: Any) -> Iterator[Any]:
    """Every mapping within a configuration."""
    if isinstance(value, dict | Namespace):
        yield value
        for part in (value if isinstance(value, dict) else vars(value)).values():
            yield from _parts(part)


def _ours(why: BaseException | None) -> VisuotactileError | None:
    """The first of our own errors among the causes of `why`."""
    while why is not None and not isinstance(why, VisuotactileError):
        why = why.__cause__ or why.__context__
    return why


def _sentence(message: str) -> str:
    r"""One sentence for jsonargparse's page about a setting and every type that it might have had.

    >>> _sentence('Parser key "data": Parser key "size": Expected a <class \'int\'>. Got value: x')
    "data.size is 'x'; expected int"
    """
    keys = ".".join(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', message)))
    kinds = [kind for kind in re.findall(r"Expected a <class '(\w+)'>", message) if kind != "NoneType"]
    value = re.search(r"(?:Got|Given) value: (.*)", message)
    if keys and value and (nested := re.match(r"NestedArg\(key='(.+)', val=(.+)\)$", value[1])):
        return f"{keys}.{nested[1]} cannot be {nested[2]}"
    if keys and kinds and value:
        return f"{keys} is {value[1]!r}; expected {' or '.join(dict.fromkeys(kinds))}"
    return textwrap.shorten(message, 400)


def main(argv: Sequence[str]) -> None:
    """Run `fit` or `validate` with the arguments of LightningCLI."""
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    quiet = {"exit_on_error": False}  # raise instead of printing the usage of every option
    try:
        TrainingCLI(
            TrainingModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            # The data modules distribute each batch over the ranks themselves.
            trainer_defaults={"use_distributed_sampler": False},
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            args=list(argv),
            parser_kwargs={"prog": "visuotactile", **quiet, "fit": quiet, "validate": quiet},
        )
    except ArgumentError as why:
        raise (_ours(why) or UsageError(_sentence(str(why)))) from None
    except MisconfigurationException as why:
        raise UsageError(" ".join(str(why).split())) from None
    except ValueError as why:
        # jsonargparse wraps our own errors in a page about every type that the value might have had.
        raise (_ours(why) or why) from None
    except SIGTERMException:
        # It is a SystemExit without a status, which would look like success to the calling process.
        raise KeyboardInterrupt from None

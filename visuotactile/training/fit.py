"""`visuotactile fit` and `validate`: LightningCLI, with checkpoints that survive a kill."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import textwrap
import threading
import warnings
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any, get_args

import torch
from jsonargparse import Namespace
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, RichProgressBar, TQDMProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import SIGTERMException

from visuotactile.datasets.store import Store
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.streams import StreamNames, parts_of, rename_in
from visuotactile.errors import (
    DivergenceError,
    EncoderError,
    ResourceError,
    UsageError,
    VisuotactileError,
    brief,
)
from visuotactile.files import atomic_path
from visuotactile.training.checkpoints import UNEXPECTED, load_values, read_checkpoint
from visuotactile.training.console import Console, Opening, silence
from visuotactile.training.folder import (
    LAST,
    SETTINGS_KEY,
    RunFolder,
    Settings,
    check_same,
    configured,
    length_of,
    settings_of,
)
from visuotactile.training.metrics import MetricsFile
from visuotactile.training.module import TrainingModule
from visuotactile.training.tracking import PROJECT, finish, run_id, wandb_mode

LINKS = ("reads", "outcomes", "frames")
"""Attributes of the model that are parameters of its data module: a configuration states them once."""

LARGEST_COUNT = 10**12
"""Steps, epochs or batches; no run has more."""

NOISE = (
    ".*does not have many workers.*",  # resident data need none
    ".*dataloader is not resumable.*",  # it is: from the number of batches consumed
    ".*treespec, LeafSpec.*",  # Lightning's use of PyTorch and, next, of jsonargparse
    ".*deprecated in v4.49.0.*",
    ".*intended to run from within Python.*",  # cli/training.py passes the arguments on
    ".*exists and is not empty.*",  # a resumed run writes to its folder again
    ".*The dirpath has changed from.*",  # of a run's folder that was moved
    ".*smaller than the logging interval.*",
    "(?s).*does not round-trip.*",  # tuples of numbers, which YAML has as lists
    ".*Total length of `list` across ranks is zero.*",  # nothing is held out
    ".*in eval mode at the start of training.*",  # frozen encoders are meant to be
)


LIGHTNING_BARS = (RichProgressBar, TQDMProgressBar)


class SafeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are written atomically and never unpickled.

    A kill leaves the old one or the new one, whole.

    (Lightning writes to the system's temporary folder first, from where a move to another disk is a copy that
    can be cut short.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        try:
            with atomic_path(path) as temporary:
                torch.save(checkpoint, temporary)
        except RuntimeError as why:  # PyTorch's writer names no cause
            raise ResourceError(
                f"{path} cannot be written: the disk is full, or gone ({brief(why)}); the one before it "
                "stays: free some space and run the same command again"
            ) from None

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
        """Tensors and plain values of a local file, whatever `weights_only`; `EncoderError` for others."""
        return load_values(path)


class LastCheckpoint(ModelCheckpoint):
    """The last checkpoint, which is also written on an exception unless the run has diverged."""

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save, unless the weights are beyond saving."""
        if not isinstance(exception, DivergenceError):
            super().on_exception(trainer, pl_module, exception)


class TrainingCLI(LightningCLI):
    """LightningCLI whose runs resume by themselves, and whose data module reads what the model looks at."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The data module follows the model in each parameter of `LINKS` that it has."""
        parser.add_class_arguments(StreamNames, "streams")
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
        """Keep W&B in the run's folder, and offline for who has not logged in; measure the store."""
        trainer = self._get(self.config, "trainer")
        self.folder = RunFolder(Path(trainer["default_root_dir"] or "runs"))
        for logger in _listed(trainer["logger"]):
            if getattr(logger, "class_path", "").endswith("WandbLogger"):
                _keep_in(self.folder.path, logger.init_args)
        model, data = self._get(self.config, "model"), self._get(self.config, "data")
        if names := self._get(self.config, "streams")["names"]:
            rename_in(model, StreamNames.given(names), Store(data["init_args"]["store"]))
            self.config[self.subcommand]["streams"]["names"] = {}  # the contracts have the store's names now
        _measure(model, data)

    def instantiate_trainer(self, **arguments: Any) -> Trainer:
        """Lightning's trainer, with metrics in one file, one bar, and one last checkpoint."""
        config = self._get(self.config_init, "trainer")
        arguments["default_root_dir"] = str(self.folder.path)
        self.metrics = MetricsFile(self.folder.path)
        # Others stand beside it; `validate` measures a checkpoint, and is no part of the run's record.
        given = [] if config["logger"] in (None, True, False) else _listed(config["logger"])
        own = [] if config["logger"] is False or self.subcommand == "validate" else [self.metrics]
        arguments["logger"] = [*own, *given]
        trainer = super().instantiate_trainer(**arguments)
        trainer.strategy.checkpoint_io = SafeCheckpoints()
        # Ours replace Lightning's defaults: a new file for each epoch and version, and a bar that cuts names.
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        shown = any(type(each) in LIGHTNING_BARS for each in callbacks)
        callbacks[:] = [
            each
            for each in callbacks
            if type(each) not in LIGHTNING_BARS and (type(each) is not ModelCheckpoint or each.dirpath)
        ]
        callbacks += [Opening(), *([Console()] if shown else [])]
        callbacks.append(
            LastCheckpoint(
                dirpath=self.folder.path / LAST.parent,
                filename=LAST.stem,
                enable_version_counter=False,
                save_on_exception=True,
            )
        )
        return trainer

    def _parse_ckpt_path(self) -> None:
        """Take no setting from a checkpoint, as Lightning would: it could name any class."""

    def fit(self, model: TrainingModule, **settings: Any) -> None:
        """Train in the run's folder, from the last checkpoint in it unless --ckpt_path names another.

        Raises:
            EncoderError: the folder, or the checkpoint, is of a run with other settings.
            UsageError: another `fit` trains in the folder.
        """
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            # A try, which leaves nothing behind.
            self.trainer.fit(model, **settings)
            return
        alone = self.trainer.is_global_zero
        with self.folder.locked() if alone else contextlib.nullcontext():
            model.configured = configured(self.config["fit"].as_dict())
            mine = settings_of(model, self.datamodule, self.trainer)
            if alone:
                self.folder.claim(mine)
            if settings["ckpt_path"] is None and self.folder.last.exists():
                settings["ckpt_path"] = str(self.folder.last)
            if settings["ckpt_path"] is not None:
                found, step = self._continue_from(settings, mine)
                if alone:
                    self.metrics.resume(step)
                    print(found, flush=True)
            for logger in self.trainer.loggers:
                logger.log_hyperparams({**mine, **length_of(self.trainer)})
            with _restoring(model, settings["ckpt_path"]):
                self.trainer.fit(model, **settings)
            if model.validation_is_due:
                # Make up for one that an interruption prevented: Lightning takes the run for finished.
                self.trainer.validate(model, self.datamodule)
                self.trainer.save_checkpoint(self.folder.last)

    def _continue_from(self, settings: dict[str, Any], mine: Settings) -> tuple[str, int]:
        """Check that a checkpoint is of a run with the settings `mine`.

        Returns:
            A line about what changes, and the step of the checkpoint.
        """
        path = settings["ckpt_path"]
        content = _read_checkpoint(settings)
        _check_progress(content, path)
        found: Any = content.get(SETTINGS_KEY)
        told = isinstance(found, dict) and all(isinstance(found.get(n), dict) for n in ("settings", "length"))
        if not told:
            raise EncoderError(
                f"{path} does not tell the settings of its run, as those of earlier versions do not; train "
                "into another --trainer.default_root_dir"
            )
        check_same(found["settings"], mine, path)
        step = int(content.get("global_step", 0))
        said = f"continuing from {path}, at step {step:,}"
        now = length_of(self.trainer)
        changed = {name: value for name, value in now.items() if value != found["length"].get(name)}
        if changed:
            listed = ", ".join(
                f"{name} {found['length'].get(name)} → {value}" for name, value in changed.items()
            )
            said += f" with {listed}; the learning rate follows the schedule of the new length from here on"
        return said, step

    def validate(self, model: TrainingModule, **settings: Any) -> None:
        """Measure the last checkpoint of the run's folder, unless --ckpt_path names another.

        Raises:
            EncoderError: there is none.
        """
        if settings["ckpt_path"] is None:
            settings["ckpt_path"] = str(self.folder.last)
            if not self.folder.last.exists():
                raise EncoderError(
                    f"there is no {self.folder.last} to validate; name a checkpoint with --ckpt_path, or the "
                    "run's folder with --trainer.default_root_dir"
                )
        path, content = settings["ckpt_path"], _read_checkpoint(settings)
        if self.trainer.is_global_zero:
            print(f"validating {path}, of step {content.get('global_step')}")
        with _restoring(model, path):
            (found,) = self.trainer.validate(model, **{**settings, "verbose": False}) or ({},)
        if self.trainer.is_global_zero:
            print(*(f"{name}: {value:.6g}" for name, value in found.items()), sep="\n")


def _listed(loggers: Any) -> list[Any]:
    return loggers if isinstance(loggers, list) else [loggers]


def _keep_in(folder: Path, settings: Namespace) -> None:
    """Settings of a W&B logger that the user has left open."""
    settings.mode = settings.mode or ("offline" if settings.offline else wandb_mode())
    settings.save_dir = str(folder) if settings.save_dir in (None, ".") else settings.save_dir
    settings.project = settings.project or os.environ.get("WANDB_PROJECT", PROJECT)
    settings.name = settings.name or folder.name
    settings.version = settings.version or settings.id or run_id(folder)


def _check_progress(content: Mapping[str, Any], path: str) -> None:
    """Raise `EncoderError` unless epoch, step and the loops' counts are whole numbers that can be."""
    left: list[Any] = [content.get("epoch"), content.get("global_step"), content.get("loops")]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            left.extend(value.values())
        elif (type(value) is int and not 0 <= value < LARGEST_COUNT) or isinstance(value, float | str):
            raise EncoderError(f"{path} is damaged: it counts {value!r:.40}; use another one, or train again")


@contextlib.contextmanager
def _restoring(model: TrainingModule, path: str | None) -> Iterator[None]:
    """Turn errors of taking up a checkpoint, before the first batch, into `EncoderError`."""
    try:
        yield
    except VisuotactileError:
        raise
    except UNEXPECTED as why:
        if path is None or not model.restoring:
            raise
        raise EncoderError(
            f"{path} cannot be taken up: it is damaged ({brief(why)}); use another one, or train again"
        ) from None


def _read_checkpoint(settings: dict[str, Any]) -> dict[str, Any]:
    """Read the checkpoint, and make its path absolute: `last` alone is a keyword to Lightning."""
    if settings["weights_only"] is False:
        raise UsageError("weights_only is false, but checkpoints are never unpickled; leave it out")
    path = settings["ckpt_path"]
    settings["ckpt_path"] = str(Path(path).absolute())
    return read_checkpoint(path)


def _attribute(name: str, model: LightningModule) -> Any:
    return getattr(model, name, None)


def _measure(model: Any, data: Any) -> None:
    """Put the store's mean and deviation into each contract of a model's configuration that asks for them."""
    contracts = [part for part in parts_of(model) if part.get("normalisation") == "store"]
    if contracts:
        store = Store(data["init_args"]["store"])
        for contract in contracts:
            wanted = InputContract(**contract)
            for key in wanted.keys:
                store.spec(*key.split("/"))  # names what is missing, and how to map it
            measured = wanted.measured(store.statistics)
            contract["normalisation"] = measured.normalisation
            contract["mean"], contract["std"] = list(measured.mean), list(measured.std)


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


def _try_whole_numbers_first() -> None:
    """Let `limit_train_batches=1` and its kind mean one batch, whatever was imported before.

    `typing` keeps one object for both orders of a union, whichever some library wrote first, and jsonargparse
    tries the types in that order: 1 could be read as 1.0, which is all batches.
    """
    hints = Trainer.__init__.__annotations__
    for name, hint in hints.items():
        types = get_args(hint)
        if {int, float} <= set(types):
            # unlike `Union[…]`, `|` keeps the order in which it is written
            hints[name] = reduce(or_, sorted(types, key=lambda each: each is not int))


def main(argv: Sequence[str]) -> Path | None:
    """Run `fit` or `validate` with the arguments of LightningCLI.

    Returns:
        The run's folder, on one process alone, or None for a try that leaves nothing behind.
    """
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    silence()
    _try_whole_numbers_first()
    quiet = {"exit_on_error": False}  # raise instead of printing the usage of every option
    taken = _leave_sigterm_to_lightning()
    try:
        cli = TrainingCLI(
            TrainingModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            # The data modules distribute each batch over the ranks themselves.
            # Lightning's summary counts operations, of which it finds none.
            trainer_defaults={"use_distributed_sampler": False, "enable_model_summary": False},
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
        page = "Does not validate against any" in str(why) or "Parser key" in str(why)
        raise (_ours(why) or (UsageError(_sentence(str(why))) if page else why)) from None
    except SIGTERMException:
        # It is a SystemExit without a status, which would look like success to the calling process.
        raise KeyboardInterrupt from None
    finally:
        finish()
        if taken is not None:
            signal.signal(signal.SIGTERM, taken)
    done: Any = cli.trainer
    return cli.folder.path if done.is_global_zero and not done.fast_dev_run else None


def _leave_sigterm_to_lightning() -> Any:
    """Take our own handler away: Lightning, which ends a step and saves before it stops, would call both."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, signal.SIG_DFL)

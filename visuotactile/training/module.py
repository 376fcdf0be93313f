"""The base of everything that `visuotactile fit` trains."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from visuotactile.datasets.batches import batches_done
from visuotactile.datasets.datamodule import StoreData
from visuotactile.datasets.source import Source
from visuotactile.errors import ContractError, DivergenceError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, check_continues
from visuotactile.training.folder import SETTINGS_KEY, Settings, check_same, length_of, settings_of
from visuotactile.training.schedule import OptimizerConfig
from visuotactile.training.seeding import step_generator

GRADIENTS = "gradients"
REMEDY = (
    "the last finite checkpoint stays as it is; train into another folder with a lower model.optimizer.lr or "
    "more of its warmup_steps, trainer.gradient_clip_val, a higher temperature, or trainer.precision 32-true"
)
Data = TypeVar("Data", bound=StoreData)


class TrainingModule(pl.LightningModule, ABC):
    """A seeded, resumable training run on one optimiser and schedule.

    Everything random in a step follows from (seed, number of the batch), so that a resumed run, and a run on
    several processes, equal an uninterrupted one on one process. A checkpoint says what it holds, under
    `CHECKPOINT_KEY` and in plain values and tensors, and is not continued by a run of another identity or of
    other settings. One that is written between two batches whose gradients are accumulated holds these
    gradients. A run whose loss or weights are NaN or infinite ends at once, and is not saved.

    Attributes:
        method: name of the method in checkpoints; `training.export` knows who exports it.
        configured: settings of the configuration that the module was made from; none in Python.
        restoring: a checkpoint is being taken up; no batch has been seen since.
    """

    method: ClassVar[str]

    def __init__(self, optimizer: OptimizerConfig, seed: int) -> None:
        super().__init__()
        self.optimizer_config, self.seed = optimizer, seed
        self.configured: Settings = {}
        self.restoring = False
        self._settings: Settings = {}
        self._finite: tuple[int, float] | None = None  # last step with a finite loss, and the loss
        self._gradients: dict[str, Tensor | None] = {}  # of a checkpoint between accumulated batches

    @abstractmethod
    def network_identity(self) -> dict[str, Any]:
        """The networks and their inputs, as plain values; a resumed run must have the same."""

    @abstractmethod
    def checkpoint_entries(self) -> dict[str, Any]:
        """Further entries that an export or a resumed run needs, as plain values and tensors."""

    @property
    @abstractmethod
    def reads(self) -> Mapping[str, Source]:
        """Source of each branch's images, which `fit` passes on to the data module."""

    @property
    @abstractmethod
    def data(self) -> StoreData:
        """The run's data module, from `data_module`."""

    def setup(self, stage: str) -> None:
        """Refuse data and settings from which nothing can be learnt."""
        data = self.data
        if stage == "fit":
            for name in ("max_epochs", "max_steps", "limit_train_batches"):
                if getattr(self.trainer, name) == 0:
                    raise ContractError(f"trainer.{name} is 0, so that nothing is learnt; expected 1 or more")
            self.check_learnable()
            limit, batches = self.trainer.limit_train_batches, len(data.train_dataloader())
            if isinstance(limit, float) and int(limit * batches) == 0:
                raise ContractError(
                    f"trainer.limit_train_batches is {limit}, less than one of the {batches} batches of "
                    "an epoch; raise it, or lower data.batch_size"
                )
            self._settings = settings_of(self, data, self.trainer)

    def check_learnable(self) -> None:
        """Raise `DataError` where the method can learn nothing from the training data."""

    def restore(self, entries: Mapping[str, Any]) -> None:
        """Take up what `checkpoint_entries` wrote."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters to train, as PyTorch's optimisers take them."""
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    @property
    def validation_is_due(self) -> bool:
        """True if `fit` must validate the final weights, because an interruption prevented it."""
        return False

    def identity(self) -> dict[str, Any]:
        """Method, networks and seed."""
        return {"method": self.method, **self.network_identity(), "seed": self.seed}

    def configure_optimizers(self) -> Any:
        """The optimiser, with the learning rate set before each step."""
        settings = self.optimizer_config
        optimizer = settings.create(self.parameter_groups())
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: self.learning_rate(step) / settings.lr
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate(self, step: int) -> float:
        """Learning rate of an optimiser step, counted from 0."""
        return self.optimizer_config.rate(step, self.trainer.estimated_stepping_batches)

    @property
    def batches_done(self) -> int:
        """Batches that this process has consumed in the run; more than its steps where they accumulate."""
        return batches_done(self.trainer)

    def generator(self, step: int, *more: int) -> torch.Generator:
        """Generator of everything random in `step`; the same on every rank unless `more` differs."""
        return step_generator(self.seed, step, *more)

    def log_step(self, loss: Tensor, batch_size: int) -> Tensor:
        """Log the loss of a training step, over all processes, and the learning rate that the optimiser has.

        Returns:
            The loss over all processes, a scalar without gradient.

        Raises:
            DivergenceError: the loss is NaN or infinite; every process raises it at the same step.
        """
        mean: Tensor = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
        rate, number = self.trainer.optimizers[0].param_groups[0]["lr"], float(mean)
        if not math.isfinite(number):
            before = "no loss was finite before"
            if self._finite:
                before = f"last finite loss {self._finite[1]:.4g} at step {self._finite[0]}"
            raise DivergenceError(
                f"the run diverged: the loss of step {self.global_step} is {number} ({before}, learning rate "
                f"{rate:.3g}); {REMEDY}"
            )
        self._finite = self.global_step, number
        self.log("loss", mean, prog_bar=True, batch_size=batch_size)
        self.log("lr", rate, batch_size=batch_size)
        return mean

    def check_weights(self, state: Mapping[str, Tensor]) -> None:
        """Raise `DivergenceError` if a weight in `state` is NaN or infinite."""
        broken = [name for name, value in state.items() if not value.isfinite().all()]
        if broken:
            before = f" (last finite loss {self._finite[1]:.4g})" if self._finite else ""
            raise DivergenceError(
                f"the run diverged: {len(broken)} of {len(state)} weights, such as {broken[0]}, are NaN or "
                f"infinite at step {self.global_step}{before}; {REMEDY}"
            )

    def data_module(self, kind: type[Data]) -> Data:
        """The run's data module of a certain kind.

        Raises:
            ContractError: it is of another kind.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, kind):
            raise ContractError(
                f"{type(self).__name__} learns from {kind.__name__}, found {type(data).__name__}; name "
                "another data.class_path"
            )
        return data

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add identity, settings, step, `checkpoint_entries`, and gradients that wait for further batches.

        Raises:
            DivergenceError: a weight is NaN or infinite; an earlier checkpoint stays as it is.
        """
        self.check_weights(checkpoint["state_dict"])
        checkpoint[SETTINGS_KEY] = {"settings": self._settings, "length": length_of(self.trainer)}
        checkpoint[CHECKPOINT_KEY] = {
            **self.identity(),
            "step": self.global_step,
            **self.checkpoint_entries(),
        }
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        whole = progress.processed % self.trainer.accumulate_grad_batches == 0
        if not whole and progress.processed < self.trainer.num_training_batches:
            checkpoint[CHECKPOINT_KEY][GRADIENTS] = {
                name: parameter.grad for name, parameter in self.named_parameters()
            }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to continue a run of another method, network, input or seed, or of other settings."""
        self.restoring = True
        check_continues(checkpoint, self.identity())
        if self.trainer.state.fn == "fit":
            check_same(checkpoint.get(SETTINGS_KEY, {}).get("settings", {}), self._settings, "the checkpoint")
        self.restore(checkpoint[CHECKPOINT_KEY])
        self._gradients = checkpoint[CHECKPOINT_KEY].get(GRADIENTS, {})

    def on_train_start(self) -> None:
        """Take the learning rate from the schedule: that of a run made longer differs from here on."""
        for each in self.trainer.lr_scheduler_configs:
            schedule = each.scheduler
            if isinstance(schedule, torch.optim.lr_scheduler.LambdaLR):
                rates = zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
                for group, (base, factor) in zip(schedule.optimizer.param_groups, rates, strict=True):
                    group["lr"] = base * factor(schedule.last_epoch)

    def on_validation_start(self) -> None:
        """Refuse to measure weights that are NaN or infinite."""
        self.restoring = False
        self.check_weights(self.state_dict())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Take up accumulated gradients; not sooner, since Lightning sets all to zero before it trains."""
        self.restoring = False
        if self._gradients:
            for name, parameter in self.named_parameters():
                gradient = self._gradients[name]
                parameter.grad = None if gradient is None else gradient.to(parameter.device)
            self._gradients = {}

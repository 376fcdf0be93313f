"""The base of everything that `visuotactile fit` trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from visuotactile.datasets.batches import batches_done
from visuotactile.datasets.source import Source
from visuotactile.errors import ContractError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, check_continues
from visuotactile.training.schedule import OptimizerConfig
from visuotactile.training.seeding import step_generator

GRADIENTS = "gradients"
Data = TypeVar("Data", bound=pl.LightningDataModule)


class TrainingModule(pl.LightningModule, ABC):
    """A seeded, resumable training run on one optimiser and schedule.

    Everything random in a step follows from (seed, number of the batch), so that a resumed run, and a run on
    several processes, equal an uninterrupted one on one process. A checkpoint says what it holds, under
    `CHECKPOINT_KEY` and in plain values and tensors, and is not continued by a run of another identity. One
    that is written between two batches whose gradients are accumulated holds these gradients.

    Attributes:
        method: name of the method in checkpoints; `training.export` knows who exports it.
    """

    method: ClassVar[str]

    def __init__(self, optimizer: OptimizerConfig, seed: int) -> None:
        super().__init__()
        self.optimizer_config, self.seed = optimizer, seed
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
    def data(self) -> pl.LightningDataModule:
        """The run's data module, from `data_module`."""

    def setup(self, stage: str) -> None:
        """Refuse data that the method cannot learn from."""
        _ = self.data

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

    def log_step(self, loss: Tensor, batch_size: int) -> None:
        """Log the loss and the learning rate of a training step."""
        self.log("loss", loss, prog_bar=True, batch_size=batch_size, sync_dist=True)
        self.log("lr", self.learning_rate(self.global_step), batch_size=batch_size)

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
        """Add identity, step and `checkpoint_entries`, and gradients that wait for further batches."""
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
        """Refuse to continue a run of another method, network, input or seed."""
        check_continues(checkpoint, self.identity())
        self.restore(checkpoint[CHECKPOINT_KEY])
        self._gradients = checkpoint[CHECKPOINT_KEY].get(GRADIENTS, {})

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Take up accumulated gradients; not sooner, since Lightning sets all to zero before it trains."""
        if self._gradients:
            for name, parameter in self.named_parameters():
                gradient = self._gradients[name]
                parameter.grad = None if gradient is None else gradient.to(parameter.device)
            self._gradients = {}

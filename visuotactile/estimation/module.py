"""Training of a network that estimates a number from a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.clip_data import ClipData
from visuotactile.datasets.source import Source
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch
from visuotactile.errors import ContractError, DataError
from visuotactile.estimation.heads import gaussian_loss
from visuotactile.estimation.network import ClipNetwork, Head
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import ADAMW_EXPONENTIAL, OptimizerConfig

METHOD = "clip estimator"


class ClipModule(TrainingModule):
    """Estimator of a number, such as hardness, from a clip (Yuan et al. 2017): an encoder and a sequence.

    The frames of a clip are drawn anew in each epoch, around equal steps of the contact's growth, and cropped
    alike. The checkpoint holds the last validation's residuals, from which an export states intervals.
    """

    method = METHOD

    def __init__(
        self,
        branch: Branch,
        head: Head = Head(),  # noqa: B008  frozen
        radius: bool = False,
        optimizer: OptimizerConfig = ADAMW_EXPONENTIAL,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branch: clips and their encoder.
            head: sequence head over the frames' features.
            radius: the sample's radius is a further input; name its column with data.radius.
            optimizer: optimiser and schedule.
            seed: seed of the weights and crops.
        """
        super().__init__(optimizer, seed)
        with seeded(seed):
            self.network = ClipNetwork(branch.build(crop=True), head, radius)
        self._held_out: list[tuple[Tensor, ...]] = []
        self._validated: dict[str, Any] | None = None

    @property
    def reads(self) -> dict[str, Source]:
        """Source of the clips."""
        return {"touch": self.network.branch.contract.source(self.network.branch.side)}

    @property
    def frames(self) -> int:
        """Frames of a clip, which `fit` passes on to the data module."""
        return self.network.branch.contract.frames

    def setup(self, stage: str) -> None:
        """Take the scale of the numbers from the training side."""
        super().setup(stage)
        data, rows = self.data, self.data.rows["train"]
        if self.network.radius != (data.radius is not None):
            raise ContractError(
                f"model.radius is {self.network.radius} and data.radius {data.radius!r}; give both or neither"
            )
        radii = None if data.radii is None else data.radii[rows]
        self.network.set_scale(data.values[rows], radii)

    def check_learnable(self) -> None:
        """Numbers that differ are needed."""
        data = self.data
        values = data.values[data.rows["train"]]
        if values.min() == values.max():
            raise DataError(
                f"{data.target} is {values[0]:g} in all {len(values)} training clips; expected numbers that "
                "differ: name another data.target or split"
            )

    def loss(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Likelihood loss, a scalar; standardised number [B] and deviation [B]."""
        number, deviation = self.network(batch, generator)
        number, deviation = number.float(), deviation.float()
        return gaussian_loss(number, deviation, self.network.standard(batch["target"])), number, deviation

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss and the learning rate."""
        loss, _, _ = self.loss(batch, self.generator(self.batches_done, self.global_rank))
        self.log_step(loss, len(batch["target"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the residuals of the held-out clips."""
        _, number, deviation = self.loss(batch, None)
        left = (number - self.network.standard(batch["target"])).abs()
        self._held_out.append((left, deviation, batch["row"]))

    def on_validation_epoch_end(self) -> None:
        """Log the error over the held-out clips, in the number's own unit."""
        left, deviation, rows = (torch.cat(part).cpu() for part in zip(*self._held_out, strict=True))
        self._held_out.clear()
        error = left.square().mean().sqrt() * self.network.scale[1].cpu()
        self.log("val_rmse", error, prog_bar=True, sync_dist=True)
        if self.trainer.sanity_checking:  # of a batch or two
            return
        self._validated = {
            "step": self.global_step,
            "scores": left / deviation,
            "units": torch.from_numpy(self.data.units[rows.numpy()]),
        }

    @property
    def validation_is_due(self) -> bool:
        """True if samples are held out and the last validation was of earlier weights."""
        fresh = self._validated is not None and self._validated["step"] == self.global_step
        return bool(len(self.data.rows["held_out"])) and not fresh

    @property
    def data(self) -> ClipData:
        """The run's data module."""
        return self.data_module(ClipData)

    def network_identity(self) -> dict[str, Any]:
        """Branch, head and inputs."""
        return {"network": self.network.description()}

    def checkpoint_entries(self) -> dict[str, Any]:
        """Training data, the range of its numbers, and the last validation's residuals."""
        values = self.data.values[self.data.rows["train"]]
        span = [float(values.min()), float(values.max())]
        return {"data": self.data.description(), "span": span, "validated": self._validated}

    def restore(self, entries: Mapping[str, Any]) -> None:
        """Restore the last validation."""
        self._validated = entries["validated"]

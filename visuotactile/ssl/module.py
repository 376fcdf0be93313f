"""The base of the pretraining methods with one encoder: a backbone, views and monitors."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.datamodule import TactileData
from visuotactile.datasets.source import PARTNER, Source
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch, recorded
from visuotactile.encoders.contract import prepare
from visuotactile.encoders.joint import projection_head
from visuotactile.ssl.losses import check_negatives
from visuotactile.training import distributed, monitors
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import SGD_COSINE, OptimizerConfig
from visuotactile.views import ContrastiveAugmentation, RandomViews


class SelfSupervised(TrainingModule):
    """Pretraining of one encoder. A method supplies its modules (`build`) and its `loss`."""

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branch: input and architecture of the encoder; the paper's augmentation by default.
            optimizer: optimiser and schedule; the paper's by default.
            seed: of the weights and of every view.
        """
        super().__init__(optimizer, seed)
        with seeded(seed):
            self.network = branch.build_trained()
            self.build()
        self.views = RandomViews(self.network.contract, branch.augmentation or ContrastiveAugmentation())
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    @abstractmethod
    def build(self) -> None:
        """Make the method's own modules beside `self.network`; called once, under the run's seed."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Loss of this rank's batch, a scalar, and the backbone's features `[B, width]` for the monitors."""

    def check_negatives(self, masked: bool) -> None:
        """Raise `DataError` where no training sample has a negative, in a method that needs them."""
        data = self.data
        assert data.samples is not None
        batch = data.batch_size * self.trainer.world_size
        check_negatives(data.samples.recording, batch, masked, f"data.recording {data.recording}")

    def head(self, width: int) -> nn.Sequential:
        """MoCo v2's two-layer projection head, from the backbone's width to `width`."""
        return projection_head(self.network.width, width)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss, the learning rate, feature spread and effective rank."""
        loss, features = self.loss(batch, self.generator(self.batches_done))
        self.log_step(loss, len(features))
        if self.global_step % monitors.EVERY == 0:
            self.log_dict(monitors.collapse(features.detach()), prog_bar=True, batch_size=len(features))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect features under the evaluation view."""
        contract = self.network.contract
        features = self.network(prepare(contract, *recorded(batch, contract)))
        self._seen.append((features, batch["label"], batch["sample"]))

    def on_validation_epoch_end(self) -> None:
        """Log feature spread, effective rank and kNN accuracy over one frame of each training touch."""
        features, labels, samples = (torch.cat(part) for part in zip(*self._seen, strict=True))
        self._seen.clear()
        self.log_dict(monitors.collapse(features, "val_"), sync_dist=True)
        objects = np.unique(self.data.objects, return_inverse=True)[1]
        groups = torch.from_numpy(objects)[samples.cpu()].to(features.device)
        accuracy = monitors.knn_accuracy(features, labels, groups)
        if accuracy is not None:
            self.log("val_knn_balanced_accuracy", accuracy, prog_bar=True, sync_dist=True)

    @property
    def data(self) -> TactileData:
        """The run's data module."""
        return self.data_module(TactileData)

    @property
    def reads(self) -> dict[str, Source]:
        """Source of the encoder's images."""
        return {"encoder": self.network.contract.source(self.views.side)}

    def two_views(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views `[B, 3, S, S]` of each sample: of one image, or of it and its partner's."""
        partner = {
            name.removeprefix(PARTNER): value for name, value in batch.items() if name.startswith(PARTNER)
        }
        if not partner:
            first, second = self._draw_views(batch, generator, 2)
            return first, second
        return self.one_view(batch, generator), self.one_view(partner, generator)

    def one_view(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """One view `[B, 3, S, S]` of each sample."""
        return self._draw_views(batch, generator, 1)[0]

    def _draw_views(self, batch: Batch, generator: torch.Generator, count: int) -> list[Tensor]:
        images, references = recorded(batch, self.network.contract)
        return self.views(images, references, generator, count, *distributed.rank_and_size())

    def network_identity(self) -> dict[str, Any]:
        """Architecture and input contract."""
        return {
            "architecture": self.network.architecture,
            "contract": self.network.contract.to_dict(),
        }

    def checkpoint_entries(self) -> dict[str, Any]:
        """Description of the training data."""
        return self.data.description()

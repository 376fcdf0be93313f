"""Training of the classifier: cross-entropy, AdamW, and the paper's selection of the epoch."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.pairs import PairedData
from visuotactile.datasets.samples import UNLABELLED
from visuotactile.datasets.source import Source
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch, recorded
from visuotactile.errors import ContractError, DataError
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.export import METHOD
from visuotactile.supervised.network import Classifier
from visuotactile.training import distributed
from visuotactile.training.folder import BEST
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import ADAMW_EXPONENTIAL, OptimizerConfig
from visuotactile.views import RandomViews


class ClassifierModule(TrainingModule):
    """Classifier of objects from one or more modalities (visuotactile_representation, section C).

    The views of a modality do not depend on the other modalities.

    `best.ckpt`, beside `last.ckpt`, is the epoch with the lowest training loss, which the paper evaluates. No
    test data take part in that choice.
    """

    method = METHOD

    def __init__(
        self,
        branches: dict[str, Branch],
        attention: Attention | None = None,
        optimizer: OptimizerConfig = ADAMW_EXPONENTIAL,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branches: modality → its images and its encoder.
            attention: cross-modal attention before the linear layer; by default features are concatenated.
            optimizer: optimiser and schedule; the paper's for ResNets by default.
            seed: seed of the weights and views.
        """
        super().__init__(optimizer, seed)
        self.attention = attention
        with seeded(seed):
            self._networks = {name: branch.build() for name, branch in branches.items()}
        self.views = {
            name: RandomViews(network.contract, branches[name].augmentation)
            for name, network in self._networks.items()
        }
        self._losses: dict[int, Tensor] = {}  # of this epoch, by batch
        self._lowest = math.inf
        self._held_out: list[tuple[Tensor, Tensor]] = []

    @property
    def reads(self) -> dict[str, Source]:
        """Source of each modality's images."""
        return {name: view.contract.source(view.side) for name, view in self.views.items()}

    def setup(self, stage: str) -> None:
        """Build the classifier, now that the data give the classes."""
        super().setup(stage)
        if hasattr(self, "classifier"):
            return
        with seeded(self.seed + 1):
            self.classifier = Classifier(self._networks, self.data.classes, self.attention)

    def check_learnable(self) -> None:
        """Every trial needs a class, and two classes are needed."""
        data = self.data
        without = int((np.concatenate([*data.labels.values()]) == UNLABELLED).sum())
        if without:
            values = ", ".join(data.classes)
            raise DataError(
                f"{without} of the trials have no {data.label}; leave them out with data.where, such as "
                f"{{{data.label}: [{values}]}}"
            )
        found = np.unique(data.labels["train"])
        if len(found) < 2:
            raise DataError(
                f"the {len(data.labels['train'])} training trials have one class, {data.label} "
                f"{data.classes[found[0]]!r}; expected two or more: name another data.label, split or where"
            )

    def loss(self, batch: Batch, step: int) -> Tensor:
        """Cross-entropy, in nats, of views drawn for `step` of this rank's batch."""
        views = {}
        for name, view in self.views.items():
            pixels = recorded(batch, view.contract)
            generator = self.generator(step, zlib.crc32(name.encode()))
            (views[name],) = view(*pixels, generator, 1, *distributed.rank_and_size())
        return F.cross_entropy(self.classifier(views).float(), batch["label"])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss and the learning rate."""
        loss = self.loss(batch, self.batches_done)
        self._losses[batch_idx] = self.log_step(loss, len(batch["label"]))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keep the epoch with the lowest loss."""
        self._close_epoch()

    def on_train_start(self) -> None:
        """Do the same for a run that was stopped after the last step of an epoch."""
        super().on_train_start()
        self._close_epoch()

    def _close_epoch(self) -> None:
        if len(self._losses) < self.trainer.num_training_batches:
            return
        mean = float(torch.stack(list(self._losses.values())).mean())
        self._losses.clear()
        self.log("epoch_loss", mean, prog_bar=True)
        if mean < self._lowest:
            self._lowest = mean
            if self.trainer.checkpoint_callbacks:
                path = Path(self.trainer.default_root_dir) / BEST
                self.trainer.save_checkpoint(path, weights_only=False)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the logits of the held-out pairs."""
        self._held_out.append((self.classifier(self.classifier.prepared(batch)).float(), batch["label"]))

    def on_validation_epoch_end(self) -> None:
        """Log loss and accuracy over the held-out pairs."""
        logits, labels = (torch.cat(part) for part in zip(*self._held_out, strict=True))
        self._held_out.clear()
        self.log("val_loss", F.cross_entropy(logits, labels), sync_dist=True)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        self.log("val_accuracy", accuracy, prog_bar=True, sync_dist=True)

    @property
    def data(self) -> PairedData:
        """The run's labelled data module."""
        data = self.data_module(PairedData)
        if data.label is None:
            raise ContractError(
                "a classifier learns labels; name their column with data.label, such as object"
            )
        return data

    def network_identity(self) -> dict[str, Any]:
        """Branches, classes and attention."""
        return {"network": self.classifier.description()}

    def checkpoint_entries(self) -> dict[str, Any]:
        """Training data, batch losses of the unfinished epoch, and the lowest epoch loss."""
        return {
            "data": {**self.data.description(), "label": self.data.label},
            "losses": {number: float(loss) for number, loss in self._losses.items()},
            "lowest": self._lowest,
        }

    def restore(self, entries: Mapping[str, Any]) -> None:
        """Restore the losses."""
        self._losses = {
            number: torch.tensor(loss, device=self.device) for number, loss in entries["losses"].items()
        }
        self._lowest = entries["lowest"]

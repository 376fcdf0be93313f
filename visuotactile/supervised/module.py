"""Training of the classifier: cross-entropy, AdamW, and the paper's choice of the epoch."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.datamodule import Batch
from visuotactile.datasets.pairs import Modality, PairedData
from visuotactile.errors import ContractError, EncoderError
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.export import METHOD
from visuotactile.supervised.network import Branch, Classifier, pixels_of
from visuotactile.training.checkpoints import CHECKPOINT_KEY, check_continues, step_generator
from visuotactile.views import ModalityViews

BEST = Path("checkpoints") / "best.ckpt"
"""In the run's folder, beside the last checkpoint: the end of the epoch with the lowest training loss."""


@dataclass(frozen=True, kw_only=True)
class ExponentialDecay:
    """AdamW with a learning rate that falls by the same factor at each step.

    Attributes:
        lr: at the start; the paper's 1e-4 for ResNets, 1e-5 for ViTs.
        final_lr: after the last step. The paper names no factor: a tenth over the run is ours.
        weight_decay: AdamW's.
    """

    lr: float = 1e-4
    final_lr: float = 1e-5
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        """An exponential never reaches zero."""
        if not 0 < self.final_lr <= self.lr:
            raise ContractError(
                f"lr cannot fall exponentially from {self.lr:g} to {self.final_lr:g}; give a final_lr above "
                "zero and no larger than lr"
            )

    def rate(self, step: int, total: int) -> float:
        """The learning rate of `step` (from 0) in a run of `total` steps."""
        return self.lr * (self.final_lr / self.lr) ** min(1.0, step / max(1, total))


class ClassifierModule(pl.LightningModule):
    """Trains a `Classifier` (visuotactile_representation, section C).

    Everything random in a step comes from (seed, step), so a resumed run sees what an uninterrupted one would
    have; and what is drawn for a modality does not depend on which others there are.

    After each epoch whose training loss is the lowest so far, `best.ckpt` is written beside `last.ckpt`: the
    one that the paper evaluates. Nothing that is tested on has a part in that choice.
    """

    def __init__(
        self,
        branches: dict[str, Branch],
        attention: Attention | None = None,
        optimizer: ExponentialDecay | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branches: modality → its images and its encoder; one that is not named is left out.
            attention: let the modalities look at each other before the linear layer; by default they are only
                put side by side.
            optimizer: and its schedule; the paper's for ResNets by default.
            seed: of the weights and of every view.
        """
        super().__init__()
        self.seed, self.schedule, self.attention = seed, optimizer or ExponentialDecay(), attention
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._networks = {name: branch.build() for name, branch in branches.items()}
        self.views = {
            name: ModalityViews(network.contract, branches[name].augmentation)
            for name, network in self._networks.items()
        }
        self._losses: dict[int, Tensor] = {}  # of this epoch, by batch
        self._lowest = math.inf
        self._held_out: list[tuple[Tensor, Tensor]] = []

    @property
    def modalities(self) -> dict[str, Modality]:
        """What to read for each modality."""
        return {
            name: Modality(
                streams=network.contract.streams,
                phase=network.contract.phase,
                reference=network.contract.reference,
                side=self.views[name].side,
            )
            for name, network in self._networks.items()
        }

    def setup(self, stage: str) -> None:
        """Add what follows the encoders, now that the data say which classes there are."""
        if hasattr(self, "classifier"):
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1)
            self.classifier = Classifier(self._networks, self.data.classes, self.attention)

    def loss(self, batch: Batch, step: int) -> Tensor:
        """Cross-entropy, in nats, of views drawn for `step` of this rank's batch."""
        views = {
            name: view(
                *pixels_of(batch, name, self._networks[name].contract),
                step_generator(self.seed, step, zlib.crc32(name.encode())),
                self.global_rank,
                self.trainer.world_size,
            )
            for name, view in self.views.items()
        }
        return F.cross_entropy(self.classifier(views).float(), batch["label"])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss and the learning rate."""
        loss = self.loss(batch, self.global_step)
        self._losses[batch_idx] = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
        size = len(batch["label"])
        self.log("loss", loss, prog_bar=True, batch_size=size, sync_dist=True)
        self.log("lr", self.schedule.rate(self.global_step, self.total_steps), batch_size=size)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keep the epoch with the lowest loss."""
        self._close_epoch()

    def on_train_start(self) -> None:
        """The same for a run that was stopped after the last step of an epoch."""
        self._close_epoch()

    def _close_epoch(self) -> None:
        if len(self._losses) < self.trainer.num_training_batches:
            return
        mean = float(torch.stack(list(self._losses.values())).mean())
        self._losses.clear()
        self.log("epoch_loss", mean, prog_bar=True)
        if mean < self._lowest:
            self._lowest = mean
            if self.trainer.checkpoint_callbacks:  # the run is to leave something behind
                path = Path(self.trainer.default_root_dir) / BEST
                self.trainer.save_checkpoint(path, weights_only=False)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect what the network says of the pairs that are held out."""
        self._held_out.append((self.classifier(self.classifier.prepared(batch)).float(), batch["label"]))

    def on_validation_epoch_end(self) -> None:
        """Log loss and accuracy over the pairs that are held out of the training side."""
        logits, labels = (torch.cat(part) for part in zip(*self._held_out, strict=True))
        self._held_out.clear()
        self.log("val_loss", F.cross_entropy(logits, labels), sync_dist=True)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        self.log("val_accuracy", accuracy, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """AdamW, with the learning rate set before each step."""
        settings = self.schedule
        learned = [p for p in self.parameters() if p.requires_grad]
        # Fused is quicker, above all on a CPU, with the same result.
        optimizer = torch.optim.AdamW(learned, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
        scale = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: settings.rate(step, self.total_steps) / settings.lr
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scale, "interval": "step"}}

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise EncoderError("the learning rate falls until the run ends; give max_epochs or max_steps")
        return int(steps)

    @property
    def data(self) -> PairedData:
        """The data module of the run."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, PairedData):
            raise ContractError(f"a classifier learns from PairedData, found {type(data).__name__}")
        if data.label is None:
            raise ContractError(
                "a classifier learns labels; name their column with data.label, such as object"
            )
        return data

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what an export needs, as plain values."""
        checkpoint[CHECKPOINT_KEY] = {
            **self._identity(),
            "step": self.global_step,
            "data": {**self.data.description(), "label": self.data.label},
            "losses": {number: float(loss) for number, loss in self._losses.items()},
            "lowest": self._lowest,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to continue a run of another network, other classes or another seed."""
        check_continues(checkpoint, self._identity())
        found = checkpoint[CHECKPOINT_KEY]
        self._losses = {
            number: torch.tensor(loss, device=self.device) for number, loss in found["losses"].items()
        }
        self._lowest = found["lowest"]

    def _identity(self) -> dict[str, Any]:
        return {"method": METHOD, "network": self.classifier.description(), "seed": self.seed}

"""What the pretraining methods share: an optimiser on a schedule, a backbone, views, and monitors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from visuotactile.datasets.datamodule import Batch, TactileData
from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.joint import projection_head
from visuotactile.errors import EncoderError
from visuotactile.training import distributed, monitors
from visuotactile.training.checkpoints import CHECKPOINT_KEY, check_continues, step_generator
from visuotactile.views.tactile import Augmentation, RandomViews

MONITOR_EVERY = 50  # steps between two effective ranks: each is a singular value decomposition


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The grasp-outcome paper's by default: SGD from 1e-2 to 1e-6 on a cosine over the run, no restarts.

    Attributes:
        name: "sgd" or "adamw".
        lr, final_lr: at the first and after the last step.
        schedule: from one to the other on a half "cosine", or "exponential": by the same factor at each step.
        momentum: of SGD.
        weight_decay: MoCo's 1e-4.
        warmup_steps: steps over which the rate rises from zero to `lr` first.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = 1e-2
    final_lr: float = 1e-6
    schedule: Literal["cosine", "exponential"] = "cosine"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        """An exponential never reaches zero."""
        if self.schedule == "exponential" and not 0 < self.final_lr <= self.lr:
            raise EncoderError(
                f"lr cannot fall exponentially from {self.lr:g} to {self.final_lr:g}; give a final_lr above "
                "zero and no larger than lr"
            )

    def rate(self, step: int, total: int) -> float:
        """The learning rate of `step` (from 0) in a run of `total` steps."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / max(1, total - self.warmup_steps))
        if self.schedule == "exponential":
            return self.lr * (self.final_lr / self.lr) ** done
        return self.final_lr + (self.lr - self.final_lr) * (1 + math.cos(math.pi * done)) / 2


class Pretraining(pl.LightningModule, ABC):
    """Base of every pretraining run: its optimiser, its randomness, and what its checkpoint says.

    Everything random in a step comes from (seed, step), so that a resumed run, and a run on several
    processes, see what an uninterrupted run on one would have seen.
    """

    def __init__(self, optimizer: Optimizer | None, seed: int) -> None:
        super().__init__()
        self.optimizer_settings, self.seed = optimizer or Optimizer(), seed

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What must not change when a run goes on, as plain values; `method` among them."""

    def learned(self) -> list[dict[str, Any]]:
        """Groups of parameters that learn, as PyTorch's optimisers take them."""
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def configure_optimizers(self) -> Any:
        """The optimiser, with the learning rate set before each step."""
        settings = self.optimizer_settings
        if settings.name == "sgd":
            optimizer: torch.optim.Optimizer = torch.optim.SGD(
                self.learned(), lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
            )
        else:
            # Fused is quicker, above all on a CPU, with the same result.
            optimizer = torch.optim.AdamW(
                self.learned(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
            )
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

    def generator(self, step: int) -> torch.Generator:
        """The source of everything random in `step`, the same on every rank."""
        return step_generator(self.seed, step)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what an export needs, as plain values."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        checkpoint[CHECKPOINT_KEY] = {
            **self.identity(),
            "step": self.global_step,
            **data.description(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to continue a run of another method, network, input or seed."""
        check_continues(checkpoint, self.identity())


class SelfSupervised(Pretraining):
    """Base of the methods with one encoder. A method supplies `loss`, and modules of its own."""

    method: ClassVar[str]

    def __init__(
        self,
        contract: InputContract,
        backbone: str = "resnet50",
        pretrained: bool = False,
        augmentation: Augmentation | None = None,
        optimizer: Optimizer | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            contract: which images the encoder looks at, and how they are scaled.
            backbone: any of timm's names.
            pretrained: start from timm's weights (needs a network).
            augmentation: how views differ; the paper's recipe by default.
            optimizer: and its schedule; the paper's by default.
            seed: of the weights and of every view.
        """
        super().__init__(optimizer, seed)
        self.contract = contract
        self.architecture = backbone
        self.views = RandomViews(contract, augmentation or Augmentation())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.backbone, self.width = create_backbone(backbone, pretrained, contract.size)
            self.build()
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    @abstractmethod
    def build(self) -> None:
        """Make the method's own modules; called once, under the run's seed, when `self.backbone` is there."""

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The loss of this rank's batch, and the backbone's features `[B, width]` for the monitors."""

    def head(self, width: int) -> nn.Sequential:
        """MoCo v2's two-layer projection head, from the backbone's width to `width`."""
        return projection_head(self.width, width)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs the loss, the learning rate, feature spread and effective rank."""
        loss, features = self.loss(batch, self.generator(self.global_step))
        size = len(features)
        self.log("loss", loss, prog_bar=True, batch_size=size, sync_dist=True)
        self.log("lr", self.optimizer_settings.rate(self.global_step, self.total_steps), batch_size=size)
        if self.global_step % MONITOR_EVERY == 0:
            features = features.detach()
            self.log("feature_spread", monitors.feature_spread(features), batch_size=size)
            self.log("effective_rank", monitors.effective_rank(features), prog_bar=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect features under the evaluation view."""
        image = prepare(self.contract, batch["image"], batch.get("reference"))
        self._seen.append((self.backbone(image), batch["label"], batch["sample"]))

    def on_validation_epoch_end(self) -> None:
        """Log effective rank, spread and the neighbours' vote over one frame of each training touch."""
        features, labels, samples = (torch.cat(part) for part in zip(*self._seen, strict=True))
        self._seen.clear()
        self.log("val_feature_spread", monitors.feature_spread(features), sync_dist=True)
        self.log("val_effective_rank", monitors.effective_rank(features), sync_dist=True)
        objects = np.unique(self.data.objects, return_inverse=True)[1]
        groups = torch.from_numpy(objects)[samples.cpu()].to(features.device)
        accuracy = monitors.neighbour_accuracy(features, labels, groups)
        if accuracy is not None:
            self.log("val_knn_balanced_accuracy", accuracy, prog_bar=True, sync_dist=True)

    @property
    def data(self) -> TactileData:
        """The data module of the run."""
        data: TactileData = self.trainer.datamodule  # type: ignore[attr-defined]
        return data

    def two_views(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views `[B, 3, S, S]` of each sample: of one image, or of it and its partner's."""
        if "partner" not in batch:
            first, second = self.views(
                batch["image"], batch.get("reference"), generator, 2, *distributed.world()
            )
            return first, second
        first = self.one_view(batch, generator)
        (second,) = self.views(
            batch["partner"], batch.get("partner_reference"), generator, 1, *distributed.world()
        )
        return first, second

    def one_view(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """One view `[B, 3, S, S]` of each sample."""
        (view,) = self.views(batch["image"], batch.get("reference"), generator, 1, *distributed.world())
        return view

    def identity(self) -> dict[str, Any]:
        """Method, architecture, contract and seed."""
        return {
            "method": self.method,
            "architecture": self.architecture,
            "contract": self.contract.to_dict(),
            "seed": self.seed,
        }

"""Training runs that end in the middle or diverge, for the tests of resuming and of divergence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch


class Stop(pl.Callback):
    """Ends a run in the middle, as a crash would, after writing a checkpoint."""

    def __init__(self, after: int, path: Path) -> None:
        self.after, self.path = after, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Save and stop."""
        if trainer.global_step == self.after:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("the power went")


class Poison(pl.Callback):
    """Makes every gradient NaN before one step of the optimiser, counted from where the run starts."""

    def __init__(self, step: int = 1) -> None:
        self.step = step

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        """Spoil the gradients."""
        if self.step == 0:
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter.grad.fill_(torch.nan)
        self.step -= 1


class PoisonOne(pl.Callback):
    """Makes the images of one of two processes NaN at its second step."""

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        """Spoil what the network sees."""
        if trainer.global_rank == 1 and batch_idx == 1:
            loss = module.loss
            module.loss = lambda *arguments: (loss(*arguments)[0] * torch.nan, loss(*arguments)[1])


class Watch(pl.Callback):
    """Changes nothing."""

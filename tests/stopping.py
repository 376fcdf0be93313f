"""A training run that ends in the middle, for the tests of resuming."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl


class Stop(pl.Callback):
    """Ends a run in the middle, as a crash would, after writing a checkpoint."""

    def __init__(self, after: int, path: Path) -> None:
        self.after, self.path = after, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Save and stop."""
        if trainer.global_step == self.after:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("the power went")

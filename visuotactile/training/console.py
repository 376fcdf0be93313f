"""The words of a training run: one bar, and a line for each epoch or validation."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar as LightningBar

from visuotactile.progress import ProgressBar

REFRESH = 0.25
"""Seconds between two readings of the loss, which waits for a GPU."""

SOON = 1.0
"""Seconds within which a further epoch gets no line of its own, unless it was validated."""

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning")


def silence() -> None:
    """Silence Lightning's notes, which advertise or repeat what is said here; not its warnings."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class Console(LightningBar):
    """One bar over the batches of an epoch, or over the steps of a run without epochs."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled, self._bar = True, ProgressBar(show=False)
        self._task: Any = None
        self._checking: Any = None
        self._began = self._read = self._told = 0.0

    def disable(self) -> None:
        """Say nothing, as on all processes but one."""
        self._enabled = False

    def enable(self) -> None:
        """Say it again."""
        self._enabled = True

    def print(self, *words: Any, **_: Any) -> None:
        """Print a line above the bar."""
        if self._enabled:
            self._bar.line(" ".join(map(str, words)))

    def _open(self) -> None:
        self._bar = ProgressBar("{task.fields[loss]}", show=self._enabled, transient=True)
        self._bar.start()

    def _close(self) -> None:
        self._bar.stop()
        self._task = self._checking = None

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Open the bar."""
        self._open()
        if _by_steps(trainer):
            total, done = trainer.max_steps, trainer.global_step
            self._task = self._bar.add_task("step", total=total, completed=done, loss="")

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Begin an epoch."""
        self._began = time.monotonic()
        if not _by_steps(trainer):
            if self._task is not None:
                self._bar.remove_task(self._task)
            done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
            total, named = self.total_train_batches, _epoch(trainer)
            self._task = self._bar.add_task(named, total=total, completed=done, loss="")

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Advance the bar."""
        if self._task is None:
            return
        by_steps = _by_steps(trainer)
        done = trainer.global_step if by_steps else trainer.fit_loop.epoch_loop.batch_progress.current.ready
        now, changes = time.monotonic(), {}
        if now - self._read > REFRESH:
            self._read = now
            found = trainer.progress_bar_metrics.get("loss")
            changes = {} if found is None else {"loss": f"loss {found:.4g}"}
        self._bar.update(self._task, completed=done, **changes)

    def on_validation_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Show a second bar."""
        if trainer.sanity_checking:
            return
        if trainer.state.fn == "validate":
            self._open()
        total = sum(trainer.num_val_batches)
        self._checking = self._bar.add_task("validating", total=total, loss="")

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Advance it."""
        if self._checking is not None:
            self._bar.advance(self._checking)

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Remove it; in a run without epochs, say what was measured."""
        if self._checking is None:
            return
        self._bar.remove_task(self._checking)
        self._checking = None
        if trainer.state.fn == "validate":
            self._close()
        elif _by_steps(trainer):
            self._say(trainer, f"step {trainer.global_step:,} of {trainer.max_steps:,}")

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Say how the epoch went, unless epochs follow each other within a second."""
        now = time.monotonic()
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if not _by_steps(trainer) and (last or now - self._told > SOON):
            self._told = now
            self._say(trainer, _epoch(trainer))

    def on_train_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Close the bar."""
        self._close()

    def _say(self, trainer: pl.Trainer, what: str) -> None:
        found = {
            name: value for name, value in trainer.progress_bar_metrics.items() if isinstance(value, float)
        }
        shown = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        self.print(f"{what}: {shown} ({time.monotonic() - self._began:.0f} s)")


class Opening(pl.Callback):
    """A line about what is trained, on what and where, when the network is there."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say it."""
        if not trainer.is_global_zero:
            return
        store = trainer.datamodule.store  # type: ignore[attr-defined]
        weights = [(each.numel(), each.requires_grad) for each in module.parameters()]
        trained = _count(sum(number for number, is_trained in weights if is_trained))
        total = _count(sum(number for number, _ in weights))
        print(
            f"{type(module).__name__} on {store.path}: {len(store):,} trials of {len(set(store.objects)):,} "
            f"objects; {trained} of {total} weights are trained, on {module.device}, {trainer.precision}; "
            f"run folder {trainer.default_root_dir}",
            flush=True,
        )


def _count(number: int) -> str:
    """Number of weights with three digits.

    >>> _count(371), _count(383_520), _count(11_200_000)
    ('371', '384 K', '11.2 M')
    """
    for unit, size in (("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _by_steps(trainer: pl.Trainer) -> bool:
    return trainer.max_epochs in (-1, None)


def _epoch(trainer: pl.Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"

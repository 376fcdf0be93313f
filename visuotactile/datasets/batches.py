"""Batches of training samples: stratified by groups of near-duplicates, resumable, distributed over ranks."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from visuotactile.datasets.samples import Index
from visuotactile.errors import DataError

if TYPE_CHECKING:
    import pytorch_lightning as pl

Batch = dict[str, Tensor]
Resident = Literal["memory", "device", "disk"]
Draw = Callable[[np.random.Generator], Index]


class GroupedBatchSampler(Sampler[Index]):
    """Sampler of whole batches that spreads each group of near-duplicates evenly over the epoch.

    A plain shuffle sometimes puts many near-duplicates into one batch. Here the samples of each group are
    shuffled and then spaced evenly over the epoch. Each sample occurs once an epoch; the last, incomplete
    batch is dropped.

    The order depends on (seed, epoch) alone, and the position on the number of batches that the run has
    consumed, so a resumed run gets the same batches as an uninterrupted one.

    Yields int64 `[batch_size, …]`: the rows of `draw` for the samples of a batch. Sample n of the joined
    batch goes to rank n mod `world`.
    """

    def __init__(
        self,
        groups: Index,
        batch_size: int,
        seed: int,
        draw: Draw | None = None,
        rank: int = 0,
        world: int = 1,
        start: Callable[[int], tuple[int, int]] = lambda batches: (0, 0),
    ) -> None:
        """
        Args:
            groups: `[N]`, the group of each sample.
            batch_size: samples of a batch on each rank.
            seed: seed of the shuffles.
            draw: function of the epoch's generator that gives the rows `[N, …]` to yield; by default the
                samples' numbers.
            rank, world: rank of this process, and number of processes.
            start: function of the batches in a whole epoch that gives the run's epoch and batch in it; called
                when an epoch begins.

        Raises:
            DataError: there are not enough samples for one batch.
        """
        super().__init__()
        if len(groups) < batch_size * world:
            raise DataError(
                f"{len(groups)} samples do not fill one batch of {batch_size} on {world} process(es); "
                "lower data.batch_size or add recordings"
            )
        self.groups, self.batch_size, self.seed = groups, batch_size, seed
        self.draw: Draw = draw or (lambda rng: np.arange(len(groups)))
        self.rank, self.world, self.start = rank, world, start

    def __len__(self) -> int:
        """Batches in an epoch, for each rank."""
        return len(self.groups) // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[Index]:
        """The remaining batches of the run's epoch."""
        epoch, first = self.start(len(self))
        rng = np.random.default_rng([self.seed, epoch])
        order = spread_order(self.groups, rng)
        drawn = self.draw(rng)
        joined = self.batch_size * self.world
        for batch in range(first, len(self)):
            yield drawn[order[batch * joined : (batch + 1) * joined][self.rank :: self.world]]


def train_loader(
    dataset: Dataset[Batch],
    groups: Index,
    batch_size: int,
    seed: int,
    *,
    draw: Draw | None = None,
    resident: Resident = "memory",
    workers: int = 0,
    trainer: pl.Trainer | None = None,
) -> DataLoader[Batch]:
    """Loader of the batches of an epoch, or of the rest of it in a resumed run.

    Args:
        dataset: gives a whole batch for the rows that the sampler yields.
        groups, batch_size, seed, draw: as for `GroupedBatchSampler`.
        resident, workers, trainer: as for `batch_loader`.
    """
    sampler = GroupedBatchSampler(
        groups,
        batch_size,
        seed,
        draw,
        rank=trainer.global_rank if trainer else 0,
        world=trainer.world_size if trainer else 1,
        start=lambda batches: place(trainer, batches) if trainer else (0, 0),
    )
    return batch_loader(dataset, sampler, resident, workers, trainer)


def batch_loader(
    dataset: Dataset[Batch],
    batches: Iterable[Any],
    resident: Resident = "memory",
    workers: int = 0,
    trainer: pl.Trainer | None = None,
) -> DataLoader[Batch]:
    """A loader of whole batches; worker processes are used only for images on disk."""
    on_disk = resident == "disk"
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=identity_collate,
        num_workers=workers if on_disk else 0,
        worker_init_fn=_outlive_sigterm,
        persistent_workers=bool(workers and on_disk),
        pin_memory=bool(on_disk and trainer and trainer.strategy.root_device.type == "cuda"),
    )


def _outlive_sigterm(worker: int) -> None:
    """Leave SIGTERM, which a scheduler sends to every process, to the main one: it saves, and ends us."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def identity_collate(batch: Any) -> Any:
    """The batch itself: our datasets give whole batches."""
    return batch


def image_device(resident: Resident, trainer: pl.Trainer | None) -> torch.device | None:
    """Device that holds the images; None where each batch is read from disk."""
    device = trainer.strategy.root_device if trainer else torch.device("cpu")
    return {"memory": torch.device("cpu"), "device": device, "disk": None}[resident]


def batches_done(trainer: pl.Trainer) -> int:
    """Number of batches that each process of the run has consumed, resumed runs included.

    (Optimiser steps times accumulated batches would be more wherever an epoch does not divide by them.)
    """
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(progress.processed)


def place(trainer: pl.Trainer, batches: int) -> tuple[int, int]:
    """The run's epoch, and its batch in it, given the batches of a whole epoch.

    Each limited epoch (`limit_train_batches`) starts anew, in its own order. `overfit_batches` repeats the
    same batches in every epoch.
    """
    limit = trainer.limit_train_batches
    limited = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    epoch, done = divmod(batches_done(trainer), max(1, limited))
    overfitting = getattr(trainer, "overfit_batches", 0)  # undeclared by Lightning
    return (0 if overfitting else epoch), done


def check_sampling(trainer: pl.Trainer | None) -> None:
    """Raise `DataError` if Lightning would distribute batches that our sampler has distributed already."""
    if trainer and trainer.world_size > 1 and trainer._accelerator_connector.use_distributed_sampler:
        raise DataError(
            "Lightning would deal each process's batches out a second time; "
            "give Trainer(use_distributed_sampler=False), as `visuotactile fit` does"
        )


def spread_order(recordings: Index, rng: np.random.Generator) -> Index:
    """A random order of the samples in which those of each recording are evenly spaced."""
    shuffled = rng.permutation(len(recordings))
    grouped = shuffled[np.argsort(recordings[shuffled], kind="stable")]
    _, starts, counts = np.unique(recordings[grouped], return_index=True, return_counts=True)
    place = np.arange(len(grouped)) - np.repeat(starts, counts)
    offset = np.repeat(rng.random(len(counts)), counts)
    return grouped[np.argsort((place + offset) / np.repeat(counts, counts), kind="stable")]


def partners(family: Index, rng: np.random.Generator) -> Index:
    """For each sample another one of its family, drawn uniformly, or itself in a family of one."""
    order = np.argsort(family, kind="stable")
    _, starts, counts = np.unique(family[order], return_index=True, return_counts=True)
    start, count = np.repeat(starts, counts), np.repeat(counts, counts)
    place = np.arange(len(order)) - start
    step = 1 + (rng.random(len(order)) * (count - 1)).astype(np.int64)
    chosen = np.empty_like(order)
    chosen[order] = order[start + (place + step * (count > 1)) % count]
    return chosen

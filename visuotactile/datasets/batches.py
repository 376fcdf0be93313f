"""Which samples make up a batch: spread over recordings, dealt to ranks, a function of the step alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from torch.utils.data import Sampler

from visuotactile.datasets.samples import Index, Samples
from visuotactile.errors import DataError

Positive = Literal["frame", "contact", "grasp"]


class SpreadBatches(Sampler[Any]):
    """Batches in which each recording turns up as evenly as its share allows.

    A plain shuffle sometimes puts many near-copies into one batch. Here the samples of each recording are
    shuffled and then laid at even distances over the epoch, so every stretch of it holds every recording.
    Each sample comes once an epoch; the last, incomplete batch is left out.

    The order depends on (seed, epoch) alone, and where to go on after an interruption on the number of
    finished steps, so a resumed run meets the batches that it would have met.

    Yields int64 `[batch_size, 2]`: the sample, and the sample whose view is its positive. Sample n of
    the joined batch goes to rank n mod `world`.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int,
        positive: Positive = "frame",
        rank: int = 0,
        world: int = 1,
        steps_done: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        Args:
            samples: what to draw from.
            batch_size: of each rank.
            seed: of every shuffle.
            positive: "frame" pairs a sample with itself, "contact" with a frame of the same touch seen by the
                same sensor, "grasp" with a frame of the same trial seen by any sensor.
            rank, world: of this process, and how many there are.
            steps_done: how many batches the run has consumed in all, asked when an epoch begins.
        """
        super().__init__()
        if len(samples) < batch_size * world:
            raise DataError(
                f"{len(samples)} samples do not fill one batch of {batch_size} on {world} process(es); "
                "lower data.batch_size or add recordings"
            )
        self.samples, self.batch_size, self.seed, self.positive = samples, batch_size, seed, positive
        self.rank, self.world, self.steps_done = rank, world, steps_done
        self._family = {"frame": None, "contact": samples.contact, "grasp": samples.trial}[positive]

    def __len__(self) -> int:
        """Batches in an epoch, for each rank."""
        return len(self.samples) // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[Index]:
        """The batches that remain of the epoch in which the run is."""
        epoch, done = divmod(self.steps_done(), len(self))
        rng = np.random.default_rng([self.seed, epoch])
        order = spread_order(self.samples.recording, rng)
        partner = partners(self._family, rng) if self._family is not None else np.arange(len(self.samples))
        joined = self.batch_size * self.world
        for batch in range(done, len(self)):
            chosen = order[batch * joined : (batch + 1) * joined][self.rank :: self.world]
            yield np.stack([chosen, partner[chosen]], axis=1)


def spread_order(recordings: Index, rng: np.random.Generator) -> Index:
    """A random order of the samples in which those of each recording lie at even distances."""
    shuffled = rng.permutation(len(recordings))
    grouped = shuffled[np.argsort(recordings[shuffled], kind="stable")]
    _, starts, counts = np.unique(recordings[grouped], return_index=True, return_counts=True)
    place = np.arange(len(grouped)) - np.repeat(starts, counts)
    offset = np.repeat(rng.random(len(counts)), counts)
    return grouped[np.argsort((place + offset) / np.repeat(counts, counts), kind="stable")]


def partners(family: Index, rng: np.random.Generator) -> Index:
    """For each sample another one of its family, drawn evenly, or itself where the family has no other."""
    order = np.argsort(family, kind="stable")
    _, starts, counts = np.unique(family[order], return_index=True, return_counts=True)
    start, count = np.repeat(starts, counts), np.repeat(counts, counts)
    place = np.arange(len(order)) - start
    step = 1 + (rng.random(len(order)) * (count - 1)).astype(np.int64)
    chosen = np.empty_like(order)
    chosen[order] = order[start + (place + step * (count > 1)) % count]
    return chosen

"""Which samples make up a batch: spread over recordings, dealt to ranks, a function of the step alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from torch.utils.data import Sampler

from visuotactile.datasets.samples import Index, Samples
from visuotactile.errors import DataError

Positive = Literal["frame", "contact", "grasp"]


class DealtBatches(Sampler[Index]):
    """Whole batches in which each group of near-copies turns up as evenly as its share allows.

    A plain shuffle sometimes puts many near-copies into one batch. Here the samples of each group are
    shuffled and then laid at even distances over the epoch, so every stretch of it holds every group.
    Each sample comes once an epoch; the last, incomplete batch is left out.

    The order depends on (seed, epoch) alone, and where to go on after an interruption on the number of
    finished steps, so a resumed run meets the batches that it would have met.

    Yields int64 `[batch_size, …]`: the rows of `draw` for the samples of a batch. Sample n of the joined
    batch goes to rank n mod `world`.
    """

    def __init__(
        self,
        groups: Index,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        steps_done: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        Args:
            groups: [N], the group of each sample.
            batch_size: of each rank.
            seed: of every shuffle.
            rank, world: of this process, and how many there are.
            steps_done: how many batches the run has consumed in all, asked when an epoch begins.
        """
        super().__init__()
        if len(groups) < batch_size * world:
            raise DataError(
                f"{len(groups)} samples do not fill one batch of {batch_size} on {world} process(es); "
                "lower data.batch_size or add recordings"
            )
        self.groups, self.batch_size, self.seed = groups, batch_size, seed
        self.rank, self.world, self.steps_done = rank, world, steps_done

    def draw(self, rng: np.random.Generator) -> Index:
        """What an epoch draws for every sample [N, …] beside its place, which comes first."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Batches in an epoch, for each rank."""
        return len(self.groups) // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[Index]:
        """The batches that remain of the epoch in which the run is."""
        epoch, done = divmod(self.steps_done(), len(self))
        rng = np.random.default_rng([self.seed, epoch])
        order = spread_order(self.groups, rng)
        drawn = self.draw(rng)
        joined = self.batch_size * self.world
        for batch in range(done, len(self)):
            yield drawn[order[batch * joined : (batch + 1) * joined][self.rank :: self.world]]


class SpreadBatches(DealtBatches):
    """Batches of samples spread over their recordings.

    Yields int64 `[batch_size, 2]`: the sample, and the sample whose view is its positive.
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
            batch_size, seed, rank, world, steps_done: as for `DealtBatches`.
            positive: "frame" pairs a sample with itself, "contact" with a frame of the same touch seen by the
                same sensor, "grasp" with a frame of the same trial seen by any sensor.
        """
        super().__init__(samples.recording, batch_size, seed, rank, world, steps_done)
        self._family = {"frame": None, "contact": samples.contact, "grasp": samples.trial}[positive]

    def draw(self, rng: np.random.Generator) -> Index:
        """Each sample and its partner [N, 2]."""
        places = np.arange(len(self.groups))
        partner = places if self._family is None else partners(self._family, rng)
        return np.stack([places, partner], axis=1)


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

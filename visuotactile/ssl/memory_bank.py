"""Instance discrimination with a memory bank (Wu et al. 2018), the paper's second-best method."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.encoders.branch import Branch
from visuotactile.errors import DataError
from visuotactile.ssl.banks import SampleBank
from visuotactile.ssl.losses import info_nce
from visuotactile.ssl.module import SelfSupervised
from visuotactile.training import distributed
from visuotactile.training.schedule import SGD_COSINE, OptimizerConfig

INITIAL_ENTRIES = 2**32 - 1  # a step that no run reaches, whose generator draws the initial entries


class MemoryBank(SelfSupervised):
    """Instance discrimination: each sample is a class, represented by a running mean of its features.

    A step takes one view of each sample, compared with the bank, and costs half of MoCo's.
    """

    method = "memory_bank"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 128,
        bank_momentum: float = 0.5,
        temperature: float = 0.07,
        negatives: int | None = None,
        mask_recording: bool = True,
    ) -> None:
        """
        Args:
            branch, optimizer, seed: see `SelfSupervised`.
            dimension: of the bank.
            bank_momentum: share of the OLD entry that an update keeps (0.5 in Wu et al.).
            temperature: divides the cosines.
            negatives: number of entries drawn for each query; None compares with the whole bank, which is
                exact, and cheap up to some 100,000 samples.
            mask_recording: exclude entries of the query's own recording from the negatives.
        """
        self.dimension = dimension
        super().__init__(branch, optimizer, seed)
        self.bank_momentum, self.temperature = bank_momentum, temperature
        self.negatives, self.mask_recording = negatives, mask_recording

    def build(self) -> None:
        """Make the projection head; `setup` makes the bank, when the number of samples is known."""
        self.projection = self.head(self.dimension)

    def check_learnable(self) -> None:
        """Samples of two recordings are needed, unless they are not masked."""
        self.check_negatives(self.mask_recording)

    def setup(self, stage: str) -> None:
        """Make the bank, one entry for each sample of the data module."""
        super().setup(stage)
        if hasattr(self, "bank"):
            return
        assert self.data.samples is not None
        recordings = torch.from_numpy(self.data.samples.recording)
        self.make_bank(recordings)

    def make_bank(self, recordings: Tensor) -> None:
        """Make the bank for samples of these recordings `[N]`, its entries drawn from the run's seed."""
        if self.negatives is not None and not 0 < self.negatives < len(recordings):
            raise DataError(
                f"{self.negatives} negatives from a bank of {len(recordings)}; expected at least 1 and fewer "
                "than that, or None for all"
            )
        self.bank = SampleBank(
            recordings, self.dimension, self.bank_momentum, self.generator(INITIAL_ENTRIES)
        )
        self.bank.to(self.device)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """InfoNCE of each view against its own entry and the others'; the entries move afterwards."""
        samples, recordings = batch["sample"], batch["recording"]
        features = self.network(self.one_view(batch, generator))
        queries = F.normalize(self.projection(features).float(), dim=1)
        positives = self.bank.entries[samples]
        if self.negatives is None:
            others = self.bank.entries.clone()
            allowed = torch.arange(len(others), device=samples.device) != samples[:, None]
            other_recordings = self.bank.recordings
        else:
            chosen = self._draw(len(samples), generator).to(samples.device)
            others, allowed = self.bank.entries[chosen], chosen != samples[:, None]
            other_recordings = self.bank.recordings[chosen]
        if self.mask_recording:
            allowed = allowed & (other_recordings != recordings[:, None])
        loss = info_nce(queries, positives, others, allowed, self.temperature)
        self.bank.update(distributed.gather(samples), distributed.gather(queries.detach()))
        return loss, features

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Entries `[count, negatives]` of this rank's queries, drawn for the joined batch."""
        _, size = distributed.rank_and_size()
        shape = (count * size, self.negatives or 0)
        return distributed.local(torch.randint(len(self.bank.entries), shape, generator=generator))

"""The triplet net (Hoffer & Ailon 2015): a positive must be closer than a negative, by a margin."""

from __future__ import annotations

from typing import Literal

import torch
from pytorch_metric_learning import losses, miners
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.samples import UNLABELLED
from visuotactile.encoders.branch import Branch
from visuotactile.errors import DataError
from visuotactile.ssl.module import SelfSupervised
from visuotactile.training import distributed
from visuotactile.training.schedule import SGD_COSINE, OptimizerConfig


class Triplet(SelfSupervised):
    """Triplet margin loss over the triplets of a batch that a miner selects.

    By instance, the positive is another view of the anchor's sample and no label is used. By label, as the
    paper words it, it is any sample of the same class: such an encoder has seen labels, and its method is
    recorded as triplet_by_label.
    """

    method = "triplet"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 128,
        by: Literal["instance", "label"] = "instance",
        margin: float = 0.2,
        miner: Literal["all", "hard", "semihard"] = "semihard",
        mask_recording: bool = True,
    ) -> None:
        """
        Args:
            branch, optimizer, seed: see `SelfSupervised`.
            dimension: of the space in which distances are taken, on the unit sphere.
            by: positives share the "instance", or the "label" of the data module.
            margin: by which the negative must be farther away than the positive.
            miner: triplets that count, as in pytorch-metric-learning's `TripletMarginMiner`; its "easy" ones
                satisfy the margin already, and teach nothing.
            mask_recording: exclude the anchor's own recording from the negatives.
        """
        self.dimension = dimension
        super().__init__(branch, optimizer, seed)
        self.by, self.mask_recording = by, mask_recording
        if by == "label":
            self.method = "triplet_by_label"  # type: ignore[misc]
        self.miner = miners.TripletMarginMiner(margin=margin, type_of_triplets=miner)
        self.criterion = losses.TripletMarginLoss(margin=margin)

    def build(self) -> None:
        """The projection head."""
        self.projection = self.head(self.dimension)

    def check_learnable(self) -> None:
        """Samples of two recordings are needed, unless they are not masked; by label, of two classes, too."""
        self.check_negatives(self.mask_recording)
        samples = self.data.samples
        assert samples is not None
        if self.by == "label" and (samples.label == samples.label[0]).all():
            found = "no labels" if samples.label[0] == UNLABELLED else f"one value of {self.data.label}"
            raise DataError(
                f"triplets by label need two classes, found {found}; give another data.label, such as "
                "success, or by: instance"
            )

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Triplet margin loss over two views of the joined batch."""
        views = self.two_views(batch, generator)
        features = self.network(torch.cat(views))
        embeddings = F.normalize(self.projection(features).float(), dim=1)
        first, second = (distributed.gather_with_gradient(part) for part in embeddings.chunk(2))
        classes = distributed.gather(self._classes(batch))
        recordings = distributed.gather(batch["recording"]).repeat(2)
        joined, labels = torch.cat([first, second]), classes.repeat(2)
        anchor, positive, negative = self.miner(joined, labels)
        if self.mask_recording:
            other = recordings[anchor] != recordings[negative]
            anchor, positive, negative = anchor[other], positive[other], negative[other]
        loss: Tensor = self.criterion(joined, labels, (anchor, positive, negative))
        return loss, features[: len(batch["sample"])]

    def _classes(self, batch: Batch) -> Tensor:
        if self.by == "instance":
            return batch["sample"]
        if (batch["label"] == UNLABELLED).any():
            raise DataError(
                "triplets by label need labels; give data.label, such as success, or by: instance"
            )
        return batch["label"]

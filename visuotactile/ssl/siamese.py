"""Methods that compare two views of each sample within the batch, on lightly's losses and heads.

SimCLR (Chen et al. 2020) tells samples apart. BYOL (Grill et al. 2020) and SimSiam (Chen and He 2021) predict
one view from the other, against a momentum network or a constant target. Barlow Twins (Zbontar et al. 2021)
and VICReg (Bardes et al. 2022) keep the dimensions of the embedding apart instead.

Their heads have batch norm. On several devices set `trainer.sync_batchnorm: true`, as the papers do.
"""

from __future__ import annotations

import copy
from abc import abstractmethod

import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, VICRegLoss
from lightly.models.modules import heads
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.encoders.branch import Branch
from visuotactile.errors import DataError
from visuotactile.ssl.losses import info_nce
from visuotactile.ssl.module import SelfSupervised
from visuotactile.ssl.momentum import ema_update
from visuotactile.training import distributed
from visuotactile.training.schedule import SGD_COSINE, OptimizerConfig

Two = tuple[Tensor, Tensor]
"""Of the first and of the second view of each sample."""


class Siamese(SelfSupervised):
    """Two views of each sample, through one network and one projection head. A method supplies `compare`."""

    projection: nn.Module

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 128,
        hidden: int = 2048,
    ) -> None:
        """
        Args:
            branch, optimizer, seed: see `SelfSupervised`.
            dimension: of the embedding.
            hidden: width of the hidden layers of the projection head.
        """
        self.dimension, self.hidden = dimension, hidden
        super().__init__(branch, optimizer, seed)

    def check_learnable(self) -> None:
        """Batches of two are needed, or there are no statistics over them."""
        data = self.data
        assert data.samples is not None
        if min(len(data.samples), data.batch_size * self.trainer.world_size) < 2:
            raise DataError(
                f"data.batch_size is {data.batch_size}, of {len(data.samples)} training samples; "
                f"{self.method} takes statistics over a batch: expected 2 or more, such as 64"
            )

    @abstractmethod
    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """Loss of two views `[B, 3, S, S]` with their embeddings float32 `[B, dimension]`, a scalar."""

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `SelfSupervised`. Each view has batch statistics of its own."""
        views = self.two_views(batch, generator)
        first, second = (self.network(view) for view in views)
        embeddings = self.projection(first).float(), self.projection(second).float()
        return self.compare(views, embeddings, batch), first


def _joined(embeddings: Two) -> Two:
    """Embeddings of the batches of all processes, with gradient."""
    first, second = map(distributed.gather_with_gradient, embeddings)
    return first, second


class SimCLR(Siamese):
    """InfoNCE of each view against its partner and all other views of the joined batch.

    It needs large batches: the paper's best has 4,096.
    """

    method = "simclr"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 128,
        hidden: int = 2048,
        temperature: float = 0.1,
        mask_recording: bool = True,
    ) -> None:
        """
        Args:
            branch, optimizer, seed, dimension, hidden: see `Siamese`.
            temperature: divides the cosines.
            mask_recording: exclude views of the own recording from the negatives.
        """
        super().__init__(branch, optimizer, seed, dimension, hidden)
        self.temperature, self.mask_recording = temperature, mask_recording

    def build(self) -> None:
        """The projection head."""
        self.projection = heads.SimCLRProjectionHead(self.network.width, self.hidden, self.dimension)

    def check_learnable(self) -> None:
        """Samples of two recordings are needed, unless they are not masked."""
        self.check_negatives(self.mask_recording)

    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """See `Siamese`."""
        first, second = _joined((F.normalize(embeddings[0], dim=1), F.normalize(embeddings[1], dim=1)))
        groups = distributed.gather(batch["recording" if self.mask_recording else "sample"])
        everything = torch.cat([first, second])
        allowed = (groups[:, None] != groups).repeat(2, 2)
        return info_nce(everything, torch.cat([second, first]), everything, allowed, self.temperature)


class BYOL(Siamese):
    """Cosine between a prediction from one view and the momentum network's embedding of the other."""

    method = "byol"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 256,
        hidden: int = 4096,
        key_momentum: float = 0.996,
    ) -> None:
        """
        Args:
            branch, optimizer, seed, dimension, hidden: see `Siamese`.
            key_momentum: share of the OLD weights that the target network keeps at each step; constant, where
                the paper raises it to 1 by the end.
        """
        super().__init__(branch, optimizer, seed, dimension, hidden)
        self.key_momentum = key_momentum
        self.criterion = NegativeCosineSimilarity()

    def build(self) -> None:
        """The heads, and the target network: an equal copy of network and projection."""
        self.projection = heads.BYOLProjectionHead(self.network.width, self.hidden, self.dimension)
        self.prediction = heads.BYOLPredictionHead(self.dimension, self.hidden, self.dimension)
        self.key_network = copy.deepcopy(self.network).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)

    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """See `Siamese`."""
        pairs = ((self.network, self.key_network), (self.projection, self.key_projection))
        ema_update(pairs, self.key_momentum)
        with torch.no_grad():
            targets = [self.key_projection(self.key_network(view)).float() for view in views]
        predicted = [self.prediction(each).float() for each in embeddings]
        loss: Tensor = self.criterion(predicted[0], targets[1]) + self.criterion(predicted[1], targets[0])
        return loss / 2


class SimSiam(Siamese):
    """Cosine between a prediction from one view and the embedding of the other, which takes no gradient."""

    method = "simsiam"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 2048,
        hidden: int = 2048,
        bottleneck: int = 512,
    ) -> None:
        """
        Args:
            branch, optimizer, seed, dimension, hidden: see `Siamese`.
            bottleneck: hidden width of the prediction head; a quarter of the dimension in the paper.
        """
        self.bottleneck = bottleneck
        super().__init__(branch, optimizer, seed, dimension, hidden)
        self.criterion = NegativeCosineSimilarity()

    def build(self) -> None:
        """Projection and prediction heads."""
        self.projection = heads.SimSiamProjectionHead(self.network.width, self.hidden, self.dimension)
        self.prediction = heads.SimSiamPredictionHead(self.dimension, self.bottleneck, self.dimension)

    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """See `Siamese`."""
        first, second = embeddings
        there = self.criterion(self.prediction(first).float(), second.detach())
        back = self.criterion(self.prediction(second).float(), first.detach())
        loss: Tensor = (there + back) / 2
        return loss


class BarlowTwins(Siamese):
    """The cross-correlation of both views' embeddings over the joined batch is drawn to the identity."""

    method = "barlow_twins"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 8192,
        hidden: int = 8192,
        off_diagonal: float = 5e-3,
    ) -> None:
        """
        Args:
            branch, optimizer, seed, dimension, hidden: see `Siamese`.
            off_diagonal: weight of the redundancy between dimensions.
        """
        super().__init__(branch, optimizer, seed, dimension, hidden)
        self.criterion = BarlowTwinsLoss(lambda_param=off_diagonal)

    def build(self) -> None:
        """The projection head."""
        self.projection = heads.BarlowTwinsProjectionHead(self.network.width, self.hidden, self.dimension)

    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """See `Siamese`."""
        loss: Tensor = self.criterion(*_joined(embeddings))
        return loss


class VICReg(Siamese):
    """Variance, invariance and covariance: views agree, dimensions keep their deviation and are not alike."""

    method = "vicreg"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 8192,
        hidden: int = 8192,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
    ) -> None:
        """
        Args:
            branch, optimizer, seed, dimension, hidden: see `Siamese`.
            invariance, variance, covariance: weights of the three terms.
        """
        super().__init__(branch, optimizer, seed, dimension, hidden)
        self.criterion = VICRegLoss(invariance, variance, covariance)

    def build(self) -> None:
        """The projection head."""
        self.projection = heads.VICRegProjectionHead(self.network.width, self.hidden, self.dimension)

    def compare(
        self, views: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], batch: Batch
    ) -> Tensor:
        """See `Siamese`."""
        loss: Tensor = self.criterion(*_joined(embeddings))
        return loss

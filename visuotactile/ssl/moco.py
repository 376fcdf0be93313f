"""Momentum contrast (He et al. 2020, Chen et al. 2020), carried over to touch by the grasp-outcome paper."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.encoders.branch import Branch
from visuotactile.ssl.banks import KeyQueue
from visuotactile.ssl.batch_norm import split_batch_norm
from visuotactile.ssl.losses import info_nce
from visuotactile.ssl.module import SelfSupervised
from visuotactile.ssl.momentum import ema_update, shuffled_keys
from visuotactile.training import distributed
from visuotactile.training.schedule import SGD_COSINE, OptimizerConfig


class MoCo(SelfSupervised):
    """MoCo v2 with a queue that remembers the recording of each key.

    The defaults are the paper's: a queue of 5,800 for its 6,000 training images, key momentum 0.999,
    temperature 0.07, 128 dimensions, SGD from 1e-2 to 1e-6.
    """

    method = "moco"

    def __init__(
        self,
        branch: Branch,
        optimizer: OptimizerConfig = SGD_COSINE,
        seed: int = 0,
        dimension: int = 128,
        queue_size: int = 5800,
        key_momentum: float = 0.999,
        temperature: float = 0.07,
        mask_recording: bool = True,
        bn_splits: int = 1,
    ) -> None:
        """
        Args:
            branch, optimizer, seed: see `SelfSupervised`.
            dimension: of the space in which views are compared.
            queue_size: number of queued keys; below the number of training images, or the queue holds older
                views of the query's own image.
            key_momentum: share of the OLD weights that the key network keeps at each step.
            temperature: divides the cosines.
            mask_recording: exclude queued keys of the query's own recording from the negatives.
            bn_splits: parts of a batch with batch statistics of their own. Use several on one device, where
                shuffling alone has no effect; 1 is enough on several devices.
        """
        self.dimension, self.queue_size, self.bn_splits = dimension, queue_size, bn_splits
        super().__init__(branch, optimizer, seed)
        self.key_momentum, self.temperature, self.mask_recording = key_momentum, temperature, mask_recording

    def build(self) -> None:
        """The projection head, the key network (an equal copy of both), and the queue."""
        split_batch_norm(self.network.backbone, self.bn_splits)
        self.projection = self.head(self.dimension)
        self.key_network = copy.deepcopy(self.network).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.queue = KeyQueue(self.queue_size, self.dimension)

    def check_learnable(self) -> None:
        """Samples of two recordings are needed, unless they are not masked."""
        self.check_negatives(self.mask_recording)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """InfoNCE of the queries against their keys and the queue; the keys are queued afterwards."""
        query_view, key_view = self.two_views(batch, generator)
        self.update_key_network()
        keys = self.keys(key_view, generator)
        features = self.network(query_view)
        queries = F.normalize(self.projection(features).float(), dim=1)
        recordings = batch["recording"]
        allowed = self.queue.allowed(recordings, self.mask_recording)
        # A copy, since the queue changes in place before the backward pass needs its old content.
        loss = info_nce(queries, keys, self.queue.keys.clone(), allowed, self.temperature)
        self.queue.enqueue(distributed.gather(keys), distributed.gather(recordings))
        return loss, features

    def keys(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """Keys `[B, dimension]` of length one, computed in shuffled order."""
        return shuffled_keys(nn.Sequential(self.key_network, self.key_projection), views, generator)

    def update_key_network(self) -> None:
        """Exponential moving average of the query network, at `key_momentum`."""
        ema_update(
            ((self.network, self.key_network), (self.projection, self.key_projection)), self.key_momentum
        )

"""Momentum contrast (He et al. 2020, Chen et al. 2020), carried over to touch by the grasp-outcome paper."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.datasets.datamodule import Batch
from visuotactile.encoders.contract import InputContract
from visuotactile.ssl.banks import KeyQueue
from visuotactile.ssl.batch_norm import split_batch_norm
from visuotactile.ssl.losses import info_nce
from visuotactile.ssl.module import Optimizer, SelfSupervised
from visuotactile.ssl.momentum import follow, shuffled_keys
from visuotactile.training.distributed import gather
from visuotactile.views.tactile import Augmentation


class MoCo(SelfSupervised):
    """MoCo v2 with a queue that knows which recording each key came from.

    The defaults are the paper's: a queue of 5,800 for its 6,000 training images, key momentum 0.999,
    temperature 0.07, 128 dimensions, SGD from 1e-2 to 1e-6.
    """

    method = "moco"

    def __init__(
        self,
        contract: InputContract,
        backbone: str = "resnet50",
        pretrained: bool = False,
        augmentation: Augmentation | None = None,
        optimizer: Optimizer | None = None,
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
            contract, backbone, pretrained, augmentation, optimizer, seed: see `SelfSupervised`.
            dimension: of the space in which views are compared.
            queue_size: keys to compare with; best below the number of training images, so that it
                holds no older view of the query's own image.
            key_momentum: the share of the OLD weights that the key network keeps at each step.
            temperature: divides the cosines.
            mask_recording: leave out the queued keys of the query's own recording.
            bn_splits: parts of a batch with batch statistics of their own. On one device take several, since
                shuffling alone changes nothing there; on several devices 1 is enough.
        """
        self.dimension, self.queue_size, self.bn_splits = dimension, queue_size, bn_splits
        super().__init__(contract, backbone, pretrained, augmentation, optimizer, seed)
        self.key_momentum, self.temperature, self.mask_recording = key_momentum, temperature, mask_recording

    def build(self) -> None:
        """The projection head, the key network (an equal copy of both), and the queue."""
        split_batch_norm(self.backbone, self.bn_splits)
        self.projection = self.head(self.dimension)
        self.key_backbone = copy.deepcopy(self.backbone).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.queue = KeyQueue(self.queue_size, self.dimension)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """InfoNCE of the queries against their keys and the queue; the keys are queued afterwards."""
        query_view, key_view = self.two_views(batch, generator)
        self.update_key_network()
        keys = self.keys(key_view, generator)
        features = self.backbone(query_view)
        queries = F.normalize(self.projection(features).float(), dim=1)
        recordings = batch["recording"]
        allowed = self.queue.allowed(recordings, self.mask_recording)
        # A copy: the queue changes below, before the backward pass looks at what it was.
        loss = info_nce(queries, keys, self.queue.keys.clone(), allowed, self.temperature)
        self.queue.enqueue(gather(keys), gather(recordings))
        return loss, features

    def keys(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """Keys `[B, dimension]` of length one; shuffled on the way."""
        return shuffled_keys(nn.Sequential(self.key_backbone, self.key_projection), views, generator)

    def update_key_network(self) -> None:
        """Move the key network a little towards the query network."""
        follow(
            ((self.backbone, self.key_backbone), (self.projection, self.key_projection)), self.key_momentum
        )

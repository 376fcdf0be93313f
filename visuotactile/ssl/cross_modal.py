"""Sight and touch in one space: cross-modal InfoNCE (Bronars & Sunil; CLIP, Radford et al. 2021).

Each modality has an encoder and a projection head of its own. Images of one moment in two modalities are
each other's positives; the negatives are the other pairs of the batch or, as the paper proposes for its
future work, a queue of past keys from momentum encoders (MoCo, He et al. 2020).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.datasets.batches import Batch
from visuotactile.datasets.pairs import PairedData
from visuotactile.datasets.source import Source
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.branch import Branch, BranchNetwork, recorded
from visuotactile.encoders.contract import prepare
from visuotactile.encoders.joint import check_modalities, projection_head
from visuotactile.errors import EncoderError
from visuotactile.ssl.banks import KeyQueue
from visuotactile.ssl.batch_norm import split_batch_norm
from visuotactile.ssl.export import CROSS_MODAL
from visuotactile.ssl.losses import check_negatives, every_pair, from_batch, from_queue, info_nce, symmetric
from visuotactile.ssl.momentum import ema_update, shuffled_keys
from visuotactile.training import distributed, monitors
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import ADAMW_EXPONENTIAL, OptimizerConfig
from visuotactile.views import RandomViews

Terms = dict[tuple[str, str], Tensor]
Features = dict[str, Tensor]
Views = dict[str, list[Tensor]]

LARGEST_SCALE = math.log(100)
"""CLIP's bound on the learned logit scale: a temperature of 0.01."""


class CrossModal(TrainingModule):
    """Symmetric InfoNCE over every pair of modalities.

    A batch has the images of each modality, uint8 `[B, S, S, 3]` (S may differ between modalities), under
    the keys of `datasets.source`; `group` int64 `[B]`: pairs of one group show the same trial or the same
    pose, and are not each other's negatives.
    """

    method = CROSS_MODAL

    def __init__(
        self,
        branches: dict[str, Branch],
        dimension: int = 128,
        temperature: float = 0.07,
        learn_temperature: bool = False,
        queue_size: int = 0,
        key_momentum: float = 0.999,
        bn_splits: int = 1,
        mask_group: bool = True,
        intra_weights: Mapping[str, float] | None = None,
        optimizer: OptimizerConfig = ADAMW_EXPONENTIAL,
        seed: int = 0,
    ) -> None:
        """
        Args:
            branches: modality → input, network and augmentation; at least two.
            dimension: of the joint space.
            temperature: divides the cosines; the initial value if it is learned.
            learn_temperature: train the temperature, down to CLIP's 0.01.
            queue_size: number of past keys of each modality, from momentum encoders, that are the negatives;
                with 0 these are the other pairs of the batch. A queue starts empty.
            key_momentum: with a queue, share of the OLD weights that the key networks keep at each step.
            bn_splits: with a queue, parts of a batch with batch statistics of their own; see `MoCo`.
            mask_group: exclude the query's own group from the negatives.
            intra_weights: modality → weight of a term that contrasts two views of this modality; no such term
                by default.
            optimizer: optimiser and schedule; the paper's for ResNets by default.
            seed: of the weights and of every view.

        Raises:
            EncoderError: a setting is out of range, or needs a queue where there is none.
        """
        super().__init__(optimizer, seed)
        check_modalities(branches)
        if not 0.01 <= temperature <= 1:
            raise EncoderError(f"temperature is {temperature}; expected 0.01 to 1, such as 0.07")
        if queue_size == 0 and bn_splits > 1:
            raise EncoderError("bn_splits hides a key's batch from its query; without a queue leave it at 1")
        self.intra_weights = dict.fromkeys(branches, 0.0) | dict(intra_weights or {})
        if set(self.intra_weights) != set(branches) or min(self.intra_weights.values()) < 0:
            raise EncoderError(
                f"intra_weights are {intra_weights}; expected 0 or more for some of {', '.join(branches)}"
            )
        self.dimension = dimension
        self.queue_size, self.key_momentum, self.mask_group = queue_size, key_momentum, mask_group
        with seeded(seed):
            self._build(branches, bn_splits)
        self.views = {
            name: RandomViews(network.contract, branches[name].augmentation)
            for name, network in self.networks().items()
        }
        self.logit_scale = nn.Parameter(-torch.tensor(temperature).log(), requires_grad=learn_temperature)
        self._seen: dict[str, list[Tensor]] = {name: [] for name in self.branches}

    def _build(self, branches: Mapping[str, Branch], bn_splits: int) -> None:
        """Make encoder and head of each modality and, with a queue, equal copies as key networks."""
        self.branches, self.heads = nn.ModuleDict(), nn.ModuleDict()
        for name, branch in branches.items():
            network = branch.build_trained()
            split_batch_norm(network.backbone, bn_splits)
            self.branches[name] = network
            self.heads[name] = projection_head(network.width, self.dimension)
        if self.queue_size:
            self.key_branches = copy.deepcopy(self.branches).requires_grad_(False)
            self.key_heads = copy.deepcopy(self.heads).requires_grad_(False)
            self.queues = nn.ModuleDict(
                {name: KeyQueue(self.queue_size, self.dimension) for name in branches}
            )

    def check_learnable(self) -> None:
        """Pairs of two groups are needed, unless groups are not masked."""
        data = self.data
        batch = data.batch_size * self.trainer.world_size
        group = data.group or "None (each trial)"
        check_negatives(data.train_groups, batch, self.mask_group, f"data.group {group}")

    def networks(self) -> dict[str, BranchNetwork]:
        """The encoders by modality."""
        return dict(self.branches.items())  # type: ignore[arg-type]

    @property
    def reads(self) -> dict[str, Source]:
        """Source of each modality's images."""
        return {
            name: network.contract.source(self.views[name].side) for name, network in self.networks().items()
        }

    @property
    def temperature(self) -> Tensor:
        """Divisor of the cosines, a scalar."""
        return torch.exp(-self.logit_scale)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Features]:
        """Loss of this rank's batch, a scalar, and each backbone's features `[B, width]` for the monitors."""
        terms, features = self.terms(batch, generator)
        return self.total(terms), features

    def total(self, terms: Terms) -> Tensor:
        """Mean over the pairs of modalities, plus the weighted terms within one."""
        pairs = len(self.branches) * (len(self.branches) - 1) / 2
        weighted = [
            term * (self.intra_weights[first] if first == second else 1 / pairs)
            for (first, second), term in terms.items()
        ]
        return torch.stack(weighted).sum()

    def terms(self, batch: Batch, generator: torch.Generator) -> tuple[Terms, Features]:
        """Unweighted terms of the loss, between each two modalities and within one, and the features."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=LARGEST_SCALE)
        views = {name: self._draw(name, batch, generator) for name in self.branches}
        step = self._with_queue if self.queue_size else self._in_batch
        return step(views, batch["group"], generator)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; logs loss and its parts, learning rate, temperature, feature spread, effective rank."""
        terms, features = self.terms(batch, self.generator(self.batches_done))
        loss, size = self.total(terms), len(batch["group"])
        self.log_step(loss, size)
        if len(terms) > 1:
            named = {f"loss_{first}_{second}": term for (first, second), term in terms.items()}
            self.log_dict(named, batch_size=size)
        self.log("temperature", self.temperature.detach(), batch_size=size)
        if self.global_step % monitors.EVERY == 0:
            for name, seen in features.items():
                self.log_dict(monitors.collapse(seen.detach(), f"{name}_"), batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log recall at 1 within the batch between each two modalities, under the evaluation view."""
        groups, embeddings = batch["group"], {}
        for name, network in self.networks().items():
            features = network(prepare(network.contract, *recorded(batch, network.contract)))
            self._seen[name].append(features)
            embeddings[name] = self._project(self.heads[name], features)
        found = {
            f"val_{first}_to_{second}": monitors.retrieval_accuracy(
                embeddings[first], embeddings[second], groups
            )
            for first, second in itertools.permutations(self.branches, 2)
        }
        found["val_retrieval"] = torch.stack(list(found.values())).mean()
        found["val_retrieval_chance"] = (groups[:, None] == groups).float().mean()
        self.log_dict(found, prog_bar=True, batch_size=len(groups), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log effective rank and spread of each modality."""
        for name, seen in self._seen.items():
            self.log_dict(monitors.collapse(torch.cat(seen), f"val_{name}_"), sync_dist=True)
        self._seen = {name: [] for name in self.branches}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All trained parameters; a temperature has no weight decay."""
        weights = [p for p in self.parameters() if p.requires_grad and p is not self.logit_scale]
        scale = (
            [{"params": [self.logit_scale], "weight_decay": 0.0}] if self.logit_scale.requires_grad else []
        )
        return [{"params": weights}, *scale]

    def network_identity(self) -> dict[str, Any]:
        """Architecture and input contract of each modality, and the parts that have weights or buffers."""
        return {
            "modalities": {
                name: {"architecture": network.architecture, "contract": network.contract.to_dict()}
                for name, network in self.networks().items()
            },
            "dimension": self.dimension,
            "queue_size": self.queue_size,
            "learn_temperature": self.logit_scale.requires_grad,
        }

    def checkpoint_entries(self) -> dict[str, Any]:
        """Description of the training data."""
        return self.data.description()

    @property
    def data(self) -> PairedData:
        """The run's data module."""
        return self.data_module(PairedData)

    def _in_batch(self, views: Views, groups: Tensor, _: torch.Generator) -> tuple[Terms, Features]:
        features, queries, answers = {}, {}, {}
        for name, drawn in views.items():
            seen = self.branches[name](torch.cat(drawn))
            features[name] = seen[: len(groups)]
            queries[name] = self._project(self.heads[name], seen).chunk(len(drawn))
            answers[name] = [from_batch(some, groups, self.mask_group) for some in queries[name]]
        terms = every_pair(
            {name: some[0] for name, some in queries.items()},
            {name: some[0] for name, some in answers.items()},
            self.temperature,
        )
        for name, some in queries.items():
            if len(some) == 2:
                first, second = answers[name]
                terms[name, name] = symmetric(*some, first, second, self.temperature)
        return terms, features

    def _with_queue(self, views: Views, groups: Tensor, generator: torch.Generator) -> tuple[Terms, Features]:
        """Terms with keys of the last view, which are queued after all comparisons."""
        ema_update(((self.branches, self.key_branches), (self.heads, self.key_heads)), self.key_momentum)
        features, queries, keys, answers = {}, {}, {}, {}
        for name, drawn in views.items():
            network = nn.Sequential(self.key_branches[name], self.key_heads[name])
            keys[name] = shuffled_keys(network, drawn[-1], generator)
            answers[name] = from_queue(keys[name], self._queue(name), groups, self.mask_group)
            features[name] = self.branches[name](drawn[0])
            queries[name] = self._project(self.heads[name], features[name])
        terms = every_pair(queries, answers, self.temperature)
        for name, drawn in views.items():
            if len(drawn) == 2:
                terms[name, name] = info_nce(queries[name], *answers[name], self.temperature)
            self._queue(name).enqueue(distributed.gather(keys[name]), distributed.gather(groups))
        return terms, features

    def _draw(self, name: str, batch: Batch, generator: torch.Generator) -> list[Tensor]:
        """One view `[B, 3, size, size]` of a modality, or two if they are contrasted with each other."""
        count = 2 if self.intra_weights[name] else 1
        views = self.views[name]
        images, references = recorded(batch, views.contract)
        return views(images, references, generator, count, *distributed.rank_and_size())

    def _project(self, head: nn.Module, features: Tensor) -> Tensor:
        return F.normalize(head(features).float(), dim=1)

    def _queue(self, name: str) -> KeyQueue:
        queue = self.queues[name]
        assert isinstance(queue, KeyQueue)
        return queue

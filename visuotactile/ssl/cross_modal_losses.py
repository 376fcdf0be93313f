"""What a query of one modality is compared with in another: the batch (CLIP), or a queue (MoCo)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from visuotactile.ssl.banks import KeyQueue
from visuotactile.ssl.losses import info_nce
from visuotactile.training.distributed import gather, gather_with_gradient, world


class Candidates(NamedTuple):
    """What N queries may be mistaken for.

    Attributes:
        positives: `[N, D]`, of length one: row n belongs to query n.
        negatives: `[K, D]`, of length one.
        allowed: bool `[N, K]`: False leaves a negative out.
    """

    positives: Tensor
    negatives: Tensor
    allowed: Tensor


def from_batch(embeddings: Tensor, groups: Tensor, mask_group: bool) -> Candidates:
    """This rank's `embeddings [N, D]` as positives, those of the joined batch as negatives; with gradient.

    Args:
        embeddings: of length one.
        groups: int64 `[N]`: pairs of one group show the same thing.
        mask_group: leave out every negative of the query's own group, not its own positive alone.
    """
    joined, joined_groups = gather_with_gradient(embeddings), gather(groups)
    if mask_group:
        allowed = groups[:, None] != joined_groups
    else:
        rank, count = world()
        places = torch.arange(len(joined), device=joined.device)
        allowed = places[rank::count, None] != places
    return Candidates(embeddings, joined, allowed)


def from_queue(keys: Tensor, queue: KeyQueue, groups: Tensor, mask_group: bool) -> Candidates:
    """Momentum `keys [N, D]` as positives, and what the queue holds as negatives.

    The queued keys are copied: the queue changes before the backward pass looks at what it was.
    """
    return Candidates(keys, queue.keys.clone(), queue.allowed(groups, mask_group))


def symmetric(
    first: Tensor,
    second: Tensor,
    first_candidates: Candidates,
    second_candidates: Candidates,
    temperature: float | Tensor,
) -> Tensor:
    """InfoNCE of both directions, averaged.

    Args:
        first, second: queries `[N, D]` of two modalities, or of two views of one.
        first_candidates, second_candidates: what stands for each as an answer.
        temperature: divides the cosines.
    """
    there = info_nce(first, *second_candidates, temperature)
    back = info_nce(second, *first_candidates, temperature)
    return (there + back) / 2


def every_pair(
    queries: Mapping[str, Tensor], answers: Mapping[str, Candidates], temperature: float | Tensor
) -> dict[tuple[str, str], Tensor]:
    """(first, second) → `symmetric` of two modalities, for every two of those in `queries`."""
    return {
        (first, second): symmetric(
            queries[first], queries[second], answers[first], answers[second], temperature
        )
        for first, second in itertools.combinations(queries, 2)
    }

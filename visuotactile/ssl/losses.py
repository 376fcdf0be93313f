"""InfoNCE: of MoCo, the memory bank, and cross-modal pretraining over a batch (CLIP) or a queue."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.samples import Index
from visuotactile.errors import DataError
from visuotactile.ssl.banks import KeyQueue
from visuotactile.training import distributed


def check_negatives(groups: Index, batch: int, masked: bool, column: str) -> None:
    """Refuse data in which no sample has a negative: the loss would be constant.

    Args:
        groups: `[N]`, the group of each training sample.
        batch: samples of a step over all processes.
        masked: whether samples of one group are not each other's negatives.
        column: setting of the data module that makes the groups, with its value.

    Raises:
        DataError: there is one sample, one group, or one sample in a batch.
    """
    remedy = "record more, or name another split"
    if len(groups) < 2:
        raise DataError(f"there is {len(groups)} training sample, which has no negatives; {remedy}")
    if batch < 2:
        raise DataError(
            f"data.batch_size is {batch}; a contrastive method compares samples with each other: expected 2 "
            "or more, such as 64"
        )
    if masked and (groups == groups[0]).all():
        raise DataError(
            f"all {len(groups)} training samples are of one group ({column}), within which no sample is "
            "another's negative, so that the loss would always be 0; expected two groups or more: choose a "
            f"finer {column.partition(' ')[0]}, {remedy}"
        )


def info_nce(
    queries: Tensor, positives: Tensor, negatives: Tensor, allowed: Tensor, temperature: float | Tensor
) -> Tensor:
    """−log softmax of the positive among itself and the allowed negatives (equation 1).

    Args:
        queries: `[N, D]`, of length one.
        positives: `[N, D]`, of length one: row n belongs to query n.
        negatives: `[K, D]` shared by all queries, or `[N, M, D]` of each query's own, of length one.
        allowed: bool, `[N, K]` or `[N, M]`: False leaves a negative out.
        temperature: divides the cosines.

    Returns:
        The mean over the N queries, a scalar in float32 whatever the precision of the features.
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, positives, negatives = queries.float(), positives.float(), negatives.float()
        positive = (queries * positives).sum(dim=1, keepdim=True)
        if negatives.dim() == 2:
            negative = queries @ negatives.T
        else:
            negative = torch.einsum("nd,nmd->nm", queries, negatives)
        # Masked last: −∞ divided by a learned temperature would make the temperature's gradient NaN.
        negative = (negative / temperature).masked_fill(~allowed, -torch.inf)
        logits = torch.cat([positive / temperature, negative], dim=1)
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))


class Candidates(NamedTuple):
    """Positives and negatives of N queries.

    Attributes:
        positives: `[N, D]`, of length one: row n belongs to query n.
        negatives: `[K, D]`, of length one.
        allowed: bool `[N, K]`: False leaves a negative out.
    """

    positives: Tensor
    negatives: Tensor
    allowed: Tensor


def from_batch(embeddings: Tensor, groups: Tensor, mask_group: bool) -> Candidates:
    """Positives are this rank's `embeddings [N, D]`, negatives the joined batch's; both with gradient.

    Args:
        embeddings: of length one.
        groups: int64 `[N]`: pairs of one group show the same thing.
        mask_group: exclude all of the query's own group from the negatives, not its positive alone.
    """
    joined, joined_groups = distributed.gather_with_gradient(embeddings), distributed.gather(groups)
    if mask_group:
        allowed = groups[:, None] != joined_groups
    else:
        places = torch.arange(len(joined), device=joined.device)
        allowed = distributed.local(places)[:, None] != places
    return Candidates(embeddings, joined, allowed)


def from_queue(keys: Tensor, queue: KeyQueue, groups: Tensor, mask_group: bool) -> Candidates:
    """Positives are momentum `keys [N, D]`, negatives the queued keys.

    The queued keys are copied, since the queue changes in place before the backward pass needs them.
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
        first_candidates, second_candidates: those made from `first` and from `second`.
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

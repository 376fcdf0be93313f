"""Measures of collapse and of progress that are cheap enough to log while training."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from visuotactile.datasets.samples import UNLABELLED

EVERY = 50  # training steps between two effective ranks, which need a singular value decomposition each


def collapse(features: Tensor, prefix: str = "") -> dict[str, Tensor]:
    """`feature_spread` and `effective_rank` of `[N, D]`, under these names with a prefix."""
    return {
        f"{prefix}feature_spread": feature_spread(features),
        f"{prefix}effective_rank": effective_rank(features),
    }


def feature_spread(features: Tensor) -> Tensor:
    """√D times the mean standard deviation over samples of the normalised features `[N, D]`.

    1 when the features cover the sphere evenly, 0 when all have collapsed to one point (SimSiam's measure).
    """
    normed = F.normalize(features.float(), dim=1)
    return normed.std(dim=0).mean() * math.sqrt(features.shape[1])


def effective_rank(features: Tensor) -> Tensor:
    """RankMe (Garrido et al. 2023) of `[N, D]`: exp of the entropy of the singular values, 1 to min(N, D)."""
    values = torch.linalg.svdvals(features.float())
    share = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return torch.exp(-(share * torch.log(share + 1e-7)).sum())


def knn_accuracy(features: Tensor, labels: Tensor, groups: Tensor) -> Tensor | None:
    """Balanced accuracy of kNN classification, by cosine, over the √N nearest samples of other groups.

    Args:
        features: `[N, D]`.
        labels: int64 `[N]`; samples with `UNLABELLED` are left out.
        groups: int64 `[N]`, such as the object: neighbours come from other groups, so that near-duplicates
            do not vote and no held-out data are needed.

    Returns:
        A scalar, or None where there are fewer than two classes or groups.
    """
    known = labels != UNLABELLED
    features, labels, groups = F.normalize(features[known].float(), dim=1), labels[known], groups[known]
    if len(labels.unique()) < 2 or len(groups.unique()) < 2:
        return None
    similar = (features @ features.T).masked_fill(groups[:, None] == groups, -torch.inf)
    allowed = int((groups[:, None] != groups).sum(dim=1).min())
    nearest = similar.topk(max(1, min(round(math.sqrt(len(labels))), allowed)), dim=1).indices
    classes = int(labels.max()) + 1
    votes = F.one_hot(labels[nearest], classes).sum(dim=1)
    share = torch.bincount(labels, minlength=classes) / len(labels)
    # Votes are divided by the share of each class, or the largest class would win everywhere.
    guess = (votes / share.clamp_min(1e-12)).argmax(dim=1)
    right = torch.stack([(guess[labels == c] == c).float().mean() for c in labels.unique()])
    return right.mean()


def retrieval_accuracy(queries: Tensor, keys: Tensor, groups: Tensor) -> Tensor:
    """Recall at 1: share of queries whose nearest key, by cosine, is of their own group.

    Args:
        queries, keys: `[N, D]`, of length one; row n of both is pair n.
        groups: int64 `[N]`: pairs of one group show the same thing, and any of them counts as right.
    """
    nearest = (queries @ keys.T).argmax(dim=1)
    return (groups[nearest] == groups).float().mean()

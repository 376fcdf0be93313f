"""InfoNCE, the loss of MoCo, the memory bank and cross-modal pretraining."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(
    queries: Tensor, positives: Tensor, negatives: Tensor, allowed: Tensor, temperature: float | Tensor
) -> Tensor:
    """−log of the positive's share in the softmax over itself and the allowed negatives (equation 1).

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
        # Masked last: infinity divided by a temperature that learns would make its gradient no number.
        negative = (negative / temperature).masked_fill(~allowed, -torch.inf)
        logits = torch.cat([positive / temperature, negative], dim=1)
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))

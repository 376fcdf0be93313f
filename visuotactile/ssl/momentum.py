"""Momentum encoders (He et al. 2020): their update and their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.training import distributed


@torch.no_grad()
def ema_update(pairs: Iterable[tuple[nn.Module, nn.Module]], key_momentum: float) -> None:
    """Exponential moving average of a trained network's parameters (equation 2 of MoCo), in place.

    Args:
        pairs: (query network, key network); the key network is updated. Buffers are left alone.
        key_momentum: share of the OLD weights that the key network keeps.
    """
    pairs = list(pairs)
    old: list[Tensor] = [p for _, key in pairs for p in key.parameters()]
    new: list[Tensor] = [p for query, _ in pairs for p in query.parameters()]
    torch._foreach_lerp_(old, new, 1 - key_momentum)


@torch.no_grad()
def shuffled_keys(network: Callable[[Tensor], Tensor], views: Tensor, generator: torch.Generator) -> Tensor:
    """Keys `[B, D]` of length one of this rank's views `[B, 3, S, S]`.

    The joined batch is shuffled across ranks and batch-norm splits first, so that a key's batch statistics
    do not give away its query.
    """
    _, size = distributed.rank_and_size()
    order = torch.randperm(len(views) * size, generator=generator)
    if size > 1:
        views = distributed.gather(views)
    mixed = views[distributed.local(order).to(views.device)]
    keys = F.normalize(network(mixed).float(), dim=1)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return distributed.local(distributed.gather(keys)[place.to(keys.device)])

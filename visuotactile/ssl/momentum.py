"""Momentum encoders (He et al. 2020): networks that follow those which learn, and the keys they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.training.distributed import gather, own, world


@torch.no_grad()
def follow(pairs: Iterable[tuple[nn.Module, nn.Module]], key_momentum: float) -> None:
    """Move the second network of each pair a little towards the first (equation 2 of MoCo).

    Args:
        pairs: the network that learns, and the one that follows it.
        key_momentum: the share of the OLD weights that the follower keeps.
    """
    pairs = list(pairs)
    old: list[Tensor] = [p for _, key in pairs for p in key.parameters()]
    new: list[Tensor] = [p for query, _ in pairs for p in query.parameters()]
    torch._foreach_lerp_(old, new, 1 - key_momentum)


@torch.no_grad()
def shuffled_keys(network: Callable[[Tensor], Tensor], views: Tensor, generator: torch.Generator) -> Tensor:
    """Keys `[B, D]` of length one of this rank's views `[B, 3, S, S]`.

    The joined batch is shuffled across ranks and parts first, so that a key's batch statistics tell
    nothing of its query's.
    """
    _, count = world()
    order = torch.randperm(len(views) * count, generator=generator)
    if count > 1:
        views = gather(views)
    mixed = views[own(order).to(views.device)]
    keys = F.normalize(network(mixed).float(), dim=1)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return own(gather(keys)[place.to(keys.device)])

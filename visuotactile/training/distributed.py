"""Communication between the ranks of a distributed run. On one process every function returns its input.

Sample n of the joined batch is sample n // world size of rank n mod world size, as in PyTorch's
`DistributedSampler`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def rank_and_size() -> tuple[int, int]:
    """Rank of this process, and the world size."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def gather(values: Tensor) -> Tensor:
    """The joined batch `[N · world, …]` of every rank's `[N, …]`, in the same order on each; no gradient."""
    _, size = rank_and_size()
    if size == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(size)]
    dist.all_gather(parts, values.contiguous())
    return _join(torch.stack(parts))


def gather_with_gradient(values: Tensor) -> Tensor:
    """Like `gather`, with gradient: that of the joined batch, summed over ranks."""
    _, size = rank_and_size()
    if size == 1:
        return values
    gathered: Tensor = _Gather.apply(values)
    return _join(gathered)


def local(values: Tensor) -> Tensor:
    """This rank's `[N, …]` of the joined batch `[N · world, …]`."""
    rank, size = rank_and_size()
    return values[rank::size]


def _join(parts: Tensor) -> Tensor:
    return parts.transpose(0, 1).reshape(-1, *parts.shape[2:])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank()]

"""What the processes of a distributed run tell each other. Alone, every function returns its input.

Sample n of the joined batch lies on rank n mod world, as a distributed sampler deals samples out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def world() -> tuple[int, int]:
    """Rank of this process, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def gather(values: Tensor) -> Tensor:
    """The joined batch `[N · world, …]` of every rank's `[N, …]`, in the same order on each; no gradient."""
    _, count = world()
    if count == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(count)]
    dist.all_gather(parts, values.contiguous())
    return _join(torch.stack(parts))


def gather_with_gradient(values: Tensor) -> Tensor:
    """Like `gather`; the gradients that the joined batch gets on all ranks are summed and come back."""
    _, count = world()
    if count == 1:
        return values
    gathered: Tensor = _Gather.apply(values)
    return _join(gathered)


def own(values: Tensor) -> Tensor:
    """This rank's `[N, …]` of the joined batch `[N · world, …]`."""
    rank, count = world()
    return values[rank::count]


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

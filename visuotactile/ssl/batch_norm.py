"""Split batch norm: batch statistics over parts of a batch, as on several devices."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visuotactile.errors import EncoderError


class SplitBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics are taken over every `splits`-th sample, as on `splits` devices.

    MoCo needs the keys' batch statistics to differ from the queries', or the network recognises a positive by
    its batch statistics alone. On several devices the keys are shuffled across them. On one device shuffling
    has no effect, and this layer splits the batch instead: sample n belongs to part n mod splits, as in
    PyTorch's `DistributedSampler`. State keys are those of `nn.BatchNorm2d`.
    """

    def __init__(self, num_features: int, splits: int, **settings: float) -> None:
        super().__init__(num_features, **settings)  # type: ignore[arg-type]
        self.splits = splits

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[B, C, H, W]`; in training B must be a multiple of `splits`."""
        if not self.training or self.splits == 1:
            return super().forward(x)
        batch, channels, height, width = x.shape
        if batch % self.splits:
            raise EncoderError(
                f"a batch of {batch} does not divide into bn_splits={self.splits}; change either"
            )
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        mean, var = self.running_mean.repeat(self.splits), self.running_var.repeat(self.splits)
        parts = x.contiguous().view(batch // self.splits, self.splits * channels, height, width)
        normed = F.batch_norm(
            parts,
            mean,
            var,
            self.weight.repeat(self.splits),
            self.bias.repeat(self.splits),
            training=True,
            momentum=self.momentum,
            eps=self.eps,
        )
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.copy_(mean.view(self.splits, channels).mean(0))
            self.running_var.copy_(var.view(self.splits, channels).mean(0))
        # Not `view`: the next activation works in place, and on a view that makes autograd copy all of it.
        unviewed: Tensor = torch.ops.aten._unsafe_view(normed, x.shape)
        return unviewed


def split_batch_norm(module: nn.Module, splits: int) -> nn.Module:
    """Replace each `nn.BatchNorm2d` inside `module` by one over `splits` parts, in place, with its weights.

    The network's memory format becomes channels-first, in which parts of a batch are views.

    Raises:
        EncoderError: the network has batch norms of another kind.
    """
    if splits == 1:
        return module
    module.to(memory_format=torch.contiguous_format)
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            split = SplitBatchNorm2d(
                child.num_features, splits, eps=child.eps, momentum=child.momentum or 0.1
            )
            split.load_state_dict(child.state_dict())
            setattr(module, name, split)
        elif isinstance(child, nn.modules.batchnorm._BatchNorm):
            raise EncoderError(
                f"layer {name!r} is a {type(child).__name__}, which cannot be split; "
                "set bn_splits to 1 or use a backbone with plain BatchNorm2d, such as resnet18"
            )
        else:
            split_batch_norm(child, splits)
    return module

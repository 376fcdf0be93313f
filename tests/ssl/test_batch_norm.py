"""Split batch norm is ordinary batch norm on every part of the batch."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from visuotactile.errors import EncoderError
from visuotactile.ssl.batch_norm import SplitBatchNorm2d, split_batch_norm


def test_each_part_is_normalised_by_itself() -> None:
    x = torch.randn(8, 3, 4, 5) + torch.arange(8.0)[:, None, None, None]
    split, plain = SplitBatchNorm2d(3, 4), nn.BatchNorm2d(3)
    y = split(x)
    for part in range(4):
        torch.testing.assert_close(y[part::4], plain.train()(x[part::4]), atol=1e-5, rtol=1e-5)


def test_in_evaluation_it_uses_the_running_statistics_like_any_other() -> None:
    split, plain = SplitBatchNorm2d(3, 2), nn.BatchNorm2d(3)
    split(torch.randn(4, 3, 2, 2))
    plain.load_state_dict(split.state_dict())
    x = torch.randn(5, 3, 2, 2)
    assert torch.equal(split.eval()(x), plain.eval()(x))


def test_a_converted_network_keeps_timms_key_names_and_weights() -> None:
    network = timm.create_model("test_resnet", num_classes=0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    after = split_batch_norm(network, 4).state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert any(isinstance(module, SplitBatchNorm2d) for module in network.modules())


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(EncoderError, match="bn_splits=4"):
        SplitBatchNorm2d(3, 4)(torch.randn(6, 3, 2, 2))


def test_a_batch_norm_of_another_kind_is_refused() -> None:
    with pytest.raises(EncoderError, match="BatchNormAct2d"):
        split_batch_norm(timm.create_model("test_efficientnet", num_classes=0), 2)

"""InfoNCE against a naive loop and against its closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from visuotactile.ssl.losses import info_nce


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("own_negatives", [False, True])
def test_info_nce_equals_the_naive_loop(own_negatives: bool) -> None:
    queries, positives = unit(5, 8), unit(5, 8, seed=1)
    negatives = unit(5, 7, 8, seed=2) if own_negatives else unit(7, 8, seed=2)
    allowed = torch.rand(5, 7, generator=torch.Generator().manual_seed(3)) < 0.6
    total = 0.0
    for n in range(5):
        rows = negatives[n] if own_negatives else negatives
        positive = math.exp(float(queries[n] @ positives[n]) / 0.07)
        others = sum(math.exp(float(queries[n] @ rows[k]) / 0.07) for k in range(7) if allowed[n, k])
        total -= math.log(positive / (positive + others))
    loss = info_nce(queries, positives, negatives, allowed, 0.07)
    assert float(loss) == pytest.approx(total / 5, rel=1e-5)


def test_info_nce_of_indistinguishable_keys_is_log_of_their_number() -> None:
    same = unit(1, 8).expand(4, 8)
    loss = info_nce(same, same, same[:1].expand(9, 8), torch.ones(4, 9, dtype=torch.bool), 0.07)
    assert float(loss) == pytest.approx(math.log(10), rel=1e-6)


def test_info_nce_of_orthogonal_negatives_has_its_closed_form() -> None:
    axes = torch.eye(6)
    loss = info_nce(axes[:1], axes[:1], axes[1:], torch.ones(1, 5, dtype=torch.bool), 0.5)
    assert float(loss) == pytest.approx(math.log(1 + 5 * math.exp(-2)), rel=1e-6)


def test_a_masked_negative_has_no_influence() -> None:
    queries, positives, negatives = unit(3, 8), unit(3, 8, seed=1), unit(4, 8, seed=2)
    allowed = torch.tensor([True, True, False, True]).expand(3, 4)
    changed = negatives.clone()
    changed[2] = queries[0]
    assert info_nce(queries, positives, negatives, allowed, 0.1) == info_nce(
        queries, positives, changed, allowed, 0.1
    )


def test_with_no_negative_the_loss_is_zero() -> None:
    loss = info_nce(unit(3, 8), unit(3, 8), unit(4, 8), torch.zeros(3, 4, dtype=torch.bool), 0.1)
    assert float(loss) == 0


def test_half_precision_features_are_compared_in_float32() -> None:
    queries = unit(3, 8).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = info_nce(queries, queries, unit(4, 8), torch.ones(3, 4, dtype=torch.bool), 0.07)
    assert loss.dtype == torch.float32

"""The monitors say what they claim to say at the ends of their scales."""

from __future__ import annotations

import pytest
import torch

from visuotactile.training.monitors import effective_rank, feature_spread, knn_accuracy


def test_spread_is_zero_when_collapsed_and_one_when_even() -> None:
    assert float(feature_spread(torch.ones(50, 16))) == pytest.approx(0, abs=1e-6)
    even = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
    assert float(feature_spread(even)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_counts_equal_directions(rank: int) -> None:
    features = torch.eye(8)[:, :rank].repeat(4, 1) @ torch.eye(8)[:rank]
    assert float(effective_rank(features)) == pytest.approx(rank, rel=1e-3)


def test_neighbours_of_the_own_group_do_not_vote() -> None:
    features = torch.tensor([[1.0, 0], [1, 0.01], [0, 1], [0.01, 1]])
    labels, groups = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1])
    accuracy = knn_accuracy(features, labels, groups)
    assert accuracy is not None
    assert float(accuracy) == 0


def test_separable_features_are_found_separable_and_noise_is_not() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    groups = torch.arange(400) // 4
    noise = torch.randn(400, 8, generator=generator)
    signal = noise + 6 * (2 * labels[:, None] - 1) * torch.eye(8)[0]  # cosines ask for opposite sides
    assert float(knn_accuracy(signal, labels, groups)) > 0.95  # type: ignore[arg-type]
    assert float(knn_accuracy(noise, labels, groups)) == pytest.approx(0.5, abs=0.1)  # type: ignore[arg-type]


def test_a_rare_class_is_not_voted_away_by_a_common_one() -> None:
    labels = (torch.arange(300) % 10 == 0).long()
    features = torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
    accuracy = knn_accuracy(features, labels, torch.arange(300))
    assert accuracy is not None
    assert 0.35 < float(accuracy) < 0.65


def test_without_labels_there_is_no_accuracy() -> None:
    assert knn_accuracy(torch.randn(5, 3), torch.full((5,), -1), torch.arange(5)) is None

"""Cross-modal InfoNCE against naive loops, CLIP's own words, and lightly."""

from __future__ import annotations

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch import Tensor
from torch.nn import functional as F

from visuotactile.ssl.banks import KeyQueue
from visuotactile.ssl.losses import Candidates, every_pair, from_batch, from_queue, symmetric

GROUPS = torch.tensor([4, 4, 0, 7, 4, 0, 9])
TEMPERATURE = 0.2


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def in_batch(first: Tensor, second: Tensor, groups: Tensor, mask: bool = True) -> Tensor:
    sides = (from_batch(some, groups, mask) for some in (first, second))
    return symmetric(first, second, *sides, TEMPERATURE)


def naive(first: Tensor, second: Tensor, groups: Tensor) -> float:
    """Both directions, pair by pair, in plain Python."""
    count, total = len(first), 0.0
    for queries, answers in ((first, second), (second, first)):
        for n in range(count):
            others = [k for k in range(count) if groups[k] != groups[n]]
            right, *wrong = (
                math.exp(float(queries[n].double() @ answers[k].double()) / TEMPERATURE) for k in [n, *others]
            )
            total -= math.log(right / (right + sum(wrong)))
    return total / (2 * count)


def clip(first: Tensor, second: Tensor, scale: float) -> Tensor:
    """The loss as the CLIP paper prints it (figure 3)."""
    logits = scale * first @ second.T
    labels = torch.arange(len(first))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def test_the_loss_equals_the_naive_loop_over_pairs_of_other_groups() -> None:
    first, second = unit(7, 8), unit(7, 8, seed=1)
    assert float(in_batch(first, second, GROUPS)) == pytest.approx(naive(first, second, GROUPS), rel=1e-5)


@pytest.mark.parametrize("mask", [True, False])
def test_the_loss_and_its_gradient_are_clips_where_every_pair_is_a_group_of_its_own(mask: bool) -> None:
    ours = [unit(7, 8).requires_grad_(), unit(7, 8, seed=1).requires_grad_()]
    theirs = [some.detach().clone().requires_grad_() for some in ours]
    groups = torch.arange(7) if mask else GROUPS  # without the mask the groups do not matter
    found, expected = in_batch(*ours, groups, mask), clip(*theirs, 1 / TEMPERATURE)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    for mine, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, their.grad)


def lightly_loss(query: Tensor, positive: Tensor, negatives: Tensor) -> float:
    """lightly's contrastive loss of one query against a memory bank of `negatives`."""
    loss = NTXentLoss(temperature=TEMPERATURE, memory_bank_size=(len(negatives), query.shape[1]))
    loss(query, positive)  # it makes its bank when it is first asked
    loss.memory_bank.bank = negatives
    return float(loss(query, positive))


def test_in_batch_each_query_has_lightlys_loss_against_the_other_pairs() -> None:
    first, second = unit(6, 8), unit(6, 8, seed=1)
    total = 0.0
    for queries, answers in ((first, second), (second, first)):
        for n in range(6):
            others = answers[torch.arange(6) != n]
            total += lightly_loss(queries[n : n + 1], answers[n : n + 1], others)
    assert float(in_batch(first, second, torch.arange(6))) == pytest.approx(total / 12, rel=1e-5)


def full_queue(keys: Tensor, groups: Tensor) -> KeyQueue:
    queue = KeyQueue(len(keys), keys.shape[1])
    queue.enqueue(keys, groups)
    return queue


def test_with_a_queue_the_loss_is_lightlys_with_a_memory_bank() -> None:
    first, second = unit(6, 8), unit(6, 8, seed=1)
    banks = unit(11, 8, seed=2), unit(11, 8, seed=3)
    groups = torch.arange(6)
    sides = [
        from_queue(keys, full_queue(bank, 100 + torch.arange(11)), groups, True)
        for keys, bank in zip((first, second), banks, strict=True)
    ]
    expected = (lightly_loss(first, second, banks[1]) + lightly_loss(second, first, banks[0])) / 2
    assert float(symmetric(first, second, *sides, TEMPERATURE)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("groups", [torch.arange(7), GROUPS])
def test_a_queue_that_holds_exactly_the_batch_gives_the_in_batch_loss(groups: Tensor) -> None:
    first, second = unit(7, 8), unit(7, 8, seed=1)
    sides = [from_queue(keys, full_queue(keys, groups), groups, True) for keys in (first, second)]
    torch.testing.assert_close(symmetric(first, second, *sides, TEMPERATURE), in_batch(first, second, groups))


def test_the_mask_removes_exactly_the_false_negatives_of_the_batch() -> None:
    allowed = from_batch(unit(7, 8), GROUPS, mask_group=True).allowed
    plain = from_batch(unit(7, 8), GROUPS, mask_group=False).allowed
    for n in range(7):
        for k in range(7):
            assert allowed[n, k] == (GROUPS[n] != GROUPS[k])
            assert plain[n, k] == (n != k)


def test_the_mask_removes_exactly_the_false_negatives_of_the_queue() -> None:
    queue = KeyQueue(10, 8)
    queue.enqueue(unit(6, 8), torch.tensor([0, 4, 5, 9, 4, 1]))  # four places stay empty
    allowed = from_queue(unit(7, 8), queue, GROUPS, mask_group=True).allowed
    plain = from_queue(unit(7, 8), queue, GROUPS, mask_group=False).allowed
    for n in range(7):
        for k in range(10):
            filled = k < 6
            assert allowed[n, k] == (filled and bool(queue.recordings[k] != GROUPS[n]))
            assert plain[n, k] == filled


def test_a_pair_of_ones_own_group_has_no_influence_and_any_other_has() -> None:
    first, second = unit(7, 8), unit(7, 8, seed=1)

    def loss_of_query_0(answers: Tensor) -> float:
        answer = from_batch(answers, GROUPS, mask_group=True)
        mine = Candidates(answer.positives[:1], answer.negatives, answer.allowed[:1])
        return float(every_pair({"a": first[:1], "b": second[:1]}, {"a": mine, "b": mine}, 0.1)["a", "b"])

    plain = loss_of_query_0(second)
    for k in range(1, 7):
        changed = second.clone()
        changed[k] = first[0]
        assert (loss_of_query_0(changed) == plain) == bool(GROUPS[k] == GROUPS[0])


def test_a_temperature_that_learns_gets_the_same_finite_gradient_whatever_is_masked() -> None:
    first, second = unit(7, 8), unit(7, 8, seed=1)
    temperature = torch.tensor(0.2, requires_grad=True)
    masked = [from_batch(some, GROUPS, True) for some in (first, second)]
    symmetric(first, second, *masked, temperature).backward()
    small = 1e-3
    low, high = (float(symmetric(first, second, *masked, 0.2 + side)) for side in (-small, small))
    assert temperature.grad is not None
    assert float(temperature.grad) == pytest.approx((high - low) / (2 * small), rel=1e-2)


def test_three_modalities_are_compared_two_by_two() -> None:
    names = ("sight", "touch", "sound")
    queries = {name: unit(7, 8, seed=seed) for seed, name in enumerate(names)}
    answers = {name: from_batch(some, GROUPS, True) for name, some in queries.items()}
    terms = every_pair(queries, answers, TEMPERATURE)
    assert list(terms) == [("sight", "touch"), ("sight", "sound"), ("touch", "sound")]
    for (first, second), term in terms.items():
        assert float(term) == pytest.approx(naive(queries[first], queries[second], GROUPS), rel=1e-5)

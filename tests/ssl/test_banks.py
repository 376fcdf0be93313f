"""The queue wraps and remembers recordings; the bank keeps the share of the old entry that its name says."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from visuotactile.ssl.banks import EMPTY, KeyQueue, SampleBank


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 9), batches=st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_the_queue_holds_the_last_keys_whatever_the_batch_sizes(size: int, batches: list[int]) -> None:
    queue = KeyQueue(size, 2)
    stored: list[int] = []
    for count in batches:
        new = list(range(len(stored), len(stored) + count))
        queue.enqueue(torch.tensor(new).float()[:, None].expand(-1, 2), torch.tensor(new))
        stored += new
    held = queue.recordings[queue.recordings != EMPTY].tolist()
    assert sorted(held) == stored[-size:]
    assert all(float(queue.keys[i, 0]) == r for i, r in enumerate(queue.recordings.tolist()) if r != EMPTY)


def test_empty_places_and_the_own_recording_are_not_negatives() -> None:
    queue = KeyQueue(4, 2)
    queue.enqueue(torch.ones(3, 2), torch.tensor([7, 8, 7]))
    assert queue.allowed(torch.tensor([7, 9]), True).tolist() == [
        [False, True, False, False],
        [True, True, True, False],
    ]
    assert queue.allowed(torch.tensor([7]), False).tolist() == [[True, True, True, False]]


def test_bank_momentum_is_the_share_of_the_old_entry() -> None:
    bank = SampleBank(torch.zeros(3, dtype=torch.long), 2, 0.75, torch.Generator().manual_seed(0))
    bank.entries[1] = torch.tensor([1.0, 0.0])
    before = bank.entries.clone()
    bank.update(torch.tensor([1]), torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(bank.entries[1], F.normalize(torch.tensor([0.75, 0.25]), dim=0))
    assert torch.equal(bank.entries[[0, 2]], before[[0, 2]])


def test_a_bank_momentum_of_zero_replaces_the_entry() -> None:
    bank = SampleBank(torch.zeros(2, dtype=torch.long), 2, 0.0, torch.Generator().manual_seed(0))
    bank.update(torch.tensor([0]), torch.tensor([[0.6, 0.8]]))
    torch.testing.assert_close(bank.entries[0], torch.tensor([0.6, 0.8]))

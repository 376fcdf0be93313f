"""Randomness that follows from a seed and a step, and leaves PyTorch's global generator alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make modules inside the block with weights that follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def step_generator(*numbers: int) -> torch.Generator:
    """Generator of everything random in a step, from (seed, step, …): a resumed run draws the same again."""
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))

"""Randomness of a training step, which follows from a seed and the step's number."""

from __future__ import annotations

import numpy as np
import torch


def step_generator(*numbers: int) -> torch.Generator:
    """Generator of everything random in a step, from (seed, step, …): a resumed run draws the same again."""
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))

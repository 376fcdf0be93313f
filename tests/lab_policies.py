"""Policies that the tests of the simulated lab name as MODULE:NAME."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.lab import FORCES, MOTION, Regrasp, Streams


def straight_down(observation: Streams, rng: np.random.Generator) -> Regrasp:
    """As far down as a regrasp goes."""
    assert observation["tactile_left/during"].dtype == np.uint8
    return Regrasp(dx=0, dy=0, dz=-MOTION, dyaw=0, force=9)


def twice_as_hard(observation: Streams, rng: np.random.Generator) -> Regrasp:
    """Only squeeze."""
    return Regrasp(dx=0, dy=0, dz=0, dyaw=0, force=float(min(FORCES[1], 2 * observation["force"][0])))

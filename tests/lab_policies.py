"""Policies that the tests of the simulated lab name as MODULE:NAME."""

from __future__ import annotations

import numpy as np

from visuotactile.datasets.policy import Choice, Observation
from visuotactile.sim.hands.parallel import FORCE, MOTION


def straight_down(observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
    """As far down as a regrasp goes."""
    assert observation["tactile_left/during"].dtype == np.uint8
    return Choice({"dx": 0, "dy": 0, "dz": MOTION[2].low, "dyaw": 0, "force": 9})


def twice_as_hard(observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
    """Only squeeze."""
    force = float(min(FORCE.high, 2 * observation["force"][0]))
    return Choice({"dx": 0, "dy": 0, "dz": 0, "dyaw": 0, "force": force})


class Pressing:
    """Squeezes with the force that it is made with, and says so; chooses numbers by name."""

    def __init__(self, force: float) -> None:
        self.settings = {"force": force}

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """Only squeeze."""
        return Choice({"dx": 0, "dy": 0, "dz": 0, "dyaw": 0, **self.settings})


firmly = Pressing(12.0)


def nonsense(observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
    """An action that lacks its force and has a wish."""
    return Choice({"dx": 0, "dy": 0, "dz": 0, "dyaw": 0, "gently": 1})

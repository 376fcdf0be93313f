"""The policy: maps a robot's observation to its next action, in simulation and on a robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Observation = Mapping[str, npt.NDArray[Any]]
"""Observation of one robot: streams at STREAM/PHASE, and vectors by name, float32 [entries]."""


@dataclass(frozen=True)
class Choice:
    """A policy's choice.

    Attributes:
        action: value of each dimension of the embodiment's action, by name.
        lift: lift once the hand has closed.
    """

    action: Mapping[str, float]
    lift: bool = True


class Policy(Protocol):
    """Chooses the next action: a function, or a callable object.

    It is pickled into each worker of a collection. An object has an attribute `settings` (JSON values) that
    stores record, such as the predictor that it plans with.
    """

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """Choose the next action, with randomness from `rng`, or from the policy's own seed, alone.

        Args:
            observation: observation of the current state.
            rng: generator of a whole episode, or of all the choices of a trial.
            last: no other choice follows: the hand lifts in any case.
        """
        ...

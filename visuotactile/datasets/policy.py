"""The policy: from what one robot observes to its next action, in the lab as on a robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Observation = Mapping[str, npt.NDArray[Any]]
"""One robot's view: streams at STREAM/PHASE, and each vector of its embodiment by name, float32 [entries]."""


@dataclass(frozen=True)
class Choice:
    """A policy's choice.

    Attributes:
        action: every dimension of the embodiment's action by name, in its own unit.
        lift: whether to lift once the hand has closed.
    """

    action: Mapping[str, float]
    lift: bool = True


class Policy(Protocol):
    """Chooses the next action: a function, or an object that is called like one.

    It is pickled into each worker of a collection. An object says in its attribute `settings` (JSON values)
    what a store must say of it, such as the predictor that it plans with.
    """

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """The next action; everything random in it comes from `rng`, or from a seed that it was made with.

        Args:
            observation: of the state as it is now.
            rng: one for a whole episode, or for all the choices of a trial.
            last: no other choice follows: the hand lifts whatever is chosen.
        """
        ...

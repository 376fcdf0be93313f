"""Collecting on-policy: a predictor's planner as the policy of a simulated collection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from visuotactile.datasets.policy import Choice
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import FORCE
from visuotactile.grasp.planning.policies import Observation
from visuotactile.grasp.planning.policy_spec import ObjectiveName, PolicySpec, SearchName
from visuotactile.grasp.predictor.loaded import one_thread

EPSILON = 0.2
"""Share of the regrasps that are drawn at random; the paper does not say whether any were.

What a planner takes for bad it never tries: without these, data would not tell where it is wrong.
"""


class EpsilonGreedy:
    """The planner's best action, but with probability ε any action (more_than_a_feeling, VI-C).

    What it does follows from the observation and the generator, whoever asks and in which process. It carries
    the folder's name and not its weights: each process reads these once, and computes on one thread.

    Attributes:
        settings: what a store says of it, JSON values. The folder's name is not among them: it may be moved.
    """

    def __init__(
        self,
        predictor: str | os.PathLike[str],
        epsilon: float = EPSILON,
        objective: ObjectiveName = "success",
        search: SearchName = "random",
    ) -> None:
        """
        Args:
            predictor: a folder that `visuotactile export` made; it must stay what it is.
            epsilon: probability of an action drawn uniformly from the predictor's action space.
            objective: what is best: the likeliest success, or the least force with which it is likely.
            search: how that is looked for; the paper's 4,900 + 100 by default.

        Raises:
            PlanError: `epsilon` is no probability, or a name is unknown.
            EncoderError: the folder holds no predictor.
        """
        check_epsilon(epsilon)
        self.epsilon = epsilon
        self._spec = PolicySpec(
            kind="planner", predictors=(os.path.abspath(predictor),), objective=objective, search=search
        )
        self._planner = self._spec.settings()
        self.settings: Mapping[str, Any] = {"epsilon": epsilon, **self._planner}

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """The next action.

        Args:
            observation: images at STREAM/PHASE, `pose` [4] and `force` [1], as `visuotactile/Grasp-v0` has
                them.
            rng: of the candidates and of the exploration.

        Raises:
            EncoderError: the folder holds another predictor by now.
            ContractError: the predictor looks at something that the observation lacks.
        """
        seed = int(rng.integers(2**63))
        policy, space = self._spec.build(seed, self._planner)
        if rng.random() < self.epsilon:
            return Choice(space.named(space.sample(1, torch.Generator().manual_seed(seed))[0]))
        pose = np.concatenate([observation["pose"], observation[FORCE]]).astype(np.float32)
        with one_thread():
            return Choice(policy.choose({**observation, "pose": pose}, last=last).action)


def check_epsilon(epsilon: float) -> None:
    """Raise `PlanError` unless it is a probability."""
    if not 0 <= epsilon <= 1:
        raise PlanError(f"epsilon is {epsilon}; expected a probability, such as {EPSILON}")

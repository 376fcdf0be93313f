"""On-policy collection: a predictor's planner as the policy of a collection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from visuotactile.datasets.policy import Choice, Observation
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.policy_spec import PolicySpec, SearchName, one_thread

EPSILON = 0.2
"""Share of random regrasps; the paper mentions none.

A planner never tries actions with a low prediction: without random ones, the data would not show its errors.
"""


class EpsilonGreedy:
    """The planner's best action, but with probability ε a random one (more_than_a_feeling, VI-C).

    Its choices depend on the observation and the generator alone, in any process. It is pickled without the
    weights: each process reads these once, and computes on one thread.

    Attributes:
        settings: JSON values for the store, without the predictor's folder, which may be moved.
    """

    def __init__(
        self,
        predictor: str | os.PathLike[str],
        epsilon: float = EPSILON,
        objective: str = "",
        search: SearchName = "random",
    ) -> None:
        """
        Args:
            predictor: folder of the predictor, which must not change.
            epsilon: share of the planner's regrasps that are drawn at random.
            objective: objective of the planner: an outcome, whose probability is maximised, or
                least_DIMENSION of the action. By default the main outcome.
            search: search of the planner; the paper's 4,900 + 100 candidates are random.

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
        """Choose the planner's action, or a random one.

        Raises:
            EncoderError: the predictor has changed.
            ContractError: the observation lacks an input of the predictor.
        """
        seed = int(rng.integers(2**63))
        policy = self._spec.build_planner(seed, self._planner)
        if rng.random() < self.epsilon:
            space = ActionSpace.of(policy.embodiment)
            return Choice(space.named(space.sample(1, torch.Generator().manual_seed(seed))[0]))
        with one_thread():
            return policy(observation, rng, last=last)


def check_epsilon(epsilon: float) -> None:
    """Raise `PlanError` unless it is a probability."""
    if not 0 <= epsilon <= 1:
        raise PlanError(f"epsilon is {epsilon}; expected a probability, such as {EPSILON}")

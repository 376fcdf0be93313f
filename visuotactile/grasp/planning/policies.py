"""Policies for any embodiment: planner, random regrasp, first grasp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.policy import Choice, Observation, Policy
from visuotactile.grasp.embodiments import hand_entries, present_hand
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.planner import Decision, Planner


@dataclass(frozen=True, kw_only=True)
class PlannedChoice(Choice):
    """A planner's choice, with all its candidates."""

    decision: Decision


@dataclass(frozen=True)
class PlannerPolicy:
    """Regrasp until the outcomes are likely enough, then lift (more_than_a_feeling, VI-B).

    Until then the hand moves, even where staying is the best candidate, since staying would give the same
    observation again.

    Args:
        planner: planner of the actions.
        above: outcome → calibrated probability after the action, above which all must be for a lift; by
            default the predictor's main outcome above 0.9.
        generator: generator of the candidates, on the predictor's device; None draws a new one from the
            episode's generator for each choice, on the CPU.
    """

    planner: Planner
    above: Mapping[str, float] | None = None
    generator: torch.Generator | None = None

    def __call__(
        self, observation: Observation, rng: np.random.Generator, /, last: bool = False
    ) -> PlannedChoice:
        """Choose the planner's best action, and a lift if the outcomes are likely enough."""
        generator = self.generator or torch.Generator().manual_seed(int(rng.integers(2**63)))
        batch = {
            name: torch.from_numpy(np.array(value)[None]).to(generator.device)
            for name, value in observation.items()
        }
        decision = self.planner.decide(batch, generator)
        scores = self.planner.scores
        above = self.above or {scores.outcomes[0]: 0.9}
        sure = all(decision.probability(name).item() > least for name, least in above.items())
        if decision.stays.item() and not (sure or last):
            decision = decision.moving()
        action = ActionSpace.of(scores.embodiment).named(decision.action[0])
        return PlannedChoice(action, sure, decision=decision)

    @property
    def embodiment(self) -> Embodiment:
        """Embodiment of the predictor."""
        return self.planner.scores.embodiment

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the required observations."""
        return self.planner.scores.inputs


@dataclass(frozen=True)
class RandomRegrasp:
    """One uniformly random regrasp, then the lift, as in the paper's data collection (V).

    Args:
        embodiment: embodiment of the robot.
        generator: generator of the actions; None draws them from the episode's.
    """

    embodiment: Embodiment
    generator: torch.Generator | None = None

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """Choose a random action and the lift."""
        space = ActionSpace.of(self.embodiment)
        generator = self.generator or torch.Generator().manual_seed(int(rng.integers(2**63)))
        return Choice(space.named(space.sample(1, generator)[0].cpu()))


@dataclass(frozen=True)
class FirstGrasp:
    """Lift of the first grasp, unchanged: the baseline of regrasping.

    Args:
        embodiment: embodiment of the robot; it must observe every dimension of its hand.
    """

    embodiment: Embodiment

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """Stay with the present hand, clipped to the bounds of an action, and lift."""
        space = ActionSpace.of(self.embodiment)
        action = self.embodiment.stay(present_hand(self.embodiment, observation))
        still = torch.tensor([action[name] for name in space.names])
        return Choice(space.named(space.clip(still)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the vectors that observe the hand."""
        return tuple(dict.fromkeys(vector for vector, _ in hand_entries(self.embodiment).values()))


@dataclass(frozen=True)
class Baseline:
    """Baseline policy, without planning.

    Attributes:
        title: title of its row in a report.
        description: description of the policy, with its options in braces.
        make: factory from the embodiment, the generator and the options.
        options: options with their defaults.
    """

    title: str
    description: str
    make: Callable[..., Policy]
    options: Mapping[str, float] = field(default_factory=dict)


BASELINES: Mapping[str, Baseline] = {
    "random": Baseline(
        "random regrasp", "one regrasp, any of them with equal chance, then the lift", RandomRegrasp
    ),
    "first": Baseline(
        "first grasp", "the first grasp lifted as it is", lambda embodiment, generator: FirstGrasp(embodiment)
    ),
}
"""Baselines for any embodiment."""

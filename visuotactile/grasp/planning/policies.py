"""Policies: from what a robot sees and feels to its next grasp, and whether to lift then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import FORCE, REGRASP, ActionSpace
from visuotactile.grasp.planning.planner import Decision, Planner
from visuotactile.grasp.predictor.network import CYLINDER, POSE

Observation = Mapping[str, npt.NDArray[Any]]
"""What one robot knows: images [H, W, 3] at STREAM/PHASE, and `pose` float32 [5] as in `predictor.POSE`.

A robot whose camera has depth may add `cylinder` float32 [4]: x, y, radius and height, in metres, of an
upright cylinder about the object, in the pose's frame.
"""


@dataclass(frozen=True)
class Choice:
    """What a policy wants next.

    Attributes:
        action: the numbers of an action by name.
        lift: whether to lift once the fingers have closed.
        decision: the planner's, with all its candidates, where there was one.
    """

    action: Mapping[str, float]
    lift: bool
    decision: Decision | None = None

    @property
    def stays(self) -> bool:
        """Whether the fingers stay where they are and only the force changes."""
        return not any(value for name, value in self.action.items() if name != FORCE)


class Policy(Protocol):
    """Chooses the next grasp."""

    def choose(self, observation: Observation, last: bool = False) -> Choice:
        """The next grasp, from the present one; the `last` is lifted in any case."""
        ...


@dataclass(frozen=True)
class PlannerPolicy:
    """Regrasp until success is likely enough, then lift (more_than_a_feeling, VI-B).

    While it is not likely enough the hand moves on, even where staying is the likelier success: it would see
    and feel the same again, and wait for ever.

    Args:
        planner: chooses the actions.
        generator: of its candidates, on the device where the predictor lies.
        above: lift when the calibrated probability of `outcome` after the action is above this one.
        outcome: what must be likely.
    """

    planner: Planner
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    above: float = 0.9
    outcome: str = "success"

    def choose(self, observation: Observation, last: bool = False) -> Choice:
        """The planner's best action, and a lift if it is expected to hold."""
        batch = {
            name: torch.from_numpy(np.array(value)[None]).to(self.generator.device)
            for name, value in observation.items()
        }
        decision = self.planner.decide(batch, self.generator)
        sure = decision.probability(self.outcome).item() > self.above
        if not (sure or last):
            decision = decision.moving()
        return Choice(self.planner.scores.action_space.named(decision.action[0]), sure, decision)


@dataclass(frozen=True)
class CylinderFitting:
    """Grasp the centre of a cylinder about the object, at one force (more_than_a_feeling's baseline, VI-B).

    Where the centre is further than one regrasp reaches, it takes several, and lifts after the last.

    Args:
        force: newtons; the paper's 10 by default.
        space: of the actions.
    """

    force: float = 10.0
    space: ActionSpace = REGRASP

    def choose(self, observation: Observation, last: bool = False) -> Choice:
        """Towards the centre; raises `PlanError` when the observation has no cylinder."""
        if "cylinder" not in observation:
            raise PlanError(
                f"the observation lacks cylinder [{len(CYLINDER)}]: {', '.join(CYLINDER)}, in metres; "
                "fit one to the depth image in the robot's observe(), or take another policy"
            )
        x, y, _, height = (float(value) for value in observation["cylinder"])
        here = dict(zip(POSE, observation["pose"].tolist(), strict=True))
        motion = {"dx": x - here["x"], "dy": y - here["y"], "dz": height / 2 - here["z"], "dyaw": 0.0}
        wanted = torch.tensor([{**motion, FORCE: self.force}[name] for name in self.space.names])
        action = self.space.clip(wanted)
        return Choice(self.space.named(action), lift=bool(torch.equal(action, wanted)))


@dataclass(frozen=True)
class RandomRegrasp:
    """One regrasp, any of them with equal chance, then lift: how the paper collected its data (V)."""

    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    space: ActionSpace = REGRASP

    def choose(self, observation: Observation, last: bool = False) -> Choice:
        """Without a look."""
        return Choice(self.space.named(self.space.sample(1, self.generator)[0].cpu()), lift=True)


@dataclass(frozen=True)
class FirstGrasp:
    """Lift the grasp as it is, however it came about: what regrasping is measured against."""

    space: ActionSpace = REGRASP

    def choose(self, observation: Observation, last: bool = False) -> Choice:
        """Stay, with the present force, brought within what can be asked for."""
        force = float(observation["pose"][POSE.index(FORCE)])
        still = torch.tensor([force if name == FORCE else 0.0 for name in self.space.names])
        return Choice(self.space.named(self.space.clip(still)), lift=True)

"""Policies and adapters for parallel grippers: the cylinder baseline, and robots with four methods.

A parallel gripper's hand has one dimension, the `force` of its fingers in newtons. Such a robot may observe,
as the vector `cylinder`, an upright cylinder fitted to a depth image of the object: x, y, radius and height,
in metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from visuotactile.datasets.embodiment import POSE, Embodiment
from visuotactile.datasets.policy import Choice, Observation
from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.objectives import Constrained, Least
from visuotactile.grasp.planning.policies import Baseline

FORCE, CYLINDER = "force", "cylinder"

LEAST_FORCE = Constrained(Least(FORCE), outcome="success", above=0.9)
"""The least force with which success is above 0.9, else the likeliest success (more_than_a_feeling, VI-D)."""


@dataclass(frozen=True)
class CylinderFitting:
    """Grasp at the centre of the cylinder around the object, at a fixed force (more_than_a_feeling, VI-B).

    If the centre is beyond the reach of one regrasp, it takes several, and lifts after the last.

    Args:
        embodiment: embodiment of the robot, which observes its pose and the cylinder.
        force: force of the fingers, newtons; by default the paper's.
    """

    embodiment: Embodiment
    force: float = 10.0

    def __call__(self, observation: Observation, rng: np.random.Generator, /, last: bool = False) -> Choice:
        """Move towards the centre; raises `PlanError` if the observation has no cylinder."""
        if CYLINDER not in observation:
            raise PlanError(
                "the observation lacks cylinder [4]: x, y, radius, height, in metres; fit one to the depth "
                "image in the robot's observe(), or take another policy"
            )
        seen, here = (self._named(observation, name) for name in (CYLINDER, POSE))
        motion = {
            "dx": seen["x"] - here["x"],
            "dy": seen["y"] - here["y"],
            "dz": seen["height"] / 2 - here["z"],
            "dyaw": 0.0,
        }
        space = ActionSpace.of(self.embodiment)
        wanted = torch.tensor([{**motion, FORCE: self.force}[name] for name in space.names])
        action = space.clip(wanted)
        return Choice(space.named(action), lift=bool(torch.equal(action, wanted)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the required observations."""
        return POSE, CYLINDER

    def _named(self, observation: Observation, name: str) -> dict[str, float]:
        entries = self.embodiment.vector(name).names
        return dict(zip(entries, observation[name].tolist(), strict=True))


BASELINES: Mapping[str, Baseline] = {
    "cylinder": Baseline(
        "cylinder fitting",
        "the centre of a cylinder fitted to the depth image, at {force:.0f} N",
        lambda embodiment, generator, force: CylinderFitting(embodiment, force),
        {"force": 10.0},
    )
}


class FourMethods(Protocol):
    """Interface of a parallel gripper with four methods. Units are metres, radians and newtons."""

    def observe(self) -> Mapping[str, npt.NDArray[Any]]:
        """Images and vectors; `pose` may be x, y, z, yaw and force in one."""
        ...

    def move(self, *, dx: float, dy: float, dz: float, dyaw: float) -> None:
        """Open the fingers and move relative to the pose, in its axes."""
        ...

    def grip(self, force: float) -> None:
        """Close to this force; if closed already, change the force alone."""
        ...

    def lift(self) -> bool:
        """Lift and hold; True if the object is still in the hand at the end."""
        ...


class GripperRobot:
    """Adapter of a robot with four methods (`observe`, `move`, `grip`, `lift`) to `Robot`.

    A pose of five numbers is divided into `pose` and `force`.
    """

    def __init__(self, arm: FourMethods, embodiment: Embodiment) -> None:
        """
        Args:
            arm: robot with the four methods.
            embodiment: its embodiment, with a hand of `force` alone; `lift` gives the main outcome.

        Raises:
            PlanError: the hand has other dimensions than a force.
        """
        if [each.name for each in embodiment.hand] != [FORCE]:
            raise PlanError(
                f"the hand of {embodiment.name} has {', '.join(each.name for each in embodiment.hand)}; "
                "four methods drive a gripper, whose hand is a force"
            )
        self.arm, self.embodiment = arm, embodiment

    def observe(self) -> Observation:
        """The arm's observation, with separate pose and force.

        Raises:
            PlanError: the observation has no force.
        """
        seen = dict(self.arm.observe())
        if FORCE in seen:
            return seen
        pose = np.asarray(seen[POSE], np.float32)
        if len(pose) != len(self.embodiment.vector(POSE)) + 1:
            raise PlanError(
                f"observe() gives a pose of {len(pose)} numbers and no force; add the present force to it, "
                "or as a vector of its own"
            )
        return seen | {POSE: pose[:-1], FORCE: pose[-1:]}

    def act(self, action: Mapping[str, float]) -> None:
        """Move, unless the wrist stays, and grip."""
        if not self.embodiment.stays(action):
            self.arm.move(**{name: value for name, value in action.items() if name != FORCE})
        self.arm.grip(action[FORCE])

    def lift(self) -> Mapping[str, float]:
        """The main outcome, from the arm's lift."""
        return {self.embodiment.outcomes[0]: float(self.arm.lift())}

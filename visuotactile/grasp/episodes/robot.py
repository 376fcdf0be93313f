"""The closed loop, and the four methods through which a policy drives a robot.

A real robot needs a class with the methods of `Robot`, and inherits nothing; for an environment of Gymnasium
there is `EnvRobot`. In full, with a robot that only says what it does:

>>> import numpy as np
>>> class Arm:
...     hand = {"x": 0.0, "y": 0.0, "z": 0.03, "yaw": 0.0, "force": 5.0}
...     def observe(self):  # your cameras and sensors: here also "rgb/during", "tactile_left/during", …
...         return {"pose": np.array(list(self.hand.values()), np.float32),
...                 "cylinder": np.array([0.01, 0.0, 0.02, 0.08], np.float32)}
...     def move(self, *, dx, dy, dz, dyaw):
...         print(f"open, move by {1000 * dx:.0f}, {1000 * dy:.0f}, {1000 * dz:.0f} mm")
...     def grip(self, force):
...         print(f"close until {force:.0f} N")
...     def lift(self):
...         print("lift, and look whether it is still there")
...         return True
>>> from visuotactile.grasp.planning.policies import CylinderFitting
>>> run_episode(Arm(), CylinderFitting()).success
open, move by 10, 0, 10 mm
close until 10 N
lift, and look whether it is still there
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from visuotactile.errors import PlanError
from visuotactile.grasp.planning.actions import FORCE, REGRASP, ActionSpace
from visuotactile.grasp.planning.policies import Choice, Observation, Policy

if TYPE_CHECKING:
    import gymnasium

MAX_REGRASPS = 10


class Robot(Protocol):
    """A hand that holds something, and could hold it better. Metres, radians, newtons."""

    def observe(self) -> Observation:
        """What is seen and felt now: images at STREAM/before (hand away) and STREAM/during, and the pose."""
        ...

    def move(self, *, dx: float, dy: float, dz: float, dyaw: float) -> None:
        """Open the fingers and move by so much along the axes in which the pose is given."""
        ...

    def grip(self, force: float) -> None:
        """Close until the fingers press so hard; if they are closed, change the force and nothing else."""
        ...

    def lift(self) -> bool:
        """Lift and hold; whether the object is still in the hand at the end."""
        ...


@dataclass(frozen=True)
class Step:
    """One turn of the loop.

    Attributes:
        observation: what the policy was given.
        choice: what it chose.
        lifted: whether a lift followed, by choice or because no regrasp was left.
    """

    observation: Observation
    choice: Choice
    lifted: bool


@dataclass(frozen=True)
class Episode:
    """From a first grasp to a lift.

    Attributes:
        steps: every turn; the last of them alone was lifted.
        success: whether the object was held.
    """

    steps: tuple[Step, ...]
    success: bool

    @property
    def regrasps(self) -> int:
        """How often the fingers were opened and moved."""
        return sum(not step.choice.stays for step in self.steps)

    @property
    def force(self) -> float:
        """Newtons with which the object was lifted."""
        return self.steps[-1].choice.action[FORCE]


def run_episode(
    robot: Robot, policy: Policy, max_regrasps: int = MAX_REGRASPS, space: ActionSpace = REGRASP
) -> Episode:
    """Let the policy regrasp until it wants to lift, at most `max_regrasps` times, and lift.

    Args:
        robot: holds the object in a first grasp.
        policy: chooses.
        max_regrasps: how many choices it has; what the last of them made is lifted, wanted or not.
        space: what may be asked of this robot.

    Raises:
        PlanError: no choice was left to begin with, or the policy chose what is out of bounds; the robot is
            not asked to do it.
    """
    if max_regrasps < 1:
        raise PlanError(f"max_regrasps is {max_regrasps}; expected at least 1")
    steps: list[Step] = []
    for left in reversed(range(max_regrasps)):
        seen = robot.observe()
        choice = policy.choose(seen, last=not left)
        space.action(choice.action)
        lift = choice.lift or not left
        steps.append(Step(seen, choice, lift))
        if not choice.stays:
            motion = {name: value for name, value in choice.action.items() if name != FORCE}
            robot.move(**motion)
        robot.grip(choice.action[FORCE])
        if lift:
            break
    return Episode(tuple(steps), robot.lift())


ENV_ACTION = ("dx", "dy", "dz", "dyaw", "force", "lift")
"""What `EnvRobot` sends: a motion, a force, and whether to lift, 1 or −1."""


class EnvRobot:
    """A robot in a Gymnasium environment such as `visuotactile/Grasp-v0`, through that interface alone.

    One step of the environment is a whole regrasp, so that a motion and a grip wait until what comes of them
    is looked at or lifted. Call `reset` before each episode.

    Its observations are the environment's, with the hand's `pose` [4] and its `force` [1] joined to a pose
    [5].
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """
        Args:
            env: takes `ENV_ACTION`, ends with a lift, and rewards an object that is held then.
        """
        self.env = env
        self._seen: Observation | None = None
        self._motion, self._force, self._pending = np.zeros(4), 0.0, False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Begin an episode, with the object grasped for the first time; returns the environment's `info`."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._motion, self._pending = np.zeros(4), False
        self._look(observation)
        return info

    def observe(self) -> Observation:
        """What is seen and felt after the last grip."""
        if self._pending and self._step(lift=False)[1]:
            self._seen = None
            raise PlanError(
                "the environment ended its episode before a lift; allow no more regrasps than it allows steps"
            )
        return self._present()

    def move(self, *, dx: float, dy: float, dz: float, dyaw: float) -> None:
        """Open and move, together with the next grip."""
        self._present()
        self._motion = self._motion + np.array([dx, dy, dz, dyaw])

    def grip(self, force: float) -> None:
        """Close so hard; a grip that waits is carried out first."""
        if self._pending:
            self.observe()
        self._force, self._pending = force, True

    def lift(self) -> bool:
        """Lift, and say whether the object is held; the episode is over."""
        self._present()
        reward, ended = self._step(lift=True)
        self._seen = None
        if not ended:
            raise PlanError(
                "the environment went on after a lift; EnvRobot needs one in which a lift ends the episode"
            )
        return reward > 0

    def _present(self) -> Observation:
        if self._seen is None:
            raise PlanError("there is no grasp to look at or to change; call reset() before each episode")
        return self._seen

    def _step(self, *, lift: bool) -> tuple[float, bool]:
        action = np.array([*self._motion, self._force, 1 if lift else -1], np.float32)
        observation, reward, terminated, truncated, _ = self.env.step(action)
        self._motion, self._pending = np.zeros(4), False
        self._look(observation)
        return float(reward), terminated or truncated

    def _look(self, observation: Mapping[str, Any]) -> None:
        seen = {name: np.asarray(value) for name, value in observation.items() if name != FORCE}
        seen["pose"] = np.concatenate([seen["pose"], np.asarray(observation[FORCE])]).astype(np.float32)
        self._force = float(seen["pose"][-1])
        self._seen = seen

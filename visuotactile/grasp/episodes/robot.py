"""The closed loop, and the interface through which a policy drives a robot.

A real robot needs a class with the members of `Robot`, and inherits nothing; for an environment of Gymnasium
there is `EnvRobot`. In full, with a robot that only prints what it does:

>>> import numpy as np
>>> from visuotactile.datasets.embodiment import Dimension, Embodiment, Vector
>>> joint = Dimension("joint", "rad", 0.0, 1.5)
>>> class Arm:
...     embodiment = Embodiment(
...         name="arm", motion=(Dimension("dx", "m", -0.02, 0.02),), hand=(joint,),
...         vectors=(Vector("joints", (joint,)),), outcomes=("stable",),
...     )
...     joint = 0.7
...     def observe(self):  # your cameras and sensors: here also "rgb/during", "tactile_left/during", …
...         return {"joints": np.array([self.joint], np.float32)}
...     def act(self, action):
...         if action["dx"]:
...             print(f"open, move by {1000 * action['dx']:.0f} mm")
...         self.joint = action["joint"]
...         print(f"close to {self.joint:.1f} rad")
...     def lift(self):
...         print("lift, and look whether it is still there")
...         return {"stable": 1.0}
>>> from visuotactile.grasp.planning.policies import FirstGrasp
>>> run_episode(Arm(), FirstGrasp(Arm.embodiment)).outcomes
close to 0.7 rad
lift, and look whether it is still there
{'stable': 1.0}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.policy import Choice, Observation, Policy
from visuotactile.errors import PlanError
from visuotactile.grasp.embodiments import present_hand
from visuotactile.grasp.planning.actions import ActionSpace

if TYPE_CHECKING:
    import gymnasium

MAX_REGRASPS = 10


class Robot(Protocol):
    """A hand that holds something, and could hold it better."""

    @property
    def embodiment(self) -> Embodiment:
        """Declaration of the robot's action, observation and outcomes."""
        ...

    def observe(self) -> Observation:
        """The present view: images at STREAM/before (hand away) and STREAM/during, and the vectors."""
        ...

    def act(self, action: Mapping[str, float]) -> None:
        """Open the hand, move the wrist and close; where all motions are 0, change the closed hand alone."""
        ...

    def lift(self) -> Mapping[str, float]:
        """Lift and hold; each outcome by name, 1 or 0."""
        ...


@dataclass(frozen=True)
class Step:
    """One turn of the loop.

    Attributes:
        observation: given to the policy.
        choice: of the policy.
        stays: whether the wrist stays and only the hand changes.
        lifted: whether a lift followed, by choice or because no regrasp was left.
    """

    observation: Observation
    choice: Choice
    stays: bool
    lifted: bool


@dataclass(frozen=True)
class Episode:
    """From a first grasp to a lift.

    Attributes:
        steps: every turn; the last of them alone was lifted.
        outcomes: of the lift, by name.
    """

    steps: tuple[Step, ...]
    outcomes: Mapping[str, float]

    @property
    def regrasps(self) -> int:
        """Number of times that the hand was opened and moved."""
        return sum(not step.stays for step in self.steps)

    @property
    def action(self) -> Mapping[str, float]:
        """The last action, whose grasp was lifted, by dimension."""
        return self.steps[-1].choice.action


def run_episode(
    robot: Robot, policy: Policy, max_regrasps: int = MAX_REGRASPS, rng: np.random.Generator | None = None
) -> Episode:
    """Let the policy regrasp until it wants to lift, at most `max_regrasps` times, and lift.

    Args:
        robot: holds the object in a first grasp.
        policy: chooses.
        max_regrasps: how many choices it has; the grasp of the last of them is lifted, wanted or not.
        rng: of what is random in the policy; that of seed 0 by default.

    Raises:
        PlanError: no choice was left to begin with, or the policy chose an action out of bounds; the robot is
            not given it.
    """
    if max_regrasps < 1:
        raise PlanError(f"max_regrasps is {max_regrasps}; expected at least 1")
    rng = rng or np.random.default_rng(0)
    space = ActionSpace.of(robot.embodiment)
    steps: list[Step] = []
    for left in reversed(range(max_regrasps)):
        seen = robot.observe()
        choice = policy(seen, rng, last=not left)
        stays = bool(space.stays(space.action(choice.action)))
        lift = choice.lift or not left
        steps.append(Step(seen, choice, stays, lift))
        robot.act(choice.action)
        if lift:
            break
    return Episode(tuple(steps), robot.lift())


class EnvRobot:
    """A robot in a Gymnasium environment such as `visuotactile/Grasp-v0`, through that interface alone.

    One step of the environment is a whole regrasp, so that an action waits until its result is looked at or
    lifted. Call `reset` before each episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """
        Args:
            env: with an `embodiment`; takes the numbers of its action and whether to lift, 1 or −1; ends with
                a lift, and gives the `outcomes` in `info` then.

        Raises:
            PlanError: the environment declares no embodiment.
        """
        self.env, self.embodiment = env, env_embodiment(env)
        self._seen: Observation | None = None
        self._action: Mapping[str, float] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Begin an episode, with the object grasped for the first time; returns the environment's `info`."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._action = None
        self._look(observation)
        return info

    def observe(self) -> Observation:
        """The view after the last action."""
        if self._action is not None and self._step(lift=False)[1]:
            self._seen = None
            raise PlanError(
                "the environment ended its episode before a lift; allow no more regrasps than it allows steps"
            )
        return self._present()

    def act(self, action: Mapping[str, float]) -> None:
        """Regrasp; an action that waits is carried out first."""
        self._present()
        if self._action is not None:
            self.observe()
        self._action = dict(action)

    def lift(self) -> Mapping[str, float]:
        """Lift, and tell the outcomes; the episode is over."""
        self._present()
        info, ended = self._step(lift=True)
        self._seen = None
        if not ended:
            raise PlanError(
                "the environment went on after a lift; EnvRobot needs one in which a lift ends the episode"
            )
        outcomes = info.get("outcomes", {})
        missing = [name for name in self.embodiment.outcomes if name not in outcomes]
        if missing:
            raise PlanError(
                f"after a lift info['outcomes'] of the environment lacks {missing[0]!r}, which its "
                f"embodiment declares; it has {', '.join(outcomes) or 'nothing'}"
            )
        return {name: float(outcomes[name]) for name in self.embodiment.outcomes}

    def _present(self) -> Observation:
        if self._seen is None:
            raise PlanError("there is no grasp to look at or to change; call reset() before each episode")
        return self._seen

    def _step(self, *, lift: bool) -> tuple[Mapping[str, Any], bool]:
        action = self._action
        if action is None:  # hold on, as the hand is
            motion = dict.fromkeys((each.name for each in self.embodiment.motion), 0.0)
            action = motion | present_hand(self.embodiment, self._present())
        numbers = [action[each.name] for each in self.embodiment.action]
        observation, _, terminated, truncated, info = self.env.step(
            np.array([*numbers, 1 if lift else -1], np.float32)
        )
        self._action = None
        self._look(observation)
        return info, terminated or truncated

    def _look(self, observation: Mapping[str, Any]) -> None:
        self._seen = {name: np.asarray(value) for name, value in observation.items()}


def env_embodiment(env: gymnasium.Env[Any, Any]) -> Embodiment:
    """The embodiment that an environment declares; raises `PlanError` if it declares none."""
    found = getattr(env.unwrapped, "embodiment", None)
    if not isinstance(found, Embodiment):
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        raise PlanError(
            f"{name} declares no embodiment; give the environment an attribute `embodiment`, a "
            "visuotactile.datasets.embodiment.Embodiment"
        )
    return found

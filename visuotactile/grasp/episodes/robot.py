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
from dataclasses import dataclass, field
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
    """Interface of a robot that holds an object and can regrasp it."""

    @property
    def embodiment(self) -> Embodiment:
        """Declaration of the robot's action, observation and outcomes."""
        ...

    def observe(self) -> Observation:
        """Current observation: images at STREAM/before (hand away) and STREAM/during, and vectors."""
        ...

    def act(self, action: Mapping[str, float]) -> None:
        """Open the hand, move the wrist and close; if all motions are 0, change the closed hand alone."""
        ...

    def lift(self) -> Mapping[str, float]:
        """Lift and hold; each outcome by name, 1 or 0."""
        ...


@dataclass(frozen=True)
class Step:
    """One turn of the loop.

    Attributes:
        observation: observation of the policy.
        choice: choice of the policy.
        stays: the wrist stays and only the hand changes.
        lifted: a lift followed, by choice or because no regrasp was left.
    """

    observation: Observation
    choice: Choice
    stays: bool
    lifted: bool


@dataclass(frozen=True)
class Episode:
    """Episode from a first grasp to a lift.

    Attributes:
        steps: all turns; only the last was lifted.
        outcomes: outcomes of the lift, by name.
        aftermath: streams at STREAM/PHASE that show the outcomes, for people; empty unless asked for.
    """

    steps: tuple[Step, ...]
    outcomes: Mapping[str, float]
    aftermath: Observation = field(default_factory=dict)

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
    """Let the policy regrasp until it chooses to lift, at most `max_regrasps` times, and lift.

    Args:
        robot: robot that holds the object in a first grasp.
        policy: policy of the choices.
        max_regrasps: maximum number of choices; after the last, the hand lifts in any case.
        rng: generator of the policy; by default of seed 0.

    Raises:
        PlanError: `max_regrasps` is below 1, or the policy chose an action out of bounds, which is not
            executed.
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
    """A robot in a Gymnasium environment such as `visuotactile/Grasp-v0`.

    One step of the environment is a whole regrasp, so an action is deferred until it is observed or lifted.
    Call `reset` before each episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """
        Args:
            env: environment with an `embodiment`; its action ends with the lift, 1 or −1; an episode ends
                with a lift, and then has `outcomes` in `info`.

        Raises:
            PlanError: the environment declares no embodiment.
        """
        self.env, self.embodiment = env, env_embodiment(env)
        self._seen: Observation | None = None
        self._action: Mapping[str, float] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start an episode with its first grasp; returns the environment's `info`."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._action = None
        self._look(observation)
        return info

    def observe(self) -> Observation:
        """Observation after the last action."""
        if self._action is not None and self._step(lift=False)[1]:
            self._seen = None
            raise PlanError(
                "the environment ended its episode before a lift; allow no more regrasps than it allows steps"
            )
        return self._present()

    def act(self, action: Mapping[str, float]) -> None:
        """Regrasp, after any deferred action."""
        self._present()
        if self._action is not None:
            self.observe()
        self._action = dict(action)

    def lift(self) -> Mapping[str, float]:
        """Lift, which ends the episode; returns the outcomes."""
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
        if action is None:  # stay, with the hand unchanged
            action = self.embodiment.stay(present_hand(self.embodiment, self._present()))
        numbers = [action[each.name] for each in self.embodiment.action]
        observation, _, terminated, truncated, info = self.env.step(
            np.array([*numbers, 1 if lift else -1], np.float32)
        )
        self._action = None
        self._look(observation)
        return info, terminated or truncated

    def _look(self, observation: Mapping[str, Any]) -> None:
        seen = {name: np.asarray(value) for name, value in observation.items()}
        for name, value in seen.items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                shown = np.array2string(value, threshold=8)
                raise PlanError(f"the environment observes {name} as {shown}; expected finite numbers")
        self._seen = seen


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

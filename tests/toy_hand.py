"""A second embodiment for the tests: a hand of three joints, simulated by a few lines, in no time.

Things on a shelf differ in colour: the redder, the sturdier, so the harder one must and may squeeze. What is
squeezed by `squeeze`, the mean angle of the joints, at a `distance` of the wrist from the thing's middle, is

    stable   where squeeze > 0.2 + 0.3 · red and distance < 0.03 m
    gentle   where squeeze < 0.5 + 0.3 · red

A camera shows the colour and where the thing is; a microphone hears a hum at `between` that rises with the
squeeze, and a crunch at `closing` where the grasp is not gentle, from which `gentle` is labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE, Dimension, Embodiment, Stream, Vector
from visuotactile.datasets.policy import Observation, Policy
from visuotactile.datasets.spaces import LIFT, action_space, named_action, observation_space
from visuotactile.datasets.trial import Trial

TOY_HAND = "tests/ToyHand-v0"

SIDE, SAMPLES, RATE = 16, 64, 800.0
SETS = {"shelf": tuple(f"toy-{number}" for number in range(8))}
JOINTS = tuple(Dimension(f"joint_{number}", "rad", 0.0, 1.0) for number in range(3))

EMBODIMENT = Embodiment(
    name="toy hand",
    motion=tuple(Dimension(name, "m", -0.02, 0.02) for name in ("dx", "dy")),
    hand=JOINTS,
    vectors=(
        Vector(POSE, tuple(Dimension(axis, "m", -0.5, 0.5) for axis in "xy")),
        Vector("joints", JOINTS),
    ),
    streams=(
        Stream("camera", "image", dict.fromkeys(("before", "between", "after"), (SIDE, SIDE, 3))),
        Stream("microphone", "sound", dict.fromkeys(("between", "closing"), (SAMPLES, 1)), RATE),
    ),
    phases={"before": "observation", "between": "observation", "closing": "outcome", "after": "outcome"},
    outcomes=("stable", "gentle"),
)


class Shelf:
    """One thing, and the hand about it; the same for the same generator.

    Attributes:
        thing: name of what is grasped.
        pose: float64 [2], where the wrist is.
        joints: float64 [3], angles.
    """

    def __init__(self, thing: str, rng: np.random.Generator) -> None:
        self.thing, self._rng = thing, rng
        self.red = (int(thing.rpartition("-")[2]) % 8) / 7
        self._place = rng.uniform(-0.1, 0.1, 2)
        self.pose, self.joints = self._place + rng.uniform(-0.03, 0.03, 2), rng.uniform(0, 1, 3)
        self._before = self._picture(hand=False)

    def act(self, action: Mapping[str, float]) -> None:
        """Move, and close so far."""
        action = EMBODIMENT.check_action(action)
        self.pose = self.pose + np.array([action["dx"], action["dy"]])
        self.joints = np.array([action[joint.name] for joint in JOINTS])

    def observe(self) -> dict[str, npt.NDArray[Any]]:
        """The observation that the embodiment declares."""
        return {
            "camera/before": self._before.copy(),
            "camera/between": self._picture(hand=True),
            "microphone/between": self._sound(8000 * self.joints.mean()),
            POSE: self.pose.astype(np.float32),
            "joints": self.joints.astype(np.float32),
        }

    def outcomes(self) -> dict[str, bool]:
        """Outcomes of a lift in the present state."""
        squeeze, distance = self.joints.mean(), np.hypot(*(self.pose - self._place))
        return {
            "stable": bool(squeeze > 0.2 + 0.3 * self.red and distance < 0.03),
            "gentle": bool(squeeze < 0.5 + 0.3 * self.red),
        }

    def closing(self) -> npt.NDArray[np.int16]:
        """The sound of the last grasp; it tells whether it was gentle."""
        return self._sound(1000.0 if self.outcomes()["gentle"] else 20000.0)

    def after(self) -> npt.NDArray[np.uint8]:
        """The hand in the air: black where it is empty."""
        return self._picture(hand=True) * np.uint8(self.outcomes()["stable"])

    def _picture(self, *, hand: bool) -> npt.NDArray[np.uint8]:
        """The thing's colour; a green spot where it is, seen from the wrist; a blue frame for the hand."""
        image = self._rng.integers(0, 20, (SIDE, SIDE, 3), dtype=np.uint8)
        image[..., 0] += np.uint8(200 * self.red)
        row, column = (np.clip(SIDE // 2 + (self._place - self.pose) * 200, 1, SIDE - 2)).astype(int)
        image[row - 1 : row + 2, column - 1 : column + 2, 1] = 230
        if hand:
            image[[0, -1], :, 2] = 230
        return image

    def _sound(self, loudness: float) -> npt.NDArray[np.int16]:
        return np.clip(self._rng.normal(0, loudness, (SAMPLES, 1)), -32768, 32767).astype(np.int16)


class ToyGrasps:
    """A collection of `trials` grasps with the toy hand, each of one regrasp by `policy`; a `Reader`."""

    name: ClassVar[str] = "toy-grasps"
    description: ClassVar[str] = "grasps of a toy hand"
    embodiment: ClassVar[Embodiment] = EMBODIMENT

    def __init__(
        self, trials: int = 64, objects: str = "shelf", policy: Policy | None = None, seed: int = 0
    ) -> None:
        self.objects, self.policy = _names(objects), policy
        self.settings: Mapping[str, Any] = {
            "trials": trials,
            "objects": objects,
            "policy": getattr(policy, "settings", None),
            "seed": seed,
        }
        self.names = tuple(f"grasp-{i:04d}" for i in range(trials))

    def __len__(self) -> int:
        """Number of grasps."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Grasp `i`, from (seed, i) alone."""
        rng = np.random.default_rng((self.settings["seed"], i))
        shelf = Shelf(self.objects[i % len(self.objects)], rng)
        seen = shelf.observe()
        action = self.policy(seen, rng).action if self.policy else EMBODIMENT.sample_action(rng)
        shelf.act(action)
        return Trial(
            name=self.names[i],
            streams={
                "camera": {
                    "before": seen["camera/before"],
                    "between": seen["camera/between"],
                    "after": shelf.after(),
                },
                "microphone": {"between": seen["microphone/between"], "closing": shelf.closing()},
            },
            object=shelf.thing,
            session=f"day-{i // 16}",
            outcomes={name: float(held) for name, held in shelf.outcomes().items()},
            action=action,
            vectors={
                vector.name: dict(zip(vector.names, seen[vector.name].tolist(), strict=True))
                for vector in EMBODIMENT.vectors
            },
            hidden={"red": shelf.red},
        )


class ToyHand(gymnasium.Env[Observation, Any]):
    """The toy hand as an environment; a lift ends an episode and is rewarded where it is stable."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    embodiment: ClassVar[Embodiment] = EMBODIMENT

    def __init__(self, objects: str = "shelf") -> None:
        self.objects = _names(objects)
        self.action_space: Any = action_space(EMBODIMENT)
        self.observation_space: Any = observation_space(EMBODIMENT)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Another thing, grasped somewhere."""
        super().reset(seed=seed)
        thing = (options or {}).get("object") or self.objects[self.np_random.integers(len(self.objects))]
        self._shelf = Shelf(thing, self.np_random)
        return self._shelf.observe(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Regrasp, and lift if the action says so."""
        named = named_action(EMBODIMENT, action)
        lifts = named.pop(LIFT.name) > 0
        self._shelf.act(named)
        outcomes = self._shelf.outcomes()
        info = {**self._info(), "outcomes": outcomes} if lifts else self._info()
        return self._shelf.observe(), float(lifts and outcomes["stable"]), lifts, False, info

    def _info(self) -> dict[str, Any]:
        return {"object": self._shelf.thing, "session": "today", "hidden": {"red": self._shelf.red}}


def _names(objects: str) -> tuple[str, ...]:
    return SETS[objects] if objects in SETS else tuple(objects.split(","))


gymnasium.register(TOY_HAND, entry_point="toy_hand:ToyHand", max_episode_steps=10)

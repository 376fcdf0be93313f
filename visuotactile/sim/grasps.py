"""Grasps as trials of a store: the paper's collection (more_than_a_feeling, section V), simulated."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from visuotactile.datasets.policy import Policy
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, SimulationError
from visuotactile.sim.collect import collect
from visuotactile.sim.hands.parallel import declaration
from visuotactile.sim.lab import SIDES, Lab, Streams
from visuotactile.sim.objects import object_names
from visuotactile.sim.session import TRIALS, Session

Action = Mapping[str, float]
Scheme = Literal["regrasp", "single"]
EXAMPLES: Mapping[str, tuple[str, ...]] = {"regrasp": ("regrasp", "released", "stay"), "single": ("stay",)}
"""Scheme → state–action pairs of one grasp.

- regrasp: observation of the first grasp, and the regrasp that followed.
- released: the same after the hand opened, before it moved.
- stay: observation of the last grasp, and the action of staying with the hand unchanged.

They share the outcome of the final lift.
"""


class Grasps:
    """Grasps and regrasps, seen by a camera and felt by the fingers.

    The same settings give the same trials, in any order and in any process.

    Grasp g depends on (seed, g) alone, in session g // 40, with its own pair of gels and surroundings, so a
    collection whose `first` is where another of the same seed ended continues that one.

    Under the scheme "regrasp" each grasp is closed at random, opened and moved once by the policy (opened
    even where the policy stays, since the released state is one of the examples), then lifted, and gives
    three trials; "single" closes once, lifts, and gives one. With `prior_regrasps` the policy first regrasps
    up to that many times, each number equally likely, to reach the states of a policy that regrasps until it
    is confident.

    Streams: `rgb` uint8 [S, S, 3] at before, during, after; `depth` uint16 [S, S] in 0.1 mm at before
    and during; `tactile_left`, `tactile_right` uint8 [120, 160, 3] at all four phases. `before` and `during`
    show the state; `lift` and `after` its consequence. Action: dx, dy, dz (metres), dyaw (radians),
    force (newtons, absolute). Vectors, of the state: `pose` of the hand, its `force`, and the `cylinder`
    around the object as the robot locates it (with the hand–eye calibration error `HAND_EYE`). Outcome:
    success. Columns: grasp (number), example, family, and the wear of each gel.
    """

    name: ClassVar[str] = "simulated-grasps"
    description: ClassVar[str] = "simulated grasps of a parallel gripper"

    def __init__(
        self,
        trials: int,
        objects: str = "train",
        scheme: Scheme = "regrasp",
        sensor: str = "gelsight",
        camera_size: int = 224,
        policy: str | Policy | None = None,
        seed: int = 0,
        first: int = 0,
        prior_regrasps: int = 0,
    ) -> None:
        """
        Args:
            trials: number of grasps.
            objects: train, easy, hard, or names joined by commas; each object gets an equal share.
            scheme: regrasp once before the lift, which gives three trials of each grasp; or lift the single
                grasp, which gives one.
            sensor: tactile sensor: gelsight or digit.
            camera_size: height and width of the camera's image, in pixels.
            policy: choice of the regrasps: a predictor's folder, for its planner, or MODULE:NAME of a
                function; by default at random.
            seed: seed of all random draws.
            first: number of the first grasp, to continue another collection.
            prior_regrasps: maximum number of regrasps before the recorded one.
        """
        if trials < 1 or seed < 0 or camera_size < 16 or first < 0:
            raise SimulationError(
                f"trials={trials}, seed={seed}, camera_size={camera_size}, first={first}; "
                "expected at least 1, 0, 16 and 0"
            )
        if prior_regrasps < 0 or (prior_regrasps and scheme == "single"):
            raise SimulationError(
                f"prior_regrasps is {prior_regrasps} and the scheme {scheme!r}; expected at least 0, and "
                "the scheme 'regrasp' for more"
            )
        if scheme not in EXAMPLES:
            raise SimulationError(f"scheme is {scheme!r}; expected one of {', '.join(EXAMPLES)}")
        Session.draw(seed, 0, sensor)  # refuses an unknown kind of sensor
        self.objects = object_names(objects)
        self.policy = load_policy(policy) if isinstance(policy, str) else policy
        self.embodiment = declaration(camera_size)
        self.first, self.prior_regrasps = first, prior_regrasps
        self.examples = EXAMPLES[scheme]
        self.settings: Mapping[str, Any] = {
            "trials": trials,
            "objects": objects,
            "scheme": scheme,
            "sensor": sensor,
            "camera_size": camera_size,
            "policy": self.policy and described(self.policy, policy),
            "seed": seed,
            # Omitted at their defaults, so that the store's bytes equal those of earlier versions.
            **({"first": first} if first else {}),
            **({"prior_regrasps": prior_regrasps} if prior_regrasps else {}),
        }
        numbers = range(first, first + trials)
        self.names = tuple(f"grasp-{g:06d}-{example}" for g in numbers for example in self.examples)
        self._made: tuple[int, list[Trial]] = (-1, [])

    def __len__(self) -> int:
        """Number of trials, several of which may share a grasp."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Trial `i`; trials of the same grasp are simulated once."""
        place, example = divmod(i, len(self.examples))
        grasp = self.first + place
        if self._made[0] != grasp:
            self._made = (grasp, self._simulate(grasp))
        return self._made[1][example]

    def object_of(self, grasp: int) -> str:
        """Object of a grasp: each in turn, in a new order for each round."""
        turn, place = divmod(grasp, len(self.objects))
        order = np.random.default_rng((self.settings["seed"], 2, turn)).permutation(len(self.objects))
        return self.objects[order[place]]

    def lab(self, grasp: int) -> Lab:
        """Lab of a grasp."""
        number, place = divmod(grasp, TRIALS)
        seed = self.settings["seed"]
        session = Session.draw(seed, number, self.settings["sensor"])
        return Lab(
            session,
            np.random.default_rng((seed, 3, grasp)),
            wear=session.wear_at(place / TRIALS),
            camera_size=self.settings["camera_size"],
        )

    def _simulate(self, grasp: int) -> list[Trial]:
        lab = self.lab(grasp)
        lab.begin(self.object_of(grasp))
        hidden = hidden_truth(lab)
        states: dict[str, tuple[Streams, Action, dict[str, dict[str, float]]]] = {}
        if "regrasp" in self.examples:
            prior = int(lab.rng.integers(self.prior_regrasps + 1)) if self.prior_regrasps else 0
            for _ in range(prior):
                action = self._chosen(lab, lab.observe())
                lab.release()
                lab.move(action)
                lab.close(action)
            first = lab.observe()
            action = self._chosen(lab, first)
            states["regrasp"] = (first, action, lab.vectors())
            lab.release()
            states["released"] = (lab.observe(), action, lab.vectors())
            lab.move(action)
            lab.close(action)
        states["stay"] = (lab.observe(), self.embodiment.stay(lab.hand), lab.vectors())
        lab.first_lift()
        lifted = lab.feel()
        success = lab.finish()
        after = lab.observe()
        return [
            Trial(
                name=f"grasp-{grasp:06d}-{example}",
                streams=_streams(lab.before, states[example][0], lifted, after),
                object=lab.object.name,
                session=lab.session.name,
                sensor=f"{lab.session.left} {lab.session.right}",
                outcomes={"success": float(success)},
                action=states[example][1],
                vectors=states[example][2],
                hidden=hidden,
                columns={
                    "grasp": float(grasp),
                    "example": example,
                    "family": lab.object.family,
                    **{f"wear_{side}": lab.wear[side] for side in SIDES},
                },
            )
            for example in self.examples
        ]

    def _chosen(self, lab: Lab, seen: Streams) -> Action:
        if self.policy is None:
            return self.embodiment.sample_action(lab.rng)
        chosen = self.policy(observation(lab, seen), lab.rng)
        try:
            return self.embodiment.check_action(chosen.action)
        except (AttributeError, TypeError, ContractError) as why:
            raise SimulationError(f"the policy chose {chosen!r}: {why}") from None


class GraspCollection:
    """Simulated grasps, collected in parts for `grasp.episodes.rounds`.

    Attributes:
        objects: names of the grasped objects.
        settings: all other settings that the grasps depend on.
    """

    def __init__(
        self, objects: str = "train", camera_size: int = 224, workers: int = 1, seed: int = 0
    ) -> None:
        """
        Args:
            objects: as in `Grasps`.
            camera_size: as in `Grasps`.
            workers: as in `collect`.
            seed: seed of all random draws, also of the weights, batches and held-out objects of rounds.
        """
        self.objects: Sequence[str] = Grasps(1, objects=objects, camera_size=camera_size, seed=seed).objects
        self.settings: Mapping[str, Any] = {"objects": objects, "camera_size": camera_size, "seed": seed}
        self.workers = workers

    def __call__(
        self, store: Path, *, trials: int, first: int, policy: Policy | None, prior_regrasps: int
    ) -> Store:
        """Make, or continue, the store of `trials` grasps from number `first`; see `Grasps`."""
        return collect(
            "grasp",
            store,
            workers=self.workers,
            trials=trials,
            first=first,
            policy=policy,
            prior_regrasps=prior_regrasps,
            **self.settings,
        )


def hidden_truth(lab: Lab) -> dict[str, float]:
    """The simulator's truth about the object, in SI units; never an input of a model."""
    x, y, z = lab.object.com
    return {
        "mass": lab.object.mass,
        "friction": lab.object.friction,
        "com_x": x,
        "com_y": y,
        "com_z": z,
        "stiffness": lab.object.stiffness or 0.0,
    }


def observation(lab: Lab, now: Streams) -> Streams:
    """The observation that the embodiment declares: images at STREAM/PHASE, vectors float32 by name."""
    named = {f"{stream}/before": array for stream, array in lab.before.items()}
    named |= {f"{stream}/during": array for stream, array in now.items()}
    return named | {name: np.array([*of.values()], np.float32) for name, of in lab.vectors().items()}


def load_policy(name: str) -> Policy:
    """The `Policy` at MODULE:NAME; raises `SimulationError` if there is none."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as why:
        raise SimulationError(
            f"policy {name!r}: {why}; expected MODULE:NAME, such as my_lab:choose, or a predictor's folder"
        ) from None
    if not callable(found):
        raise SimulationError(f"policy {name!r} is a {type(found).__name__}, expected a function")
    policy: Policy = found
    return policy


def described(policy: Policy, given: str | Policy | None) -> str | dict[str, Any]:
    """Description of the policy for a store's settings."""
    settings = getattr(policy, "settings", None)
    if settings is not None:
        return {"class": f"{type(policy).__module__}:{type(policy).__qualname__}", **settings}
    if isinstance(given, str):
        return given
    raise SimulationError(
        f"policy {policy!r} has no settings, and a store must say how it was made; "
        "name the policy as MODULE:NAME, or give it an attribute settings"
    )


def _streams(before: Streams, during: Streams, lift: Streams, after: Streams) -> dict[str, dict[str, Any]]:
    streams: dict[str, dict[str, Any]] = {
        stream: {"before": before[stream], "during": during[stream]} for stream in before
    }
    for stream, image in lift.items():
        streams[stream]["lift"] = image
    for stream, image in after.items():
        if stream != "depth":  # labelling needs colour only
            streams[stream]["after"] = image
    return streams

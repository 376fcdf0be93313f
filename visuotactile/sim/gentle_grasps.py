"""Gentle grasps as trials of a store: the collection of gentle_grasping (section V), simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from visuotactile.datasets.policy import Policy
from visuotactile.datasets.trial import Trial
from visuotactile.errors import ContractError, SimulationError
from visuotactile.sim.finger_lab import FingerLab, Streams, laboratory
from visuotactile.sim.grasps import described, load_policy
from visuotactile.sim.hands.fingers import declaration
from visuotactile.sim.objects.fragile import fragile_names

Action = Mapping[str, float]
EXAMPLES = ("regrasp", "released", "stay")
"""State–action pairs of a trial, which share its outcomes.

- regrasp: observation of the first grasp, and the regrasp that followed.
- released: the same at the minimum pose, after the first grasp was let go.
- stay: observation of the regrasp, and the action of staying with the hand unchanged.
"""


class GentleGrasps:
    """Grasps and regrasps of fragile objects with a hand of fingers: seen, felt and heard.

    The same settings give the same trials, in any order and in any process: trial g depends on (seed, g)
    alone. Each is grasped with the preset pose, let go, regrasped once by the policy while a microphone
    listens, and lifted, and gives the three `EXAMPLES`. One laboratory and one pair of DIGITs serve all of
    them, as in the paper, unless `session_trials` is given.

    Streams: `rgb` uint8 [S, S, 3] at before, during, after; `depth` uint16 [S, S] in 0.1 mm at before and
    during; `tactile_middle`, `tactile_thumb` uint8 [152, 128, 3] at before, during, after; `sound` int16
    [samples, 2] at first (the first grasp) and regrasp (which is the label). Action: dx, dy, dz (metres),
    dyaw (radians), and the five joints that move (radians, absolute). Vectors, of the state: `pose`;
    `joints`, the 16 commanded angles; `observed`, the 16 measured ones. Outcomes: stable, gentle; and the
    measurements peak (loudest sample), position_error_mm and displacement_mm of the fingertips in the
    regrasp, moved_middle_mm and moved_thumb_mm in the air. Columns: grasp (number), example, family, lying.
    """

    name: ClassVar[str] = "simulated-gentle-grasps"
    description: ClassVar[str] = "simulated grasps of fragile objects by a hand of fingers"

    def __init__(
        self,
        trials: int,
        objects: str = "toy",
        camera_size: int = 224,
        policy: str | Policy | None = None,
        seed: int = 0,
        first: int = 0,
        session_trials: int = 0,
    ) -> None:
        """
        Args:
            trials: number of grasps, each of which gives three trials.
            objects: toy, fragile, held-out, unseen, or names, joined by commas; each object gets an equal
                share.
            camera_size: height and width of the camera's image, in pixels.
            policy: choice of the regrasps: a predictor's folder, for its planner, or MODULE:NAME of a
                function; by default at random.
            seed: seed of all random draws.
            first: number of the first grasp, to continue another collection.
            session_trials: grasps between two changes of laboratory and gels; 0 for none.
        """
        if trials < 1 or seed < 0 or camera_size < 16 or first < 0 or session_trials < 0:
            raise SimulationError(
                f"trials={trials}, seed={seed}, camera_size={camera_size}, first={first}, "
                f"session_trials={session_trials}; expected at least 1, 0, 16, 0 and 0"
            )
        self.objects = fragile_names(objects)
        self.policy = load_policy(policy) if isinstance(policy, str) else policy
        self.embodiment = declaration(camera_size)
        self.first, self.examples = first, EXAMPLES
        self.settings: Mapping[str, Any] = {
            "trials": trials,
            "objects": objects,
            "camera_size": camera_size,
            "policy": self.policy and described(self.policy, policy),
            "seed": seed,
            "first": first,
            "session_trials": session_trials,
        }
        numbers = range(first, first + trials)
        self.names = tuple(f"gentle-{g:06d}-{example}" for g in numbers for example in EXAMPLES)
        self._made: tuple[int, list[Trial]] = (-1, [])

    def __len__(self) -> int:
        """Number of trials, three of which share a grasp."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Trial `i`; those of the same grasp are simulated once."""
        place, example = divmod(i, len(EXAMPLES))
        grasp = self.first + place
        if self._made[0] != grasp:
            self._made = (grasp, self._simulate(grasp))
        return self._made[1][example]

    def object_of(self, grasp: int) -> str:
        """Object of a grasp: each in turn, in a new order for each round."""
        turn, place = divmod(grasp, len(self.objects))
        order = np.random.default_rng((self.settings["seed"], 2, turn)).permutation(len(self.objects))
        return self.objects[order[place]]

    def lab(self, grasp: int, *, rendered: bool = True) -> FingerLab:
        """Lab of a grasp."""
        each = self.settings["session_trials"]
        number, place = divmod(grasp, each) if each else (0, 0)
        session = laboratory(number)
        return FingerLab(
            session,
            np.random.default_rng((self.settings["seed"], 3, grasp)),
            wear=session.wear_at(place / each if each else 0.0),
            camera_size=self.settings["camera_size"],
            rendered=rendered,
        )

    def outcome(self, grasp: int) -> dict[str, float]:
        """Labels, measurements and hidden truth ("hidden/…") of a grasp, without its pictures."""
        lab = self.lab(grasp, rendered=False)
        lab.begin(self.object_of(grasp))
        lab.regrasp(self.embodiment.sample_action(lab.rng))
        labels = {name: float(value) for name, value in lab.lift().items()}
        return {
            **labels,
            **lab.measurements(),
            "lying": float(lab.lying),
            **{f"hidden/{name}": value for name, value in lab.hidden().items()},
        }

    def _simulate(self, grasp: int) -> list[Trial]:
        lab = self.lab(grasp)
        lab.begin(self.object_of(grasp))
        heard = lab.first
        seen = lab.observe()
        action = lab.clipped(self._chosen(lab, seen))
        states = {"regrasp": (seen, action, lab.vectors())}
        lab.release()
        states["released"] = (lab.observe(), action, lab.vectors())
        lab.regrasp(action)
        hand = {dimension.name: action[dimension.name] for dimension in self.embodiment.hand}
        states["stay"] = (lab.observe(), self.embodiment.stay(hand), lab.vectors())
        outcomes = {name: float(value) for name, value in lab.lift().items()} | lab.measurements()
        after = lab.observe()
        return [
            Trial(
                name=f"gentle-{grasp:06d}-{example}",
                streams={
                    **_pictures(lab.before, states[example][0], after),
                    "sound": {"first": heard, "regrasp": lab.sound},
                },
                object=lab.object.name,
                session=lab.session.name,
                sensor=f"{lab.session.left} {lab.session.right}",
                outcomes=outcomes,
                action=states[example][1],
                vectors=states[example][2],
                hidden=lab.hidden(),
                columns={
                    "grasp": float(grasp),
                    "example": example,
                    "family": lab.object.family,
                    "lying": float(lab.lying),
                },
            )
            for example in EXAMPLES
        ]

    def _chosen(self, lab: FingerLab, seen: Streams) -> Action:
        if self.policy is None:
            return self.embodiment.sample_action(lab.rng)
        chosen = self.policy(observation(lab, seen), lab.rng)
        try:
            return self.embodiment.check_action(chosen.action)
        except (AttributeError, TypeError, ContractError) as why:
            raise SimulationError(f"the policy chose {chosen!r}: {why}") from None


def observation(lab: FingerLab, now: Streams) -> Streams:
    """The observation that the embodiment declares: streams at STREAM/PHASE, vectors float32 by name."""
    named = {f"{stream}/before": array for stream, array in lab.before.items()}
    named |= {f"{stream}/during": array for stream, array in now.items()}
    named["sound/first"] = lab.first
    return named | {name: np.array([*of.values()], np.float32) for name, of in lab.vectors().items()}


def _pictures(before: Streams, during: Streams, after: Streams) -> dict[str, dict[str, Any]]:
    return {
        stream: {
            "before": before[stream],
            "during": during[stream],
            **({} if stream == "depth" else {"after": after[stream]}),  # labelling needs colour only
        }
        for stream in before
    }

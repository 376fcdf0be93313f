"""A session: one day at one robot, between two changes of its gels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile.units import KINDS
from visuotactile.sim.vision.variation import Variation

UNITS = 60
"""Sensors to choose from. The paper changed gels often, and found models sensitive to it until they had met
several."""

TRIALS = 40
"""Trials in a session."""

WEAR_STEPS = 4
"""Steps of wear in a session: a gel drawn anew for each trial would cost as much as its images."""

HAND_EYE = 0.0035
"""Standard deviation, m along each axis of the table, of what hand–eye calibration leaves; 5 mm over both.

That is the order of magnitude that the maintainers of industrial_calibration (ROS-Industrial) give for a
depth camera like the first Kinect. Height and tilt a robot can see at the table itself.
"""


@dataclass(frozen=True, kw_only=True)
class Session:
    """Sensors and surroundings, the same for some dozen trials.

    Attributes:
        name: such as `simulated-0003`.
        left, right: names of the two sensor units.
        wear: of the left and the right gel at the session's start and at its end, each in 0–1.
        variation: camera pose, lights, table and colours.
        hand_eye: m along x and y from a thing to where the robot believes it, by its camera.
    """

    name: str
    left: str
    right: str
    wear: tuple[tuple[float, float], tuple[float, float]]
    variation: Variation
    hand_eye: tuple[float, float]

    @classmethod
    @functools.lru_cache(maxsize=64)  # trials of one session ask for it in turn, and drawing takes 0.3 ms
    def draw(cls, seed: int, number: int, sensor: str = "gelsight", hand_eye: float = HAND_EYE) -> Session:
        """Session `number` of the collection `seed`.

        Args:
            seed: of the collection.
            number: of the session.
            sensor: "gelsight" or "digit".
            hand_eye: standard deviation of the session's own `hand_eye` along each axis, m.

        Raises:
            SimulationError: there is no such kind of sensor, or the deviation is not 0 to 0.05 m.
        """
        if sensor not in KINDS:
            raise SimulationError(f"sensor is {sensor!r}; expected one of {', '.join(KINDS)}")
        if not 0 <= hand_eye <= 0.05:
            raise SimulationError(f"hand_eye is {hand_eye} m; expected 0 to 0.05, such as {HAND_EYE}")
        rng = np.random.default_rng((seed, 1, number))
        left, right = rng.choice(UNITS, 2, replace=False)
        starts = rng.uniform(0, 0.6, 2)
        ends = starts + rng.uniform(0, 0.4, 2)
        variation = Variation.draw(rng)
        x, y = rng.normal(0, hand_eye, 2).tolist()
        return cls(
            name=f"simulated-{number:04d}",
            left=f"{sensor}-{left:03d}",
            right=f"{sensor}-{right:03d}",
            wear=((float(starts[0]), float(ends[0])), (float(starts[1]), float(ends[1]))),
            variation=variation,
            hand_eye=(x, y),
        )

    def wear_at(self, share: float) -> dict[str, float]:
        """Wear of each gel when `share` (0–1) of the session is over, in steps."""
        left, right = self.wear
        share = int(share * WEAR_STEPS) / WEAR_STEPS
        return {
            "left": left[0] + share * (left[1] - left[0]),
            "right": right[0] + share * (right[1] - right[0]),
        }

"""A session: one day at one robot, between two changes of its gels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile.units import KINDS
from visuotactile.sim.vision.variation import Variation

UNITS = 60
"""Number of sensor units to draw from. The paper changed gels often, and found models sensitive to that until
trained on several."""

TRIALS = 40
"""Trials in a session."""

WEAR_STEPS = 4
"""Steps of wear in a session, since redrawing a gel for each trial would cost as much as its images."""

HAND_EYE = 0.0035
"""Standard deviation of the hand–eye calibration error, m along each axis of the table; 5 mm over both.

The maintainers of industrial_calibration (ROS-Industrial) give this order of magnitude for a depth camera
like the first Kinect. A robot can measure height and tilt at the table itself.
"""


@dataclass(frozen=True, kw_only=True)
class Session:
    """Sensors and surroundings of some dozen trials.

    Attributes:
        name: name, such as `simulated-0003`.
        left, right: names of the two sensor units.
        wear: wear (0–1) of the left and the right gel at the session's start and end.
        variation: camera pose, lights, table and colours.
        hand_eye: hand–eye calibration error, m along x and y from a true to a perceived position.
    """

    name: str
    left: str
    right: str
    wear: tuple[tuple[float, float], tuple[float, float]]
    variation: Variation
    hand_eye: tuple[float, float]

    @classmethod
    @functools.lru_cache(maxsize=64)  # consecutive trials share a session, and drawing takes 0.3 ms
    def draw(cls, seed: int, number: int, sensor: str = "gelsight", hand_eye: float = HAND_EYE) -> Session:
        """Session `number` of the collection `seed`.

        Args:
            seed: seed of the collection.
            number: number of the session.
            sensor: "gelsight" or "digit".
            hand_eye: standard deviation of the session's `hand_eye` along each axis, m.

        Raises:
            SimulationError: the kind of sensor is unknown, or the deviation is not within 0 to 0.05 m.
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
        """Wear of each gel after `share` (0–1) of the session, in steps."""
        left, right = self.wear
        share = int(share * WEAR_STEPS) / WEAR_STEPS
        return {
            "left": left[0] + share * (left[1] - left[0]),
            "right": right[0] + share * (right[1] - right[0]),
        }

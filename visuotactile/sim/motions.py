"""Motions of the hand with the object: commanded poses at each tick, smooth from rest to rest."""

from __future__ import annotations

import numpy as np

from visuotactile.sim.contact import Array
from visuotactile.sim.scene import TIMESTEP

TICK_STEPS = 2
"""Steps of the simulation between two commands."""

TICK = TICK_STEPS * TIMESTEP

LIFT_ACCELERATION = 2.0  # m/s², maximum: adds a fifth of the weight
SHAKE = (0.006, 0.006, 0.003, 0.10)  # amplitudes along x, y, z (m) and yaw (radians)
SHAKE_HERTZ, SHAKE_WAVES = 4.0, 1.5


def lift(height: float) -> Array:
    """Vertical motion by `height` metres, within `LIFT_ACCELERATION`.

    Returns:
        float64 [ticks, 4]: x, y, z and yaw relative to the start, in metres and radians.
    """
    # s³ (10 − 15 s + 6 s²) has its maximum acceleration, 10 / √3, at s = (3 − √3) / 6
    s = _progress(float(np.sqrt(10 / np.sqrt(3) * height / LIFT_ACCELERATION)))
    path = np.zeros((len(s), 4))
    path[:, 2] = height * s**3 * (10 - 15 * s + 6 * s**2)
    return path


def shake() -> Array:
    """Simultaneous oscillation along x, y and z and about z; float64 [ticks, 4] as for `lift`."""
    s = _progress(SHAKE_WAVES / SHAKE_HERTZ)[:, None]
    phase = np.array([0, np.pi / 2, np.pi / 2, 0])
    # the envelope lets the hand start and end at rest
    wave = np.sin(np.pi * s) ** 2 * np.sin(2 * np.pi * SHAKE_WAVES * s + phase)
    path: Array = wave * np.array(SHAKE)
    return path


def _progress(seconds: float) -> Array:
    """Completed share of a motion at each tick."""
    ticks = max(1, round(seconds / TICK))
    return np.arange(1, ticks + 1) / ticks

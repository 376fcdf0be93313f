"""A few simulated presses, and measured imprints drawn straight from Hertz's theory."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.datasets.clips import Clip, ReadClips
from visuotactile.estimation.estimator import Known
from visuotactile.estimation.imprint import Imprint
from visuotactile.mechanics import shore
from visuotactile.mechanics.hertz import share_of_second
from visuotactile.sim.hardness.presses import Presses

GEL = 2.8e5


@pytest.fixture(scope="session")
def press_trials():
    """The first eight presses of the lab, with their hidden truth."""
    lab = Presses(trials=8, frames=6, units=1)
    return [lab.trial(i) for i in range(8)]


@pytest.fixture(scope="session")
def press_clips(press_trials) -> ReadClips:
    """Their clips."""
    return ReadClips(
        Clip(name=t.name, frames=t.streams["tactile"]["during"], reference=t.streams["tactile"]["before"])
        for t in press_trials
    )


class Drawn:
    """Imprints of balls as Hertz has them: `measured` [n, 8, 6], `target`, `units`, `known`, `gains`."""

    def __init__(self, seed=0, presses=360, noise=0.02, sensors=6, spread=0.06) -> None:
        rng = np.random.default_rng(seed)
        levels = np.log10(shore.shore_00_modulus(np.linspace(8, 80, 12)))
        radii = np.array([8, 10, 12, 14, 16]) * 1e-3
        level, radius = rng.integers(12, size=presses), rng.integers(5, size=presses)
        sensor = rng.integers(sensors, size=presses)
        self.gains = 1.1 + spread * rng.normal(size=sensors)
        self.target, self.radius = levels[level], radii[radius]
        curvature = share_of_second(10**self.target, GEL) / (self.radius * 1e3)
        slope = curvature * np.exp(self.gains[sensor] + noise * rng.normal(size=presses))
        self.measured = np.zeros((presses, 8, len(Imprint._fields)))
        self.measured[..., 2] = np.linspace(0.5, 4, 8)
        self.measured[..., 3] = slope[:, None]
        self.measured[..., 4] = 1e-5
        self.measured[..., 5] = 1
        self.units = np.array([f"{a}-{b}" for a, b in zip(level, radius, strict=True)])
        self.sensor = np.array([f"gel-{number}" for number in sensor])
        self.known = Known(radius=self.radius, sensor=self.sensor)


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    """Imprints of 360 presses on sixty samples by six sensors."""
    return Drawn()

"""Hand-held presses of a gel on a sample, with uncontrolled force and path: depth, tilt, drift and twist.

After Yuan, Srinivasan and Adelson 2016, "Estimating object hardness with a GelSight touch sensor": the
movement is deliberately imprecise, and the estimator does not know the force of a press.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from visuotactile.errors import SimulationError

Array = npt.NDArray[np.float64]

PEAK_FORCE = (0.4, 6.0)
"""Newtons; drawn log-uniformly."""
STRAIN = (0.28, 0.48)
"""Contact radius over ball radius at which a hand feels the ball yield and stops."""
DEEPEST = 1.0e-3
"""Maximum indentation of the gel in metres: about a third of its thickness, where people stop."""
WIDEST = 6.5e-3
"""Largest contact radius, metres, so that the contact stays within the gel's window."""
DURATION = (0.3, 2.0)
TREMOR = 25e-6
"""Metres, amplitude of a hand's tremor at some 10 Hz (the compliant wrist absorbs the rest)."""
MOTIONS = ("press", "roll")
"""Kinds of motion: straight in, and rolling along the sample meanwhile."""
STEEPEST = 30.0
"""Degrees: largest angle of an oblique press."""
ROLL = (8.0, 20.0)
"""Degrees by which the gel turns on the sample while it rolls."""
ROLLED = 5e-3
"""Metres: longest way of the contact while it rolls, so that it stays within the gel's window."""


class Resistance(Protocol):
    """The contact with a sample, which tells a hand when to stop."""

    radius: float
    """Metres, of the sample's surface: the way of the contact for a tilt of 1 rad."""
    turns: float
    """Share of a tilt that stays between gel and sample."""
    bound: float
    """Metres: depth that even a trembling hand does not exceed."""

    def depth(self, force: float, strain: float) -> float:
        """Metres of approach at which a hand stops that meant to press with `force` newtons.

        `strain` is the contact radius over the ball's radius at which it feels the sample yield.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PressMotion:
    """One press at T moments from just after first touch. Depth is the approach of gel and sample.

    Attributes:
        time: float64 [T], seconds since the touch.
        depth: float64 [T], metres, at least 0.
        start: float64 [2], metres, the sample's middle in the window at the touch, (right, up).
        tilt: float64 [T, 2], radians (as slopes) between gel and sample.
        drift: float64 [T, 2], metres, drag of the sample along the gel since the touch.
        twist: float64 [T], radians about the gel's normal since the touch.
        held: the hand stopped and held still before the end.
    """

    time: Array
    depth: Array
    start: Array
    tilt: Array
    drift: Array
    twist: Array
    held: bool


def draw_motion(frames: int, sample: Resistance, rng: np.random.Generator) -> PressMotion:
    """A straight press of `frames` moments on a sample, about along its normal.

    The hand presses until it reaches its intended force, the strain at which it feels the sample yield, or
    the gel's maximum indentation, whichever comes first.
    """
    duration = rng.uniform(*DURATION)
    time = np.linspace(0, duration, frames + 1)[1:]
    meant = np.exp(rng.uniform(*np.log(PEAK_FORCE)))
    deepest = sample.depth(float(meant), float(rng.uniform(*STRAIN)))
    held = bool(rng.random() < 0.5)
    arrival = duration * (rng.uniform(0.55, 0.85) if held else 1.0)
    progress = np.minimum(time / arrival, 1.0)
    eager = np.exp(rng.uniform(-0.4, 0.4))  # below 1 the hand slows down, above 1 it speeds up
    depth = deepest * progress**eager
    sag = 1 - rng.uniform(0, 0.08) * np.maximum(time - arrival, 0) / duration  # a holding hand tires
    tremor = _sway(time, rng.uniform(8, 12), rng) * TREMOR * rng.uniform(0.2, 1.0)
    depth = np.clip(depth * sag + tremor, 0, sample.bound)

    tilt = np.stack([_wander(time, duration, rng) for _ in range(2)], axis=1) * np.radians(
        rng.uniform(0.5, 4)
    )
    start = rng.uniform(-1, 1, 2) * (2.5e-3, 1.2e-3)
    drift = np.stack([_wander(time, duration, rng) for _ in range(2)], axis=1) * rng.uniform(0.05e-3, 0.4e-3)
    twist = _wander(time, duration, rng) * np.radians(rng.uniform(0.2, 3))
    return PressMotion(
        time=time, depth=depth, start=start, tilt=sample.turns * tilt, drift=drift, twist=twist, held=held
    )


def slanted(motion: PressMotion, sample: Resistance, angle: float, towards: float) -> PressMotion:
    """The same press along a path at `angle` degrees to the gel's normal, `towards` radians in its plane.

    The sample comes in tilted, its flank foremost, which meets the gel where its middle would have. It is
    dragged along the gel as far as the path leans, and friction shears the gel.
    """
    slope = np.tan(np.radians(angle)) * np.array([np.cos(towards), np.sin(towards)])
    return replace(
        motion,
        start=motion.start - sample.radius * sample.turns * slope,
        tilt=motion.tilt + sample.turns * slope,
        drift=motion.drift + motion.depth[:, None] * slope,
    )


def rolled(motion: PressMotion, sample: Resistance, rng: np.random.Generator) -> PressMotion:
    """The same press while the gel rolls along the sample, without slip, to both sides of where it lies."""
    turn = min(np.radians(rng.uniform(*ROLL)), ROLLED / sample.radius)
    towards = rng.uniform(0, 2 * np.pi)
    swept = turn * (motion.time / motion.time[-1] - 0.5)
    way = np.array([np.cos(towards), np.sin(towards)])
    return replace(motion, tilt=motion.tilt + sample.turns * swept[:, None] * way)


def find_motions(words: str) -> tuple[str, ...]:
    """Kinds of motion in `words`, separated by commas.

    Raises:
        SimulationError: there is no such motion.
    """
    chosen = [word.strip() for word in words.split(",")]
    unknown = [word for word in chosen if word not in MOTIONS]
    if unknown:
        raise SimulationError(f"there is no motion {unknown[0]!r}; expected {', '.join(MOTIONS)}")
    return tuple(motion for motion in MOTIONS if motion in chosen)


def _wander(time: Array, duration: float, rng: np.random.Generator) -> Array:
    """A smooth path from 0, of the order of 1 at the end: a steady part and two slow sways, [T]."""
    s = time / duration
    path = rng.normal(0, 0.7) * s
    for cycles in (0.5, 1.5):
        path = path + rng.normal(0, 0.25) * np.sin(np.pi * cycles * s)
    return np.asarray(np.clip(path, -1.5, 1.5))


def _sway(time: Array, frequency: float, rng: np.random.Generator) -> Array:
    return np.asarray(np.sin(2 * np.pi * (frequency * time + rng.random())))

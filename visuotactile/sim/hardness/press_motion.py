"""Hand-held presses of a gel on a ball, with uncontrolled force and path: depth, tilt, drift and twist.

After Yuan, Srinivasan and Adelson 2016, "Estimating object hardness with a GelSight touch sensor": the
movement is deliberately imprecise, and the estimator does not know the force of a press.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visuotactile.mechanics.hertz import approach, contact_force, contact_radius

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


@dataclass(frozen=True, kw_only=True)
class PressMotion:
    """One press at T moments from just after first touch. Depth is the approach of gel and ball.

    Attributes:
        time: float64 [T], seconds since the touch.
        depth: float64 [T], metres, at least 0.
        center: float64 [T, 2], metres, centre of the contact in the window, (right, up).
        drift: float64 [T, 2], metres, drag of the ball along the gel since the touch.
        twist: float64 [T], radians about the gel's normal since the touch.
        held: the hand stopped and held still before the end.
    """

    time: Array
    depth: Array
    center: Array
    drift: Array
    twist: Array
    held: bool


def draw_motion(
    frames: int, radius: float, combined: float, gel_share: float, rng: np.random.Generator
) -> PressMotion:
    """A press of `frames` moments on a ball of `radius` whose contact has modulus E* = `combined`.

    The hand presses until it reaches its intended force, the contact radius at which it feels the ball yield,
    or the gel's maximum indentation, whichever comes first.
    """
    duration = rng.uniform(*DURATION)
    time = np.linspace(0, duration, frames + 1)[1:]
    meant = np.exp(rng.uniform(*np.log(PEAK_FORCE)))
    widest = min(
        float(contact_radius(meant, radius, combined)),
        rng.uniform(*STRAIN) * radius,
        np.sqrt(DEEPEST * radius / gel_share),
        WIDEST,
    )
    held = bool(rng.random() < 0.5)
    arrival = duration * (rng.uniform(0.55, 0.85) if held else 1.0)
    progress = np.minimum(time / arrival, 1.0)
    eager = np.exp(rng.uniform(-0.4, 0.4))  # below 1 the hand slows down, above 1 it speeds up
    depth = approach(widest, radius) * progress**eager
    sag = 1 - rng.uniform(0, 0.08) * np.maximum(time - arrival, 0) / duration  # a holding hand tires
    tremor = _sway(time, rng.uniform(8, 12), rng) * TREMOR * rng.uniform(0.2, 1.0)
    depth = np.clip(depth * sag + tremor, 0, approach(WIDEST, radius))

    tilt = np.stack([_wander(time, duration, rng) for _ in range(2)], axis=1) * np.radians(
        rng.uniform(0.5, 4)
    )
    start = rng.uniform(-1, 1, 2) * (2.5e-3, 1.2e-3)
    drift = np.stack([_wander(time, duration, rng) for _ in range(2)], axis=1) * rng.uniform(0.05e-3, 0.4e-3)
    twist = _wander(time, duration, rng) * np.radians(rng.uniform(0.2, 3))
    center = start + radius * tilt + drift  # a gel that tilts by φ rolls along the ball by Rφ
    return PressMotion(time=time, depth=depth, center=center, drift=drift, twist=twist, held=held)


def forces(motion: PressMotion, radius: float, combined: float) -> tuple[Array, Array]:
    """Normal force, newtons [T], and contact radius, metres [T], at each depth."""
    force: Array = contact_force(motion.depth, radius, combined)
    contact: Array = contact_radius(force, radius, combined)
    return force, contact


def _wander(time: Array, duration: float, rng: np.random.Generator) -> Array:
    """A smooth path from 0, of the order of 1 at the end: a steady part and two slow sways, [T]."""
    s = time / duration
    path = rng.normal(0, 0.7) * s
    for cycles in (0.5, 1.5):
        path = path + rng.normal(0, 0.25) * np.sin(np.pi * cycles * s)
    return np.asarray(np.clip(path, -1.5, 1.5))


def _sway(time: Array, frequency: float, rng: np.random.Generator) -> Array:
    return np.asarray(np.sin(2 * np.pi * (frequency * time + rng.random())))

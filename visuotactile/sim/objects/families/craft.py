"""Building blocks of the families: colours, stacks of round sections, feet, relief."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from visuotactile.sim.objects.meshes import SIDES, lathe
from visuotactile.sim.objects.parts import UPRIGHT, Part, Quaternion, Vector
from visuotactile.sim.objects.relief import HIGHEST, Relief

_HALF = math.sqrt(0.5)
ALONG_X: Quaternion = (_HALF, 0.0, _HALF, 0.0)
"""Turns a part's own z to x."""
ALONG_Y: Quaternion = (_HALF, -_HALF, 0.0, 0.0)
"""Turns a part's own z to y."""

WHITE: Vector = (0.93, 0.92, 0.88)
STEEL: Vector = (0.62, 0.64, 0.67)
BLACK: Vector = (0.12, 0.12, 0.13)
WOOD: Vector = (0.72, 0.52, 0.32)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number drawn uniformly."""
    return float(rng.uniform(low, high))


def paint(
    rng: np.random.Generator,
    hues: tuple[float, float] = (0.0, 1.0),
    *,
    vivid: tuple[float, float] = (0.5, 0.9),
    light: tuple[float, float] = (0.55, 0.95),
) -> Vector:
    """A colour with its hue, saturation and brightness drawn from ranges in 0–1."""
    return colorsys.hsv_to_rgb(between(rng, *hues) % 1.0, between(rng, *vivid), between(rng, *light))


def darker(color: Vector, share: float = 0.65) -> Vector:
    """The same hue, darker."""
    r, g, b = color
    return (r * share, g * share, b * share)


def block(half: Vector, at: Vector, color: Vector, density: float = 1.0, quat: Quaternion = UPRIGHT) -> Part:
    """A box of these half-sizes around `at`."""
    return Part(shape="box", size=half, pos=at, quat=quat, color=color, density=density)


def ball(radius: float, at: Vector, color: Vector, density: float = 1.0) -> Part:
    """A sphere around `at`."""
    return Part(shape="sphere", size=(radius,), pos=at, color=color, density=density)


def oval(half: Vector, at: Vector, color: Vector, density: float = 1.0, quat: Quaternion = UPRIGHT) -> Part:
    """An ellipsoid of these half-axes around `at`."""
    return Part(shape="ellipsoid", size=half, pos=at, quat=quat, color=color, density=density)


def disc(radius: float, half: float, at: Vector, color: Vector, quat: Quaternion = UPRIGHT) -> Part:
    """A cylinder around `at`."""
    return Part(shape="cylinder", size=(radius, half), pos=at, quat=quat, color=color)


def rod(start: Vector, end: Vector, radius: float, color: Vector, density: float = 1.0) -> Part:
    """A capsule whose ends are round about `start` and `end`."""
    way = np.subtract(end, start)
    # Upward, since the half-way rotation that takes z to the axis does not exist for straight down.
    way = way if way[2] >= 0 else -way
    length = float(np.linalg.norm(way))
    quat = np.array([length + way[2], -way[1], way[0], 0.0])
    quat /= np.linalg.norm(quat)
    w, x, y, z = quat.tolist()
    mx, my, mz = (np.add(start, end) / 2).tolist()
    return Part(
        shape="capsule",
        size=(radius, length / 2),
        pos=(mx, my, mz),
        quat=(w, x, y, z),
        color=color,
        density=density,
    )


def about(axis: Vector, degrees: float) -> Quaternion:
    """The rotation about a unit axis."""
    half = np.deg2rad(degrees) / 2
    x, y, z = (np.sin(half) * np.array(axis)).tolist()
    return (float(np.cos(half)), x, y, z)


def stack(
    profile: Sequence[tuple[float, float]], color: Vector, density: float = 1.0, *, sides: int = SIDES
) -> list[Part]:
    """Stacked sections of revolution, from (height, radius) at their joints, bottom up.

    Two joints at one height make a step. Straight sections become cylinders; sloping ones become meshes, each
    over as many sections as are convex together.
    """
    parts = []
    sloping = [profile[0]]
    for low, high in pairwise(profile):
        straight = low[1] == high[1] and sides == SIDES
        if straight or high[0] == low[0] or not _bulges([*sloping, high]):
            parts += _turned(sloping, color, density, sides)
            sloping = [low]
        if straight:
            half = (high[0] - low[0]) / 2
            parts.append(
                Part(
                    shape="cylinder",
                    size=(low[1], half),
                    pos=(0.0, 0.0, low[0] + half),
                    color=color,
                    density=density,
                )
            )
        sloping = [high] if straight or high[0] == low[0] else [*sloping, high]
    return parts + _turned(sloping, color, density, sides)


def _bulges(profile: Sequence[tuple[float, float]]) -> bool:
    """True if a profile is convex, and has few enough rings for one mesh of at most 200 vertices."""
    slopes = np.diff([r for _, r in profile]) / np.diff([z for z, _ in profile])
    return len(profile) * SIDES <= 200 and bool((np.diff(slopes) <= 1e-9).all())


def _turned(profile: Sequence[tuple[float, float]], color: Vector, density: float, sides: int) -> list[Part]:
    if len(profile) < 2:
        return []
    return [Part(shape="mesh", mesh=lathe(profile, sides), color=color, density=density)]


def tapered(r: float, top: float, rise: float, color: Vector) -> list[Part]:
    """A ball of radius r on the table, a smaller one `rise` above it, and the cone that touches both."""
    sine = (r - top) / rise
    cosine = math.sqrt(1 - sine * sine)
    return [
        ball(r, (0, 0, r), color),
        *stack([(r + r * sine, r * cosine), (r + rise + top * sine, top * cosine)], color),
        ball(top, (0, 0, r + rise), color),
    ]


def foot(bottom: float, radius: float, color: Vector) -> Part:
    """A thin disc that keeps a round object from rolling; its lower face is 0.4 mm below `bottom`."""
    half = 0.1 * radius + 0.0015
    return Part(shape="cylinder", size=(radius, half), pos=(0.0, 0.0, bottom - 0.0004 + half), color=color)


def feel(
    rng: np.random.Generator,
    kinds: Sequence[str],
    *,
    chance: float = 1.0,
    around: float | None = None,
    pitch: tuple[float, float] = (0.0010, 0.0035),
) -> Relief | None:
    """Random relief of one of `kinds`: around the line x = y = 0 at the radius `around`, or flat."""
    kind = kinds[int(rng.integers(len(kinds)))]
    spacing = float(np.exp(rng.uniform(*np.log(pitch))))
    amplitude = min(HIGHEST, spacing * between(rng, 0.07, 0.15))
    seed = int(rng.integers(2**31))
    if rng.random() >= chance:
        return None
    if around is None:
        return Relief(kind=kind, amplitude=amplitude, pitch=spacing, seed=seed)
    return Relief(kind=kind, amplitude=amplitude, pitch=spacing, seed=seed, wrap="round", radius=around)

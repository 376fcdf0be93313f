"""Compliant things for a hand of fingers: a hard core, and gores around it that give way.

Squeezed in one place, a body bulges in others: its gores stand on radial springs, and one tendon over all of
them is the air or the flesh inside. The toy is that of gentle_grasping; the others have other sounds of too
much force. An object is the same everywhere: its name is its seed.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import mujoco
import numpy as np

from visuotactile.errors import DataError
from visuotactile.sim.objects.mjcf import OBJECT_GROUP, add_part
from visuotactile.sim.objects.parts import Part, Quaternion, Vector
from visuotactile.sim.sound import Voice

GRAVITY = 9.81
LYING: Quaternion = (0.5**0.5, 0.5**0.5, 0.0, 0.0)
"""Turns an object's z axis to −y of the world."""

Shape = Literal["ellipsoid", "box"]


@dataclass(frozen=True, kw_only=True)
class Gores:
    """Compliant parts around an upright axis.

    Attributes:
        count: number of gores.
        shape: of each.
        half: metres, half sizes along the radius, around and up.
        ring: metres, half axes of the ellipse on which their outer faces lie.
        rise: metres from the object's origin up to their middle.
        color: of each in turn.
        spring: N/m of one gore.
        air: N/m of the sum of all.
        damping: N s/m of one gore.
        inward: metres that a gore can be pressed in.
    """

    count: int
    shape: Shape = "ellipsoid"
    half: Vector
    ring: tuple[float, float]
    rise: float = 0.0
    color: tuple[Vector, ...]
    spring: float
    air: float
    damping: float = 2.0
    inward: float = 0.016


@dataclass(frozen=True, kw_only=True)
class FragileObject:
    """A compliant object. The origin of its frame is in the middle of its gores when upright.

    Attributes:
        name: unique name, such as egg-03.
        family: such as egg.
        core: hard parts that do not move.
        gores: what gives way.
        mass: kilograms.
        friction: sliding friction against a pad.
        voice: its sound under too much force.
        skin: N/m of its surface under a pad, which the gores carry as a whole: the stiffer, the deeper its
            imprint in the gel.
        heights: metres, of the origin over the table, upright and lying.
        lies: it may lie on its side.
    """

    name: str
    family: str
    core: tuple[Part, ...]
    gores: Gores
    mass: float
    friction: float
    voice: Voice
    heights: tuple[float, float]
    skin: float = 8000.0
    lies: bool = True


CORE_SHARE = 0.5
"""Share of the mass in the core."""

GORE_ARMATURE = 0.002  # kg: a light gore on a stiff spring would ring at the step's own frequency
AIR_DAMPING = 0.1
"""N s/m of the tendon. MuJoCo integrates it explicitly, even with an implicit integrator: 1.0 blows up."""


def add_fragile(spec: mujoco.MjSpec, obj: FragileObject) -> None:
    """Add `obj` to `spec` as a free body "object" with a body for each gore, and the tendon "air".

    Geoms are named object/0 …, those of the gores gore/0 …, all in group 3.
    """
    body = spec.worldbody.add_body(name="object", pos=(0, 0, obj.heights[0]))
    body.add_freejoint(name="object")
    dense = sum(part.density for part in obj.core)
    for number, part in enumerate(obj.core):
        geom = add_part(body, spec, f"object/{number}", part)
        geom.mass = CORE_SHARE * obj.mass * part.density / dense
    gores = obj.gores
    air = spec.add_tendon(name="air", damping=[AIR_DAMPING, 0, 0], stiffness=[gores.air, 0, 0])
    shape = mujoco.mjtGeom.mjGEOM_BOX if gores.shape == "box" else mujoco.mjtGeom.mjGEOM_ELLIPSOID
    for number in range(gores.count):
        angle = 2 * np.pi * number / gores.count
        place, turn = _on_ring(gores.ring, angle)
        inward = place - gores.half[0] * np.array([np.cos(turn), np.sin(turn)])
        gore = body.add_body(
            name=f"gore/{number}",
            pos=(*inward.tolist(), gores.rise),
            quat=(float(np.cos(turn / 2)), 0, 0, float(np.sin(turn / 2))),
        )
        gore.add_joint(
            name=f"gore/{number}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[-1, 0, 0],
            range=[-0.006, gores.inward],
            limited=True,
            stiffness=[gores.spring, 0, 0],
            damping=[gores.damping, 0, 0],
            armature=GORE_ARMATURE,
        )
        gore.add_geom(
            name=f"gore/{number}",
            type=shape,
            size=gores.half,
            mass=(1 - CORE_SHARE) * obj.mass / gores.count,
            group=OBJECT_GROUP,
            rgba=(*gores.color[number % len(gores.color)], 1.0),
        )
        air.wrap_joint(f"gore/{number}", 1.0)


def _on_ring(ring: tuple[float, float], angle: float) -> tuple[Any, float]:
    """The point of the ellipse at a parameter, and the direction of its normal there."""
    a, b = ring
    place = np.array([a * np.cos(angle), b * np.sin(angle)])
    return place, float(np.arctan2(np.sin(angle) / b, np.cos(angle) / a))


def toy(rng: np.random.Generator) -> FragileObject:
    """The paper's toy: a belly with a reed between a base and a head."""
    del rng  # there is one
    skin, pale = (0.85, 0.55, 0.35), (0.9, 0.7, 0.5)
    mass = 0.075
    return FragileObject(
        name="toy",
        family="toy",
        core=(
            Part(shape="cylinder", size=(0.017, 0.004), pos=(0, 0, -0.027), color=(0.8, 0.5, 0.3), density=3),
            Part(shape="sphere", size=(0.016,), pos=(0, 0, 0.032), color=pale, density=2),
        ),
        gores=Gores(
            count=10,
            half=(0.013, 0.0105, 0.029),
            ring=(0.027, 0.027),
            color=(skin, (0.82, 0.52, 0.33)),
            spring=300.0,
            air=120.0,
        ),
        mass=mass,
        friction=0.41,
        voice=Voice(kind="reed", onset=0.0047, gain=0.75),
        heights=(0.032, 0.029),
    )


Draw = Callable[[np.random.Generator], FragileObject]

_FAMILIES: Mapping[str, Draw] = {"toy": toy}

SETS: Mapping[str, tuple[str, ...]] = {"toy": ("toy",)}
"""Set → names."""

_NAMES = tuple(dict.fromkeys(name for names in SETS.values() for name in names))


@cache
def make_fragile(name: str) -> FragileObject:
    """The object of this name, the same on every machine.

    Raises:
        DataError: the object is unknown; the message names similar ones.
    """
    if name not in _NAMES:
        raise DataError(f"there is no fragile object {name!r}; {_hint(name)}")
    family = name.rpartition("-")[0] or name
    made = _FAMILIES[family](np.random.default_rng(zlib.crc32(name.encode())))
    return replace(made, name=name, family=family)


def fragile_names(which: str) -> tuple[str, ...]:
    """Names of a set (such as "toy"), or those in a comma-separated text.

    Raises:
        DataError: a set or object is unknown, or a name occurs twice.
    """
    if which in SETS:
        return SETS[which]
    names = tuple(name.strip() for name in which.split(","))
    for name in names:
        if name not in _NAMES:
            raise DataError(
                f"there is no fragile object and no set {name!r}; expected {', '.join(SETS)}, or names "
                f"joined by commas; {_hint(name)}"
            )
    if len(set(names)) < len(names):
        raise DataError(f"the objects {which!r} name one twice; give each once")
    return names


def _hint(name: str) -> str:
    near = difflib.get_close_matches(str(name), [*SETS, *_NAMES], n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else "such as toy or egg-01"

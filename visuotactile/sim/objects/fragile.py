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
from visuotactile.sim.objects.families.craft import STEEL, WHITE, between, darker, paint
from visuotactile.sim.objects.mjcf import OBJECT_GROUP, add_part
from visuotactile.sim.objects.parts import Part, Quaternion, Vector
from visuotactile.sim.sound import PITCH, Voice

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
        friction=0.414,
        voice=Voice(kind="reed", onset=0.00465, gain=0.75),
        heights=(0.032, 0.029),
    )


HOLDING = (0.9, 1.7)
"""Newtons on each pad, between which the force lies that just holds an object by friction."""
MARGIN = (1.7, 2.6)
"""Force at which it is damaged, as a multiple of that which holds it."""
SLIPPERY, STICKY = 0.25, 1.0
"""Least and greatest sliding friction against a pad."""


def _design(
    rng: np.random.Generator,
    *,
    core: tuple[Part, ...],
    half: Vector,
    ring: tuple[float, float],
    color: tuple[Vector, ...],
    mass: tuple[float, float],
    spring: tuple[float, float],
    voice: Voice,
    heights: tuple[float, float],
    count: int = 10,
    shape: Shape = "ellipsoid",
    air: float = 0.0,
    skin: float = 8000.0,
    lies: bool = True,
) -> FragileObject:
    """Draw mass, friction and stiffness, and the force that does harm, which is the voice's onset.

    The onset of `voice` is a multiple of the drawn one, usually 1.
    """
    weight = float(rng.uniform(*mass))
    holding = float(rng.uniform(*HOLDING))
    friction = float(np.clip(weight * GRAVITY / (2 * holding), SLIPPERY, STICKY))
    holding = weight * GRAVITY / (2 * friction)
    harm = max(holding, HOLDING[0]) * float(rng.uniform(*MARGIN))
    stiff = float(rng.uniform(*spring))
    if voice.kind != "reed":
        voice = replace(voice, onset=voice.onset * harm)
    return FragileObject(
        name="",
        family="",
        core=core,
        gores=Gores(
            count=count, shape=shape, half=half, ring=ring, color=color, spring=stiff, air=air * stiff
        ),
        mass=weight,
        friction=friction,
        voice=voice,
        heights=heights,
        skin=skin,
        lies=lies,
    )


def _smooth(radius: float, deep: float) -> float:
    """Half width of a gore, so deep along the radius, that continues a circle of this radius."""
    return float(np.sqrt(radius * deep))


def _fruit(
    rng: np.random.Generator,
    radius: float,
    half: float,
    skin: Vector,
    top: Part,
    **known: Any,
) -> FragileObject:
    """A fruit on its flat end: flesh around a stone, something on `top` of it."""
    deep = 0.014
    foot = Part(shape="cylinder", size=(0.5 * radius, 0.003), pos=(0, 0, 0.003 - half), color=darker(skin))
    heart = Part(
        shape="ellipsoid",
        size=(0.55 * radius, 0.55 * radius, 0.94 * half),
        color=darker(skin, 0.9),
        density=3,
    )
    return _design(
        rng,
        core=(foot, heart, top),
        half=(deep, _smooth(radius, deep), 0.96 * half),
        ring=(radius, radius),
        color=(skin,),
        heights=(half, radius),
        air=0.25,
        lies=False,  # it would roll
        **known,
    )


def tomato(rng: np.random.Generator) -> FragileObject:
    """A ripe tomato: it squelches."""
    radius, skin = between(rng, 0.026, 0.030), paint(rng, (0.98, 1.05), vivid=(0.75, 0.95), light=(0.7, 0.95))
    half = radius * between(rng, 0.85, 0.95)
    star = Part(shape="cylinder", size=(0.3 * radius, 0.0012), pos=(0, 0, half), color=(0.25, 0.45, 0.15))
    squelch = Voice(kind="squelch", onset=1.0)
    return _fruit(rng, radius, half, skin, star, mass=(0.05, 0.09), spring=(420, 640), voice=squelch)


def plum(rng: np.random.Generator) -> FragileObject:
    """A soft plum on a hard stone."""
    radius, skin = between(rng, 0.024, 0.027), paint(rng, (0.75, 0.92), vivid=(0.45, 0.75), light=(0.3, 0.5))
    half = radius * between(rng, 1.0, 1.15)
    stalk = Part(shape="cylinder", size=(0.0015, 0.005), pos=(0, 0, half + 0.003), color=(0.35, 0.28, 0.15))
    squelch = Voice(kind="squelch", onset=1.0, gain=0.9)
    return _fruit(rng, radius, half, skin, stalk, mass=(0.04, 0.07), spring=(380, 560), voice=squelch)


def peach(rng: np.random.Generator) -> FragileObject:
    """A ripe peach."""
    radius, skin = (
        between(rng, 0.027, 0.031),
        paint(rng, (0.03, 0.09), vivid=(0.45, 0.65), light=(0.85, 0.97)),
    )
    half = radius * between(rng, 0.9, 1.0)
    leaf = Part(shape="box", size=(0.012, 0.004, 0.0008), pos=(0.006, 0, half), color=(0.3, 0.5, 0.2))
    squelch = Voice(kind="squelch", onset=1.0, gain=1.1)
    return _fruit(rng, radius, half, skin, leaf, mass=(0.06, 0.10), spring=(400, 600), voice=squelch)


def egg(rng: np.random.Generator) -> FragileObject:
    """A hen's egg: stiff until it cracks."""
    radius, half = between(rng, 0.0225, 0.0245), between(rng, 0.028, 0.031)
    shell = paint(rng, (0.05, 0.1), vivid=(0.05, 0.4), light=(0.8, 0.97))
    deep = 0.012
    foot = Part(shape="cylinder", size=(0.009, 0.002), pos=(0, 0, 0.002 - half), color=shell)
    core = Part(shape="ellipsoid", size=(0.6 * radius, 0.6 * radius, 0.99 * half), color=shell, density=3)
    cracks = Voice(kind="crack", onset=1.0, gain=1.0, modes=((2300, 0.004, 1.0), (5200, 0.002, 0.7)))
    return _design(
        rng,
        core=(foot, core),
        half=(deep, _smooth(radius, deep), 0.985 * half),
        ring=(radius, radius),
        color=(shell,),
        mass=(0.055, 0.068),
        spring=(900, 1300),
        voice=cracks,
        heights=(half, radius),
        skin=30_000.0,
    )


def _vessel(
    rng: np.random.Generator, radius: float, half: float, wall: tuple[Vector, ...], rim: Part, **known: Any
) -> FragileObject:
    """A thin-walled vessel: flat panels between a bottom and a rim."""
    count = 12
    bottom = Part(
        shape="cylinder", size=(0.86 * radius, 0.003), pos=(0, 0, 0.003 - half), color=wall[0], density=4
    )
    return _design(
        rng,
        core=(bottom, rim),
        half=(0.003, 1.02 * radius * float(np.tan(np.pi / count)), half - 0.005),
        ring=(radius, radius),
        count=count,
        shape="box",
        color=wall,
        heights=(half, radius),
        **known,
    )


def _ring_part(radius: float, at: float, color: Vector) -> Part:
    return Part(shape="cylinder", size=(radius, 0.002), pos=(0, 0, at), color=color)


def paper_cup(rng: np.random.Generator) -> FragileObject:
    """A paper cup with something in it: it crumples."""
    radius, half = between(rng, 0.026, 0.030), between(rng, 0.036, 0.042)
    paper = paint(rng, vivid=(0.0, 0.5), light=(0.8, 0.97))
    crumples = Voice(kind="crackle", onset=1.0, gain=0.8, modes=((1400, 0.003, 1.0), (3600, 0.0015, 0.8)))
    return _vessel(
        rng,
        radius,
        half,
        (paper, darker(paper, 0.92)),
        _ring_part(0.9 * radius, half - 0.002, WHITE),
        mass=(0.035, 0.065),
        spring=(260, 420),
        voice=crumples,
        lies=False,
    )


def bottle(rng: np.random.Generator) -> FragileObject:
    """A thin plastic bottle with some water."""
    radius, half = between(rng, 0.025, 0.028), between(rng, 0.036, 0.042)
    pet = paint(rng, (0.5, 0.62), vivid=(0.15, 0.4), light=(0.75, 0.92))
    cap = Part(shape="cylinder", size=(0.012, 0.010), pos=(0, 0, half + 0.006), color=darker(pet, 0.5))
    crackles = Voice(kind="crackle", onset=1.0, gain=1.0, modes=((950, 0.004, 1.0), (2700, 0.002, 0.8)))
    return _vessel(
        rng, radius, half, (pet,), cap, mass=(0.05, 0.09), spring=(320, 520), voice=crackles, air=0.2
    )


def yoghurt_pot(rng: np.random.Generator) -> FragileObject:
    """A pot of brittle plastic, with a lid: its wall snaps."""
    radius, half = between(rng, 0.027, 0.031), between(rng, 0.028, 0.034)
    plastic = paint(rng, vivid=(0.1, 0.6), light=(0.8, 0.97))
    snaps = Voice(kind="crack", onset=1.0, gain=0.9, modes=((620, 0.010, 1.0), (1500, 0.005, 0.8)))
    return _vessel(
        rng,
        radius,
        half,
        (plastic, WHITE),
        _ring_part(0.92 * radius, half - 0.001, STEEL),
        mass=(0.05, 0.09),
        spring=(480, 760),
        voice=snaps,
    )


def drinks_can(rng: np.random.Generator) -> FragileObject:
    """An open, nearly empty can: it dents."""
    radius, half = between(rng, 0.026, 0.029), between(rng, 0.036, 0.042)
    metal = paint(rng, vivid=(0.5, 0.9), light=(0.5, 0.9))
    dents = Voice(
        kind="crack", onset=1.0, gain=1.1, modes=((820, 0.02, 0.7), (1900, 0.012, 0.7), (3700, 0.006, 0.5))
    )
    return _vessel(
        rng,
        radius,
        half,
        (metal, darker(metal, 0.85)),
        _ring_part(0.9 * radius, half - 0.001, STEEL),
        mass=(0.03, 0.06),
        spring=(600, 900),
        voice=dents,
    )


def ice_cream_cone(rng: np.random.Generator) -> FragileObject:
    """A wafer cup with a ball of ice cream: it crunches."""
    radius, half = between(rng, 0.024, 0.027), between(rng, 0.026, 0.030)
    wafer = (0.82, 0.62, 0.35)
    ball = Part(
        shape="sphere",
        size=(0.95 * radius,),
        pos=(0, 0, half),
        color=paint(rng, vivid=(0.1, 0.5), light=(0.8, 0.97)),
        density=2,
    )
    crunches = Voice(kind="crackle", onset=1.0, gain=1.1, modes=((2600, 0.002, 1.0), (6200, 0.001, 0.8)))
    return _vessel(
        rng,
        radius,
        half,
        (wafer, darker(wafer, 0.85)),
        ball,
        mass=(0.05, 0.08),
        spring=(500, 800),
        voice=crunches,
        lies=False,
    )


def _soft_bag(
    rng: np.random.Generator, ring: tuple[float, float], half: float, color: tuple[Vector, ...], **known: Any
) -> FragileObject:
    """Something in a bag, wider than deep, with a seam above and below."""
    deep = 0.012
    seams = tuple(
        Part(shape="box", size=(0.7 * ring[0], 0.3 * ring[1], 0.003), pos=(0, 0, z), color=darker(color[0]))
        for z in (0.003 - half, half - 0.003)
    )
    return _design(
        rng,
        core=seams,
        half=(deep, _smooth(min(ring), deep) * 0.8, half - 0.003),
        ring=ring,
        color=color,
        heights=(half, min(ring)),
        **known,
    )


def crisps_bag(rng: np.random.Generator) -> FragileObject:
    """A small bag of crisps, full of air."""
    foil = paint(rng, vivid=(0.6, 0.95), light=(0.6, 0.95))
    crackles = Voice(kind="crackle", onset=1.0, gain=0.9, modes=((3100, 0.002, 1.0), (7000, 0.001, 0.9)))
    return _soft_bag(
        rng,
        (between(rng, 0.027, 0.030), between(rng, 0.022, 0.025)),
        between(rng, 0.032, 0.037),
        (foil, darker(foil, 0.9)),
        mass=(0.03, 0.05),
        spring=(220, 340),
        air=0.4,
        voice=crackles,
    )


def foil_parcel(rng: np.random.Generator) -> FragileObject:
    """A sandwich in kitchen foil."""
    crackles = Voice(kind="crackle", onset=1.0, gain=1.0, modes=((2200, 0.003, 1.0), (5600, 0.0015, 0.9)))
    return _soft_bag(
        rng,
        (between(rng, 0.026, 0.029), between(rng, 0.024, 0.026)),
        between(rng, 0.026, 0.031),
        (STEEL, (0.7, 0.72, 0.75)),
        mass=(0.05, 0.09),
        spring=(340, 520),
        air=0.2,
        voice=crackles,
    )


def bread_roll(rng: np.random.Generator) -> FragileObject:
    """A crusty roll."""
    radius, half = between(rng, 0.028, 0.031), between(rng, 0.024, 0.028)
    crust = paint(rng, (0.07, 0.1), vivid=(0.5, 0.7), light=(0.6, 0.8))
    deep = 0.013
    crumb = Part(shape="ellipsoid", size=(0.5 * radius, 0.5 * radius, 0.95 * half), color=crust, density=1)
    foot = Part(shape="cylinder", size=(0.6 * radius, 0.003), pos=(0, 0, 0.003 - half), color=darker(crust))
    crunches = Voice(kind="crackle", onset=1.0, gain=0.9, modes=((1100, 0.003, 1.0), (2900, 0.002, 0.8)))
    return _design(
        rng,
        core=(foot, crumb),
        half=(deep, _smooth(radius, deep), 0.95 * half),
        ring=(radius, radius),
        color=(crust, darker(crust, 0.93)),
        mass=(0.04, 0.07),
        spring=(300, 480),
        air=0.1,
        voice=crunches,
        heights=(half, radius),
        lies=False,  # it would fall back on its face
    )


def _squeaking(rng: np.random.Generator, ring: float, skin: Vector, top: Part, pitch: float) -> FragileObject:
    """A hollow rubber body with a reed."""
    base = Part(shape="cylinder", size=(0.016, 0.004), pos=(0, 0, -0.026), color=darker(skin), density=3)
    sings = Voice(
        kind="reed", onset=between(rng, 0.0038, 0.0052), gain=0.75, modes=((PITCH * pitch, 0.1, pitch),)
    )
    return _design(
        rng,
        core=(base, top),
        half=(0.013, _smooth(ring, 0.013), 0.028),
        ring=(ring, ring),
        color=(skin,),
        mass=(0.06, 0.09),
        spring=(260, 360),
        air=0.4,
        voice=sings,
        heights=(0.031, ring + 0.002),
    )


def squeaky_duck(rng: np.random.Generator) -> FragileObject:
    """A rubber duck for the bath, upright on its base."""
    yellow = paint(rng, (0.12, 0.16), vivid=(0.75, 0.95), light=(0.85, 0.98))
    head = Part(shape="sphere", size=(0.014,), pos=(0.004, 0, 0.034), color=yellow, density=2)
    return _squeaking(rng, between(rng, 0.025, 0.028), yellow, head, between(rng, 0.75, 0.95))


def rubber_ball(rng: np.random.Generator) -> FragileObject:
    """A dog's squeaky ball on a base."""
    color = paint(rng, vivid=(0.6, 0.9), light=(0.5, 0.9))
    cap = Part(shape="cylinder", size=(0.012, 0.004), pos=(0, 0, 0.027), color=darker(color), density=2)
    return _squeaking(rng, between(rng, 0.026, 0.029), color, cap, between(rng, 1.1, 1.35))


Draw = Callable[[np.random.Generator], FragileObject]

TRAINED, HELD_OUT = 4, 2
"""Items of a family in the set "fragile", and further ones in the set "held-out"."""

FAMILIES: Mapping[str, Draw] = {
    "tomato": tomato,
    "egg": egg,
    "paper-cup": paper_cup,
    "crisps-bag": crisps_bag,
    "bread-roll": bread_roll,
    "bottle": bottle,
    "yoghurt-pot": yoghurt_pot,
    "squeaky-duck": squeaky_duck,
    "plum": plum,
}
"""Families of the sets "fragile" and "held-out"."""

UNSEEN: Mapping[str, Draw] = {
    "peach": peach,
    "drinks-can": drinks_can,
    "ice-cream-cone": ice_cream_cone,
    "foil-parcel": foil_parcel,
    "rubber-ball": rubber_ball,
}
"""Families of the set "unseen"."""


def _numbered(families: Mapping[str, Draw], first: int, count: int) -> tuple[str, ...]:
    return tuple(f"{family}-{number:02d}" for family in families for number in range(first, first + count))


SETS: Mapping[str, tuple[str, ...]] = {
    "toy": ("toy",),
    "fragile": _numbered(FAMILIES, 1, TRAINED),
    "held-out": _numbered(FAMILIES, 1 + TRAINED, HELD_OUT),
    "unseen": _numbered(UNSEEN, 1, HELD_OUT),
}
"""Set → names. "held-out" are other items of the families of "fragile"; "unseen" are other families."""

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
    made = {"toy": toy, **FAMILIES, **UNSEEN}[family](np.random.default_rng(zlib.crc32(name.encode())))
    return replace(made, name=name, family=family)


def fragile_names(which: str) -> tuple[str, ...]:
    """Names of a set ("toy", "fragile", "held-out" or "unseen"), or of sets and objects joined by commas.

    Raises:
        DataError: a set or object is unknown, or an object occurs twice.
    """
    names: list[str] = []
    for name in (each.strip() for each in which.split(",")):
        if name not in SETS and name not in _NAMES:
            raise DataError(
                f"there is no fragile object and no set {name!r}; expected {', '.join(SETS)}, or names "
                f"joined by commas; {_hint(name)}"
            )
        names += SETS.get(name, (name,))
    if len(set(names)) < len(names):
        raise DataError(f"the objects {which!r} name one twice; give each once")
    return tuple(names)


def _hint(name: str) -> str:
    near = difflib.get_close_matches(str(name), [*SETS, *_NAMES], n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else "such as toy or egg-01"

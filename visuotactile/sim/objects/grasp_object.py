"""A rigid or compliant thing to grasp, put together from what a family designed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from visuotactile.sim.objects.parts import Array, Part, Vector
from visuotactile.sim.objects.relief import Relief

GRAVITY = 9.81
SLIPPERIEST, STICKIEST = 0.15, 1.0
"""The lowest sliding friction against the gel."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """An object as its family draws it; the rest follows from that.

    Attributes:
        parts: in any frame whose z is up.
        mass: plausible range in kilograms.
        stiffness: N/m; None for what is rigid.
        relief: its `axis` in the frame of `parts`.
    """

    parts: Sequence[Part]
    mass: tuple[float, float]
    stiffness: float | None = None
    relief: Relief | None = None


@dataclass(frozen=True, kw_only=True)
class GraspObject:
    """Something to grasp. Its frame's origin is the middle of its bounding box when it stands upright.

    Attributes:
        name: such as mug-03; unique.
        family: such as mug.
        parts: convex, in the object's frame.
        mass: kilograms.
        friction: sliding, against the gel.
        com: centre of mass, metres.
        inertia: kg·m² about the centre of mass, along the object's axes.
        stiffness: of the surface under a pad, N/m; None for what is rigid.
        relief: None for what is smooth.
        rest_height: of the origin over the table when it stands, metres.
        height: metres.
        radius: of the upright cylinder around the origin that holds the object, metres.
    """

    name: str
    family: str
    parts: tuple[Part, ...]
    mass: float
    friction: float
    com: Vector
    inertia: Vector
    stiffness: float | None
    relief: Relief | None
    rest_height: float
    height: float
    radius: float


def assemble(
    name: str, family: str, design: Design, force: tuple[float, float], rng: np.random.Generator
) -> GraspObject:
    """Center a design, and draw its weight and friction so that its critical force is in `force`, newtons."""
    axes = np.eye(3)
    upper = np.max([part.reach(axes) for part in design.parts], axis=0)
    lower = -np.max([part.reach(-axes) for part in design.parts], axis=0)
    middle = (upper + lower) / 2
    parts = tuple(replace(part, pos=_vector(np.array(part.pos) - middle)) for part in design.parts)
    relief = design.relief
    if relief is not None:
        relief = replace(relief, axis=(relief.axis[0] - float(middle[0]), relief.axis[1] - float(middle[1])))
    mass, friction = _weight(design.mass, force, rng)
    com, inertia = _mass_properties(parts, mass)
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    around = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    half = float(upper[2] - lower[2]) / 2
    return GraspObject(
        name=name,
        family=family,
        parts=parts,
        mass=mass,
        friction=friction,
        com=_vector(com),
        inertia=_vector(inertia),
        stiffness=design.stiffness,
        relief=relief,
        rest_height=half,
        height=2 * half,
        radius=float(np.max([part.reach(around) for part in parts])),
    )


def _weight(
    plausible: tuple[float, float], force: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float]:
    """A mass in the plausible range, and a friction that makes a critical force in `force` where one can.

    What is light has a low critical force, however slippery it is, and what is heavy a high one.
    """
    mass = float(rng.uniform(*plausible))
    low, high = (mass * GRAVITY / (2 * friction) for friction in (STICKIEST, SLIPPERIEST))
    low, high = max(low, min(force[0], high)), min(high, max(force[1], low))
    critical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return mass, mass * GRAVITY / (2 * critical)


def _mass_properties(parts: Sequence[Part], mass: float) -> tuple[Array, Array]:
    """Centre of mass [3] and moments of inertia about it [3]; what parts share counts twice."""
    moments = [part.moments() for part in parts]
    weight = np.array([part.density * m[0] for part, m in zip(parts, moments, strict=True)])
    weight *= mass / weight.sum()
    centers = np.array([m[1] for m in moments])
    com = weight @ centers / mass
    second = sum(
        w * (m[2] / m[0] + np.outer(m[1] - com, m[1] - com)) for w, m in zip(weight, moments, strict=True)
    )
    diagonal = np.diag(np.asarray(second))
    return com, diagonal.sum() - diagonal


def _vector(values: Array) -> Vector:
    x, y, z = values.tolist()
    return (x, y, z)

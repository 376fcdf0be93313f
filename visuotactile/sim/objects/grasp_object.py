"""A rigid or compliant object to grasp, assembled from a family's design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from visuotactile.sim.objects.parts import Array, Part, Vector
from visuotactile.sim.objects.relief import Relief

GRAVITY = 9.81
SLIPPERIEST, STICKIEST = 0.15, 1.0
"""Minimum sliding friction against the gel."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Design of an object, drawn by its family.

    Attributes:
        parts: parts in any frame whose z is up.
        mass: plausible range in kilograms.
        stiffness: N/m; None for a rigid object.
        relief: relief, with its `axis` in the frame of `parts`.
    """

    parts: Sequence[Part]
    mass: tuple[float, float]
    stiffness: float | None = None
    relief: Relief | None = None


@dataclass(frozen=True, kw_only=True)
class GraspObject:
    """An object to grasp. The origin of its frame is the centre of its bounding box when upright.

    Attributes:
        name: unique name, such as mug-03.
        family: name of the family, such as mug.
        parts: convex parts, in the object's frame.
        mass: kilograms.
        friction: sliding friction against the gel.
        com: centre of mass, metres.
        inertia: kg·m² about the centre of mass, along the object's axes.
        stiffness: stiffness of the surface under a pad, N/m; None for a rigid object.
        relief: relief of the surface; None if smooth.
        rest_height: height of the origin over the table at rest, metres.
        height: height of the object, metres.
        radius: radius of the enclosing upright cylinder around the origin, metres.
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
    """Centre a design, and draw mass and friction so that its critical force is in `force`, newtons."""
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
    """Draw a plausible mass, and a friction for which the critical force is in `force`, if possible.

    Light objects have a low critical force, however slippery, and heavy ones a high one.
    """
    mass = float(rng.uniform(*plausible))
    low, high = (mass * GRAVITY / (2 * friction) for friction in (STICKIEST, SLIPPERIEST))
    low, high = max(low, min(force[0], high)), min(high, max(force[1], low))
    critical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return mass, mass * GRAVITY / (2 * critical)


def _mass_properties(parts: Sequence[Part], mass: float) -> tuple[Array, Array]:
    """Centre of mass [3] and moments of inertia about it [3]; overlaps of parts count twice."""
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

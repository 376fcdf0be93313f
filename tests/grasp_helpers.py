"""Objects of known shape, weight and friction for the tests of the simulated lab."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import ConvexHull

from visuotactile.sim.objects.grasp_object import GraspObject
from visuotactile.sim.objects.parts import Mesh, Part

GRAY = (0.5, 0.5, 0.5)


def prism(sides: int, radius: float, half: float) -> Part:
    """An upright regular prism with a flat face towards +x, as a mesh."""
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    ring = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    vertices = np.vstack([np.column_stack([ring, np.full(sides, z)]) for z in (-half, half)])
    hull = ConvexHull(vertices)
    faces = hull.simplices.copy()
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Part(shape="mesh", mesh=Mesh(vertices, faces.astype(np.int32)), color=GRAY)


PARTS = {
    "box": Part(shape="box", size=(0.025, 0.03, 0.05), color=GRAY),
    "cylinder": Part(shape="cylinder", size=(0.025, 0.05), color=GRAY),
    "prism": prism(6, 0.028, 0.05),
    "capsule": Part(shape="capsule", size=(0.022, 0.04), color=GRAY),
    "ellipsoid": Part(shape="ellipsoid", size=(0.028, 0.028, 0.04), color=GRAY),
    "sphere": Part(shape="sphere", size=(0.03,), color=GRAY),
    "beam": Part(shape="box", size=(0.02, 0.09, 0.02), color=GRAY),
    "tall": Part(shape="box", size=(0.02, 0.025, 0.09), color=GRAY),
}


def solid(shape: str, **changes: Any) -> GraspObject:
    """One homogeneous part of `PARTS`, 0.2 kg and friction 0.6 unless told otherwise."""
    part = PARTS[shape]
    mass = changes.pop("mass", 0.2)
    volume, _, second = part.moments()
    variance = np.diag(second) / volume
    half = float(part.reach(np.array([[0.0, 0.0, 1.0]]))[0])
    around = np.linspace(0, 2 * np.pi, 90)
    reach = part.reach(np.column_stack([np.cos(around), np.sin(around), 0 * around]))
    settings: dict[str, Any] = {
        "name": shape,
        "family": shape,
        "parts": (part,),
        "mass": mass,
        "friction": 0.6,
        "com": (0.0, 0.0, 0.0),
        "inertia": tuple((mass * (variance.sum() - variance)).tolist()),
        "stiffness": None,
        "relief": None,
        "rest_height": half,
        "height": 2 * half,
        "radius": float(reach.max()),
    }
    return GraspObject(**(settings | changes))

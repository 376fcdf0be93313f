"""Convex meshes: solids of revolution, prisms and stones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull

from visuotactile.sim.objects.parts import Array, Mesh

SIDES = 48
"""Sides of a round mesh: within 0.07 mm of a circle of 30 mm, and compiled in a millisecond."""


def hull(points: Array) -> Mesh:
    """The convex hull of points [N, 3], N ≥ 4 and not all in a plane, faces outward."""
    found = ConvexHull(points)
    numbers = np.full(len(points), -1, np.int32)
    numbers[found.vertices] = np.arange(len(found.vertices), dtype=np.int32)
    faces = numbers[found.simplices]
    vertices = np.ascontiguousarray(points[found.vertices], np.float64)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), found.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Mesh(vertices, faces)


def ring(radius: float, z: float, sides: int = SIDES, *, squash: float = 1.0, turn: float = 0.0) -> Array:
    """A horizontal polygon [sides, 3]; `squash` scales y, `turn` rotates it by a share of one side."""
    angle = 2 * np.pi * (np.arange(sides) + turn) / sides
    return np.column_stack([radius * np.cos(angle), squash * radius * np.sin(angle), np.full(sides, z)])


def lathe(profile: Sequence[tuple[float, float]], sides: int = SIDES, *, squash: float = 1.0) -> Mesh:
    """A convex solid of revolution from (height, radius > 0) at its rings, bottom up; or a prism."""
    count = len(profile)
    vertices = np.concatenate([ring(radius, z, sides, squash=squash) for z, radius in profile])
    i = np.arange(sides, dtype=np.int32)
    j = (i + 1) % sides
    caps = i[1:-1]
    first, last = np.zeros_like(caps), np.full_like(caps, sides * (count - 1))
    faces = [
        np.column_stack([first, caps + 1, caps]),
        np.column_stack([last, last + caps, last + caps + 1]),
    ]
    for low in range(0, sides * (count - 1), sides):
        high = low + sides
        faces += [
            np.column_stack([low + i, low + j, high + j]),
            np.column_stack([low + i, high + j, high + i]),
        ]
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


def stone(rng: np.random.Generator, half: Array, count: int, flat: float) -> Mesh:
    """The hull of `count` random points near an ellipsoid of half-axes [3], cut at `flat` of its lower half.

    The cut is the face on which it rests.
    """
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = direction * rng.uniform(0.82, 1.0, (count, 1))
    foot = ring(float(np.sqrt(1 - flat**2)) * 0.95, -flat, 9, turn=float(rng.random()))
    points[:, 2] = np.maximum(points[:, 2], -flat)
    return hull(np.concatenate([points, foot]) * half)

"""Convex parts of an object, MuJoCo primitives or meshes, with exact mass properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Shape = Literal["box", "cylinder", "sphere", "ellipsoid", "capsule", "mesh"]
UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed convex surface.

    Attributes:
        vertices: float64 [V, 3], metres, read-only.
        faces: int32 [F, 3], counter-clockwise from outside, read-only.
    """

    vertices: Array
    faces: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        """Lock the arrays, as objects are shared between trials."""
        self.vertices.setflags(write=False)
        self.faces.setflags(write=False)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One convex geom of an object, in the object's frame.

    Attributes:
        shape: type of MuJoCo's geom.
        size: MuJoCo's half-sizes in metres; () for a mesh.
        pos: position, metres.
        quat: orientation w, x, y, z.
        mesh: mesh, for the shape "mesh" only.
        color: red, green, blue in 0–1.
        density: relative to the object's other parts; a hammer's head is denser than its handle.
    """

    shape: Shape
    size: tuple[float, ...] = ()
    pos: Vector = (0.0, 0.0, 0.0)
    quat: Quaternion = UPRIGHT
    mesh: Mesh | None = None
    color: Vector
    density: float = 1.0

    def rotation(self) -> Array:
        """The part's axes as columns, [3, 3]."""
        w, x, y, z = self.quat
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    def reach(self, directions: Array) -> Array:
        """Reach of the part along unit vectors [N, 3] from the object's origin, metres [N]."""
        d = directions @ self.rotation()
        along = abs(d)
        match self.shape:
            case "box":
                local = along @ np.array(self.size)
            case "sphere":
                local = np.full(len(d), self.size[0])
            case "ellipsoid":
                local = np.linalg.norm(d * np.array(self.size), axis=1)
            case "capsule":
                local = self.size[0] + along[:, 2] * self.size[1]
            case "cylinder":
                local = np.hypot(d[:, 0], d[:, 1]) * self.size[0] + along[:, 2] * self.size[1]
            case "mesh":
                assert self.mesh is not None
                local = (d @ self.mesh.vertices.T).max(axis=1)
        return np.asarray(local + directions @ np.array(self.pos))

    def moments(self) -> tuple[float, Array, Array]:
        """Volume (m³), centroid [3] in the object's frame, and second moments about it [3, 3] (m⁵).

        The second moments are ∫ r rᵀ dV along the object's axes.
        """
        turn = self.rotation()
        if self.mesh is not None:
            volume, center, second = _mesh_moments(self.mesh)
        else:
            volume, diagonal = _primitive_moments(self.shape, self.size)
            center, second = np.zeros(3), np.diag(diagonal)
        return volume, turn @ center + np.array(self.pos), turn @ second @ turn.T


def _primitive_moments(shape: Shape, size: tuple[float, ...]) -> tuple[float, Array]:
    """Volume, and ∫ x², ∫ y², ∫ z² over it."""
    match shape:
        case "box":
            half = np.array(size)
            volume = 8 * float(half.prod())
            return volume, volume * half**2 / 3
        case "sphere" | "ellipsoid":
            half = np.array(size) if shape == "ellipsoid" else np.full(3, size[0])
            volume = 4 / 3 * np.pi * float(half.prod())
            return volume, volume * half**2 / 5
        case "cylinder":
            r, h = size
            volume = 2 * np.pi * r * r * h
            return volume, volume * np.array([r * r / 4, r * r / 4, h * h / 3])
        case "capsule":
            r, h = size
            middle, ends = 2 * np.pi * r * r * h, 4 / 3 * np.pi * r**3
            side = middle * r * r / 4 + ends * r * r / 5
            # A hemisphere's centroid is 3r/8 from its flat face.
            up = middle * h * h / 3 + ends * (r * r / 5 + h * h + 3 / 4 * r * h)
            return middle + ends, np.array([side, side, up])
        case _:
            raise AssertionError(shape)


def _mesh_moments(mesh: Mesh) -> tuple[float, Array, Array]:
    """Volume, centroid and central second moments of a closed mesh, summed over tetrahedra at the origin."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    volumes = np.einsum("fi,fi->f", a, np.cross(b, c)) / 6
    volume = float(volumes.sum())
    total = a + b + c
    center = (volumes @ total) / (4 * volume)
    squares = sum(np.einsum("f,fi,fj->ij", volumes, p, p) for p in (a, b, c, total))
    return volume, center, np.asarray(squares) / 20 - volume * np.outer(center, center)

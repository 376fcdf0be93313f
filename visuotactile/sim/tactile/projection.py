"""Distance of the object's geoms from a plane, along parallel rays: exact, for MuJoCo's convex geoms.

MuJoCo's own rays need about a microsecond for every mesh and ray. All rays of one pad run along its normal,
so that a geom's constants are worked out once, and what is left are a few array operations.
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from visuotactile.errors import SimulationError
from visuotactile.sim.contact import PadState

Array = npt.NDArray[np.float64]

SPACING = 0.6e-3
"""Metres between the places of a first look."""

_GEOM = mujoco.mjtGeom
_PARALLEL = 1e-9  # of a unit vector: a face or a side along the rays is tilted by so much, and met far away
_STEEPEST = 4  # of a slope at an object's outline: beyond, a pixel of it is lost
_SIGNS = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])


class Projection:
    """One geom before one pad.

    Meshes count as their convex hull, as they do in contact.

    Raises:
        SimulationError: a geom of a type that no gripper can hold.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, geom: int, pad: PadState) -> None:
        self._type, self._size = _GEOM(int(model.geom_type[geom])), model.geom_size[geom]
        turn = data.geom_xmat[geom].reshape(3, 3).T
        # A ray at (u, v) is start + u · across + v · up + t · along, in the geom's frame.
        self._start = turn @ (pad.position - data.geom_xpos[geom])
        self._across, self._up, self._along = (turn @ pad.rotation).T
        if self._type in (_GEOM.mjGEOM_BOX, _GEOM.mjGEOM_MESH):
            if self._type == _GEOM.mjGEOM_BOX:
                planes = np.column_stack([_SIGNS, -self._size.repeat(2)])
            else:
                mesh = model.geom_dataid[geom]
                first = model.mesh_vertadr[mesh]
                planes = _hull(model.mesh_vert[first : first + model.mesh_vertnum[mesh]].tobytes())
            self._entries, self._exits = self._linear(planes)
        elif self._type not in _CURVED:
            raise SimulationError(
                f"geom {geom} ({model.geom(geom).name!r}) is of MuJoCo's type {self._type.name}; a gel can "
                "meet a sphere, an ellipsoid, a capsule, a cylinder, a box or a mesh"
            )

    def narrowed(self, u: Array, v: Array) -> Projection:
        """This geom without the faces that cannot be met near places (u, v), at most `SPACING` apart."""
        if self._type != _GEOM.mjGEOM_MESH:
            return self
        let_in, let_out = _heights(self._entries, u, v), _heights(self._exits, u, v)
        first = let_in.max(axis=0)
        geom = copy(self)
        # A face that is met between two places comes, at one of them, as near to the foremost as they stand
        # apart, unless the edge between the two is sharper than 90°.
        geom._entries = self._entries[(first - let_in).min(axis=1) < SPACING]
        geom._exits = self._exits[(let_out - first).min(axis=1) < _STEEPEST * SPACING]
        return geom

    def gap(self, u: Array, v: Array) -> Array:
        """Metres [N] from the plane to the geom at places (u [N], v [N]) on it; infinite where it misses."""
        if self._type in (_GEOM.mjGEOM_BOX, _GEOM.mjGEOM_MESH):
            first = _heights(self._entries, u, v).max(axis=0, initial=-np.inf)
            last = _heights(self._exits, u, v).min(axis=0, initial=np.inf)
            return np.where(first <= last, first, np.inf)
        x, y, z = (
            start + across * u + up * v
            for start, across, up in zip(self._start, self._across, self._up, strict=True)
        )
        dx, dy, dz = self._along
        if self._type == _GEOM.mjGEOM_SPHERE:
            return _quadric((x, y, z), (dx, dy, dz), self._size[0])[0]
        if self._type == _GEOM.mjGEOM_ELLIPSOID:
            a, b, c = self._size
            return _quadric((x / a, y / b, z / c), (dx / a, dy / b, dz / c), 1.0)[0]
        first, last = _quadric((x, y), (dx, dy), self._size[0])
        dz = dz if abs(dz) > _PARALLEL else _PARALLEL
        ends = np.stack([(-self._size[1] - z) / dz, (self._size[1] - z) / dz])
        first, last = np.maximum(first, ends.min(axis=0)), np.minimum(last, ends.max(axis=0))
        gap = np.where(first <= last, first, np.inf)
        if self._type == _GEOM.mjGEOM_CAPSULE:
            for end in (-self._size[1], self._size[1]):
                gap = np.minimum(gap, _quadric((x, y, z - end), (dx, dy, self._along[2]), self._size[0])[0])
        return gap

    def _linear(self, planes: Array) -> tuple[Array, Array]:
        """Crossings of rays with planes [F, 4]: coefficients of 1, u and v; entries first, then exits."""
        facing = planes[:, :3] @ self._along
        facing[abs(facing) < _PARALLEL] = _PARALLEL
        cuts = planes[:, :3] @ np.column_stack([self._start, self._across, self._up])
        cuts[:, 0] += planes[:, 3]
        cuts /= -facing[:, None]
        return cuts[facing < 0], cuts[facing > 0]


_CURVED = (_GEOM.mjGEOM_SPHERE, _GEOM.mjGEOM_ELLIPSOID, _GEOM.mjGEOM_CAPSULE, _GEOM.mjGEOM_CYLINDER)


def _heights(cuts: Array, u: Array, v: Array) -> Array:
    """Linear functions [F, 3] at places (u [N], v [N]), [F, N]."""
    return cuts @ np.stack([np.ones_like(u), u, v])


def _quadric(at: tuple[Array, ...], along: tuple[float, ...], radius: float) -> tuple[Array, Array]:
    """Entries and exits of rays at a ball or an endless cylinder of `radius`; (inf, −inf) where they miss."""
    a = max(sum(d * d for d in along), _PARALLEL**2)
    b = sum(d * x for d, x in zip(along, at, strict=True))
    c = sum(x * x for x in at) - radius**2
    root = np.asarray(b * b - a * c)
    missed = root < 0
    root = np.sqrt(np.maximum(root, 0))
    return np.where(missed, np.inf, (-b - root) / a), np.where(missed, -np.inf, (-b + root) / a)


@lru_cache(maxsize=512)
def _hull(vertices: bytes) -> Array:
    """Faces [F, 4] of the hull of float32 vertices: outward normal and offset, n · x + offset ≤ 0 inside."""
    equations = ConvexHull(np.frombuffer(vertices, np.float32).reshape(-1, 3).astype(np.float64)).equations
    _, first = np.unique(equations.round(6), axis=0, return_index=True)  # the triangles of one flat face
    faces: Array = equations[first]
    faces.flags.writeable = False
    return faces

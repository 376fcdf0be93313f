"""Ray casting in a MuJoCo scene, without a display or OpenGL."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """First hits of N rays.

    Attributes:
        distance: float64 [N], metres along the ray; -1 for a miss.
        geom: int32 [N], id of the geom; -1 for a miss.
        normal: float64 [N, 3], unit normal of the surface in the world; zero for a miss. [0, 3] if normals
            were not requested.
    """

    distance: Array
    geom: npt.NDArray[np.int32]
    normal: Array


def cast(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Array,
    directions: Array,
    groups: tuple[int, ...],
    *,
    normals: bool = False,
    reach: float = 10.0,
) -> Hits:
    """Cast rays from `origin` [3] along unit vectors `directions` [N, 3], at geoms of these groups only.

    Poses are those of `data` after `mj_kinematics` (or a step). Meshes are hit at their true triangles, where
    contact uses their convex hull.
    """
    count = len(directions)
    distance, geom = np.empty(count), np.empty(count, np.int32)
    normal = np.empty(3 * count) if normals else None
    rays: Any = np.ascontiguousarray(directions, np.float64).ravel()
    mujoco.mj_multiRay(
        model,
        data,
        np.ascontiguousarray(origin, np.float64),
        rays,
        group_mask(groups),
        True,
        -1,
        geom,
        distance,
        normal,
        count,
        reach,
    )
    missed = geom < 0
    distance[missed] = -1.0
    if normal is None:
        return Hits(distance, geom, np.empty((0, 3)))
    vectors = normal.reshape(-1, 3)
    vectors[missed] = 0.0
    return Hits(distance, geom, vectors)


@functools.cache
def group_mask(groups: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Mask of MuJoCo's geom groups, uint8: 1 for `groups`, 0 for the others."""
    mask = np.zeros(mujoco.mjNGROUP, np.uint8)
    mask[list(groups)] = 1
    mask.flags.writeable = False
    return mask

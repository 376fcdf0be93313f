"""Rays through a MuJoCo scene, without a display and without OpenGL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """What N rays met first.

    Attributes:
        distance: float64 [N], metres along the ray; -1 where it met nothing.
        geom: int32 [N], the geom's number; -1 where it met nothing.
        normal: float64 [N, 3], the surface's unit normal in the world; zero where it met nothing.
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
    reach: float = 10.0,
) -> Hits:
    """Send rays from `origin` [3] along the unit vectors `directions` [N, 3], at geoms of these groups only.

    Geoms stand where `data` has them after `mj_kinematics` (or a step). Meshes are met at their true
    triangles, where contact meets their convex hull.
    """
    count = len(directions)
    distance, geom, normal = np.empty(count), np.empty(count, np.int32), np.empty(3 * count)
    wanted = np.zeros(mujoco.mjNGROUP, np.uint8)
    wanted[list(groups)] = 1
    rays: Any = np.ascontiguousarray(directions, np.float64).ravel()
    mujoco.mj_multiRay(
        model,
        data,
        np.ascontiguousarray(origin, np.float64),
        rays,
        wanted,
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
    normals = normal.reshape(-1, 3)
    normals[missed] = 0.0
    return Hits(distance, geom, normals)

"""Contact of one pad of the gripper: the sum of the simulator's contact forces, in the pad's frame."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PadState:
    """Pose of a pad, and load of the object on its gel.

    The origin of the pad's frame is the centre of the gel's outer surface: n points out of the gel towards
    the object, v up, u to the right of the tactile image, so that u × v = n.

    Attributes:
        position: float64 [3], metres in the world.
        rotation: float64 [3, 3], columns u, v, n in the world.
        normal: newtons, 0 without contact; the object presses the gel along −n.
        shear: float64 [2], newtons along (u, v), of the object on the gel.
        torsion: newton metres about n through `center`, of the object on the gel.
        center: float64 [2], metres along (u, v): centre of pressure, relative to the window's centre.
    """

    position: Array
    rotation: Array
    normal: float
    shear: Array
    torsion: float
    center: Array


def read_pad(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    pad: int,
    sign: float,
    others: npt.NDArray[np.bool_] | None = None,
) -> PadState:
    """Sum the contacts of the pad's geom; its outer face looks along `sign` · x of the geom.

    `others` [geoms] are those whose contacts count; by default all, for a pad that meets nothing else.
    """
    axes = data.geom_xmat[pad].reshape(3, 3)
    n, v = sign * axes[:, 0], axes[:, 2]
    rotation = np.array(
        [
            (v[1] * n[2] - v[2] * n[1], v[0], n[0]),
            (v[2] * n[0] - v[0] * n[2], v[1], n[1]),
            (v[0] * n[1] - v[1] * n[0], v[2], n[2]),
        ]
    )  # np.cross is ten times slower
    position = data.geom_xpos[pad] + n * model.geom_size[pad, 0]

    # one row per contact, in the pad's frame: position, force and moment of the object on the gel
    places, forces, moments = [], [], []
    wrench = np.zeros(6)
    pairs = data.contact.geom[: data.ncon]
    meets = (pairs == pad).any(axis=1)
    if others is not None and meets.any():
        meets &= others[pairs].any(axis=1)
    for i in np.flatnonzero(meets):
        contact = data.contact[i]
        mujoco.mj_contactForce(model, data, int(i), wrench)
        side = 1.0 if contact.geom[1] == pad else -1.0
        to_pad = side * rotation.T @ contact.frame.reshape(3, 3).T
        places.append(rotation.T @ (contact.pos - position))
        forces.append(to_pad @ wrench[:3])
        moments.append(to_pad @ wrench[3:])
    force = np.sum(forces, axis=0) if forces else np.zeros(3)
    normal = max(0.0, -float(force[2]))
    if normal == 0.0:
        return PadState(
            position=position,
            rotation=rotation,
            normal=0.0,
            shear=np.zeros(2),
            torsion=0.0,
            center=np.zeros(2),
        )
    place, share = np.array(places), np.array(forces)
    center = -share[:, 2] @ place[:, :2] / normal
    arm = place[:, :2] - center
    torsion = np.sum(moments, axis=0)[2] + np.sum(arm[:, 0] * share[:, 1] - arm[:, 1] * share[:, 0])
    return PadState(
        position=position,
        rotation=rotation,
        normal=normal,
        shear=force[:2].copy(),
        torsion=float(torsion),
        center=center,
    )

"""Addition of an object to a MuJoCo model, as a free body with its parts as geoms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco

from visuotactile.sim.objects.grasp_object import GraspObject
from visuotactile.sim.objects.parts import UPRIGHT, Part, Quaternion, Vector

OBJECT_GROUP = 3
"""Geom group of the objects that gels sense."""

_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "mesh": mujoco.mjtGeom.mjGEOM_MESH,
}


def add_object(
    spec: mujoco.MjSpec,
    obj: GraspObject,
    *,
    name: str = "object",
    pos: Vector | None = None,
    quat: Quaternion = UPRIGHT,
    contact: Mapping[str, Any] | None = None,
) -> mujoco.MjsBody:
    """Add `obj` to `spec` as a body `name` with a free joint of that name, and return the body.

    Geoms are named `name`/0, `name`/1 … and are in group 3; mesh assets are named like their geoms.

    Args:
        spec: model to add to.
        obj: object from `make_object`.
        name: name of the body, unique in the model.
        pos: position of the object's frame in metres; by default at rest in the centre of the table.
        quat: orientation w, x, y, z.
        contact: settings of MuJoCo's geoms, the same for every part: friction, condim, solref, solimp,
            priority … The friction of `obj` is against the gel; the caller sets that against the table.
    """
    body = spec.worldbody.add_body(
        name=name, pos=pos or (0.0, 0.0, obj.rest_height), quat=quat, mass=obj.mass, ipos=obj.com
    )
    body.inertia = obj.inertia
    body.explicitinertial = True
    body.add_freejoint(name=name)
    for number, part in enumerate(obj.parts):
        add_part(body, spec, f"{name}/{number}", part, **(contact or {}))
    return body


def add_part(
    body: mujoco.MjsBody, spec: mujoco.MjSpec, label: str, part: Part, **contact: Any
) -> mujoco.MjsGeom:
    """Add a geom `label`, in group 3, to a body of `spec`; a mesh's asset has the same name."""
    geom = body.add_geom(
        name=label,
        type=_TYPES[part.shape],
        pos=part.pos,
        quat=part.quat,
        group=OBJECT_GROUP,
        rgba=(*part.color, 1.0),
        **contact,
    )
    if part.mesh is None:
        geom.size[: len(part.size)] = part.size
    else:
        asset = spec.add_mesh(name=label)
        asset.uservert = part.mesh.vertices.ravel()
        asset.userface = part.mesh.faces.ravel()
        geom.meshname = label
    return geom

"""A pad before one free object, without a gripper, for the tests of the tactile sensors."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.sim.contact import PadState
from visuotactile.sim.tactile import SensorUnit, TactileSensor, make_unit

SHAPE = (120, 160)
SPHERE_RADIUS = 0.012
SPHERE = f'<geom type="sphere" size="{SPHERE_RADIUS}" group="3"/>'


def flat_unit(name: str = "gelsight-001") -> SensorUnit:
    """A unit whose gel has no dome, as the closed forms want it."""
    unit = make_unit(name)
    return replace(unit, gel=replace(unit.gel, dome=0.0))


def scene(geoms: str, *, around: str = "") -> tuple[mujoco.MjModel, mujoco.MjData, int]:
    """An object of these geoms whose frame stands at the world's origin; its body's number."""
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco>{around}<worldbody><body name="object"><freejoint/>{geoms}</body></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    return model, data, model.body("object").id


def pad_at(position: tuple[float, float, float], *, yaw: float = 0.0, normal: float = 6.0) -> PadState:
    """A pad there, whose gel looks along (cos yaw, sin yaw, 0)."""
    n, v = np.array([np.cos(yaw), np.sin(yaw), 0.0]), np.array([0.0, 0.0, 1.0])
    return PadState(
        position=np.array(position),
        rotation=np.column_stack([np.cross(v, n), v, n]),
        normal=normal,
        shear=np.zeros(2),
        torsion=0.0,
        center=np.zeros(2),
    )


def imprint(
    sensor: TactileSensor, geoms: str, pad: PadState, *, stiffness: float | None = None
) -> npt.NDArray[np.float64]:
    """The imprint of an object at the origin."""
    model, data, body = scene(geoms)
    return sensor.indentation(model, data, pad, None, body, stiffness)

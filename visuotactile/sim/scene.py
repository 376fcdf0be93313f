"""The MuJoCo model of one grasp: a table, an arm-less parallel gripper with two gel pads, and one object.

Geom groups: 0 table, 1 hand and fingers, 2 pads, 3 the object, 4 the volume that the hand sweeps on its way
down (without contact, not rendered). The hand's six coordinates come first in `qpos`, `qvel` and `ctrl`
(x, y, z, yaw, left finger, right finger), the object's free joint after them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco

from visuotactile.errors import SimulationError
from visuotactile.sim.objects.grasp_object import GraspObject
from visuotactile.sim.objects.mjcf import add_object

Color = tuple[float, float, float]

PAD_HALF = (0.012, 0.009)  # m: the gel's window, half its width along the hand's y and half its height
PAD_THICKNESS = 0.004
OPENING = 0.09  # m between the pads of the open hand
TIMESTEP = 0.003

SWEEP_GROUP = 4

# Metres in the hand's frame. The housing is behind the gel, and the bar behind the housing, as for a camera
# behind an elastomer: a curved object touches the gel first, even above and below the window.
HOUSING_BACK = 0.020  # from the gel's face
HOUSING_HALF = (0.0135, 0.0105)
BAR_FACE, BAR_BACK = 0.014, 0.024
BAR_HALF_WIDTH = 0.010
PALM_UNDERSIDE, PALM_HALF = 0.110, (0.075, 0.024, 0.016)
FLANGE = (0.022, 0.020)  # radius and half-height; visual only
TIP = HOUSING_HALF[1]  # reach of the finger below the pads' centre

# MuJoCo's point contacts resist a twist by torsional friction, a length times the normal force. A uniform
# pressure over a disc of radius R gives 2/3 μ R; soft objects yield and nearly fill the window. Softer
# contact points would make an object rock and slip more, not less.
PATCH_RADIUS, SOFT_PATCH_RADIUS = 0.005, 0.010
ROLLING = 0.0005  # m, rolling resistance of the table, or a dropped ball would never stop

HAND_ARMATURE, FINGER_ARMATURE = 1.0, 0.1  # kg: the drives have the inertia, the bodies are massless
YAW_ARMATURE = 0.05  # kg m²
STIFFNESS, YAW_STIFFNESS = 40_000.0, 400.0  # N/m and N m/rad of the position drives
FINGER_DAMPING = 15.0  # N s/m: the gentle closing force moves the fingers at some centimetres per second


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Colours (red, green, blue in 0–1) of table and hand."""

    table: Color = (0.62, 0.55, 0.46)
    hand: Color = (0.20, 0.21, 0.23)
    finger: Color = (0.33, 0.34, 0.37)
    pad: Color = (0.78, 0.80, 0.83)


_BOX, _SLIDE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtJoint.mjJNT_SLIDE
_SOLID = {"group": 1, "contype": 2}  # collides with the object, but not with the hand
_SEEN = {"group": 1, "contype": 0, "conaffinity": 0}
_SWEPT = {"group": SWEEP_GROUP, "contype": 0, "conaffinity": 0}
_UNSTABLE = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)

_PAINT = {
    "table": "table",
    "palm": "hand",
    "flange": "hand",
    "housing": "finger",
    "bar": "finger",
    "pad": "pad",
}


def build_model(
    obj: GraspObject,
    *,
    table_friction: float,
    pad_friction_scale: float,
) -> mujoco.MjModel:
    """Compile the scene. A pad's friction with the object is `obj.friction` · `pad_friction_scale`."""
    spec = mujoco.MjSpec()
    _set_options(spec)
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[1, 1, 0.1],
        group=0,
        contype=4,  # collides with the object (whose bits are 1), but not with the hand
        condim=6,
        priority=1,
        friction=[table_friction, 0.005, ROLLING],
    )
    friction = obj.friction * pad_friction_scale
    radius = PATCH_RADIUS if obj.stiffness is None else SOFT_PATCH_RADIUS
    _add_hand(spec, [friction, 2 / 3 * friction * radius, 0.0001])
    add_object(spec, obj)
    return spec.compile()


def paint(model: mujoco.MjModel, appearance: Appearance) -> None:
    """Set the colours of table and hand."""
    for number in range(model.ngeom):
        kind = model.geom(number).name.partition("_")[0]
        if kind in _PAINT:
            model.geom_rgba[number] = (*getattr(appearance, _PAINT[kind]), 1)


def check_stable(data: mujoco.MjData, name: str) -> None:
    """Raise `SimulationError` if the simulation has become unstable since the data was reset."""
    if any(data.warning[kind].number for kind in _UNSTABLE):
        raise SimulationError(
            f"{name}: the simulation became unstable; expected finite motion: check the object's mass, "
            f"inertia and parts, and the force"
        )


def _set_options(spec: mujoco.MjSpec) -> None:
    option = spec.option
    option.timestep = TIMESTEP
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = (
        100  # a held object creeps by a tenth of a millimetre in four seconds, instead of a whole one
    )
    option.disableflags = mujoco.mjtDisableBit.mjDSBL_ISLAND  # there is only one; 8% faster
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    default = spec.default.geom
    default.condim = 4
    default.solref = [0.01, 1]
    default.solimp[:3] = [0.95, 0.99, 0.001]


def _add_hand(spec: mujoco.MjSpec, friction: list[float]) -> None:
    hand = spec.worldbody.add_body(name="hand")
    _weightless(hand)
    for name, axis in (("hand_x", [1, 0, 0]), ("hand_y", [0, 1, 0]), ("hand_z", [0, 0, 1])):
        hand.add_joint(name=name, type=_SLIDE, axis=axis, armature=HAND_ARMATURE)
        _drive(spec, name, STIFFNESS, HAND_ARMATURE)
    hand.add_joint(name="hand_yaw", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, 1], armature=YAW_ARMATURE)
    _drive(spec, "hand_yaw", YAW_STIFFNESS, YAW_ARMATURE)
    middle = [0, 0, PALM_UNDERSIDE + PALM_HALF[2]]
    hand.add_geom(name="palm", type=_BOX, size=PALM_HALF, pos=middle, friction=friction, **_SOLID)
    hand.add_geom(
        name="flange",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[*FLANGE, 0],
        pos=[0, 0, PALM_UNDERSIDE + 2 * PALM_HALF[2] + FLANGE[1]],
        **_SEEN,
    )
    # The volume that the hand sweeps on its way down: its parts, one metre tall.
    hand.add_geom(
        name="sweep_palm",
        type=_BOX,
        size=[*PALM_HALF[:2], 0.5],
        pos=[0, 0, PALM_UNDERSIDE + 0.5],
        **_SWEPT,
    )
    for name, sign in (("left", 1.0), ("right", -1.0)):
        _add_finger(spec, hand, name, sign, friction)
    tie = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1="finger_left",
        name2="finger_right",
        solref=[0.005, 1],
    )
    tie.data[:2] = [0, 1]


def _add_finger(
    spec: mujoco.MjSpec, hand: mujoco.MjsBody, name: str, sign: float, friction: list[float]
) -> None:
    """A finger whose body's origin is the centre of the gel's face, with its normal along `sign` · x."""
    finger = hand.add_body(name=f"finger_{name}", pos=[-sign * OPENING / 2, 0, 0])
    _weightless(finger)
    finger.add_joint(
        name=f"finger_{name}",
        type=_SLIDE,
        axis=[sign, 0, 0],
        range=[0, OPENING / 2],
        limited=True,
        solref_limit=[3 * TIMESTEP, 1],
        solimp_limit=[0.99, 0.999, 0.001, 0.5, 2],  # a stop that yields a tenth of a mm to the full force
        armature=FINGER_ARMATURE,
        damping=[FINGER_DAMPING, 0, 0],
    )
    drive = spec.add_actuator(
        name=f"finger_{name}", target=f"finger_{name}", trntype=mujoco.mjtTrn.mjTRN_JOINT
    )
    drive.set_to_motor()

    def block(front: float, back: float, half_width: float, bottom: float, top: float) -> dict[str, Any]:
        """A box from `front` to `back` behind the gel's face."""
        size = ((back - front) / 2, half_width, (top - bottom) / 2)
        return {"type": _BOX, "size": size, "pos": (-sign * (front + back) / 2, 0, (bottom + top) / 2)}

    width, height = HOUSING_HALF
    pad = {"group": 2, "contype": 2, "priority": 1}  # else the pair would take the larger friction of the two
    for part, kind, outline, top in (
        ("pad", pad, (0.0, PAD_THICKNESS, PAD_HALF[0], -PAD_HALF[1]), PAD_HALF[1]),
        ("housing", _SOLID, (PAD_THICKNESS, HOUSING_BACK, width, -height), height),
        ("bar", _SOLID, (BAR_FACE, BAR_BACK, BAR_HALF_WIDTH, -height), PALM_UNDERSIDE),
    ):
        finger.add_geom(name=f"{part}_{name}", friction=friction, **kind, **block(*outline, top))
        finger.add_geom(name=f"sweep_{part}_{name}", **_SWEPT, **block(*outline, 1.0))


def _weightless(body: mujoco.MjsBody) -> None:
    body.explicitinertial = True
    body.mass = 1e-3
    body.inertia = [1e-6, 1e-6, 1e-6]


def _drive(spec: mujoco.MjSpec, joint: str, stiffness: float, inertia: float) -> None:
    # Velocity commands, integrated to a held position: steps of a commanded position would each jerk the
    # object with many times its weight.
    drive = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    drive.dyntype = mujoco.mjtDyn.mjDYN_INTEGRATOR
    drive.gaintype, drive.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
    drive.gainprm[0] = stiffness
    drive.biasprm[:3] = 0, -stiffness, -2 * (stiffness * inertia) ** 0.5  # critically damped

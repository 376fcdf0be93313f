"""A left hand of four fingers, like the Allegro hand: its embodiment, and the physics of its grasps.

Sixteen joints, of which five move, as in gentle_grasping (Nakahara and Calandra): three of the middle finger
and two of the thumb, which meet in one plane. Each fingertip has a pad like the DIGIT's. The joints are
position-controlled, so that the force on what is between the pads follows from how far the fingers are from
where they were sent, until the drives' torque saturates. The wrist has x, y, z and yaw, and there is no arm.

Kinematics of the left hand as published in its open hardware description; palm down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE, Dimension, Embodiment, Stream, Vector
from visuotactile.errors import SimulationError
from visuotactile.sim import scene
from visuotactile.sim.contact import PadState, read_pad
from visuotactile.sim.objects.fragile import LYING, FragileObject, add_fragile
from visuotactile.sim.scene import Appearance
from visuotactile.sim.sound import CHUNK, CHUNKS, FIRST_CHUNKS, RATE, TORQUE, Trace

Array = npt.NDArray[np.float64]

JOINTS = 16
ACTIVE = (5, 6, 7, 14, 15)
"""The joints that move, of index 0–3, middle finger 4–7, ring finger 8–11 and thumb 12–15."""

FIXED = (-0.5, 1.0, 0.0, 0.0, -0.25, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.45, 0.1, 0.0, 0.0)
"""Angles of all joints; those of `ACTIVE` are replaced."""

BEFORE: Array = np.array([1.0, 0.0, 0.0, -0.2, -0.1])
"""Open, on the way down and away: 160 mm between the pads."""
LEAST: Array = np.array([1.45, 0.0, 0.0, 0.2, 0.0])
"""The paper's minimum pose, which lifts nothing: 65 mm between the pads."""
PRESET: Array = np.array([1.60, 0.0, 0.0, 0.35, 0.0])
"""The first grasp, the same in every trial: 33 mm."""
SPREAD = 0.3
"""Radians by which each joint may close beyond `LEAST`; all of it would let the pads cross by 31 mm."""

HAND = tuple(
    Dimension(f"joint_{number}", "rad", float(low), float(low + SPREAD))
    for number, low in zip(ACTIVE, LEAST, strict=True)
)

HEIGHTS = (0.005, 0.030)
"""Metres left under the fingertips, in which every grasp is."""

REACH, TURN = 0.010, float(np.deg2rad(15))
MOTION = (
    *(Dimension(name, "m", -REACH, REACH) for name in ("dx", "dy", "dz")),
    Dimension("dyaw", "rad", -TURN, TURN),
)
"""Shift and turn of the wrist in a regrasp; the height is clipped to `HEIGHTS`."""

FINGERS = ("middle", "thumb")
PAD_HALF = (0.008, 0.0095)
"""Metres, half sizes of a pad's window across and along the finger: 16 × 19 mm, as the DIGIT's."""
PAD_SHAPE = (152, 128)
"""Rows and columns of a tactile picture; the fingertip is up."""

GAIN, DAMPING, ARMATURE = 3.0, 0.10, 8e-4  # N m/rad, N m s/rad, kg m² of a joint
TIP = 0.0145  # m from a pad's centre to what is lowest of the open hand: the thumb, bent outward
PATCH = 0.003  # m: torsional friction of a pad, as a share of its sliding friction
CLEAR = 0.06  # m over the grasp's height from which the way down is simulated; above, nothing is in the way
AWAY = 0.6  # m: height of the waiting hand, out of the camera's view

STEP, TICK = 0.003, 2  # s of a step; steps between two commands, and two moments of a trace
DOWN, OPEN, MEET, PRESET_WAIT, PRESS = 0.25, 0.25, 0.20, 0.35, 0.90  # s
LIFT, RISE, HOLD = 0.100, 0.7, 4.0  # m, s, s
SETTLE, STILL = 16, 2e-4  # half seconds in which an object must come to rest, and m that it moves in one
LOOK = 0.1  # s between two checks for rest while holding
CREEP = np.array([2.5e-5] * 3 + [6e-4] * 4)  # m and of a quaternion between two checks: 1 mm and 3° in 4 s

_OBJECT, _HAND, _TABLE = 1, 2, 4
"""Bits of the geoms, by which they collide."""


def declaration(camera_size: int) -> Embodiment:
    """Embodiment of the hand with two pads, a depth camera of `camera_size` pixels square, and a microphone.

    `joints` are the commanded angles and `observed` the measured ones; their difference is the position
    error, and grows with the force. The sound at `first` is that of the grasp before the action; the one at
    `regrasp` labels gentleness, so that no model may hear it.
    """
    square = (camera_size, camera_size)
    across = tuple(Dimension(axis, "m", -1, 1) for axis in "xy")
    seen = ("before", "during", "after")
    return Embodiment(
        name="Allegro-like left hand",
        motion=MOTION,
        hand=HAND,
        vectors=(
            Vector(POSE, (*across, Dimension("z", "m", 0, 1), Dimension("yaw", "rad", -10, 10))),
            Vector("joints", tuple(Dimension(f"joint_{n}", "rad", -2, 2) for n in range(JOINTS))),
            Vector("observed", tuple(Dimension(f"observed_{n}", "rad", -2, 2) for n in range(JOINTS))),
        ),
        streams=(
            Stream("rgb", "image", dict.fromkeys(seen, (*square, 3))),
            Stream("depth", "depth", dict.fromkeys(("before", "during"), square)),
            *(
                Stream(f"tactile_{finger}", "image", dict.fromkeys(seen, (*PAD_SHAPE, 3)))
                for finger in FINGERS
            ),
            Stream(
                "sound", "sound", {"first": (FIRST_CHUNKS * CHUNK, 2), "regrasp": (CHUNKS * CHUNK, 2)}, RATE
            ),
        ),
        phases={
            "before": "observation",
            "first": "observation",
            "during": "observation",
            "regrasp": "outcome",
            "after": "outcome",
        },
        outcomes=("stable", "gentle"),
    )


def all_joints(active: npt.ArrayLike) -> Array:
    """The angles of all 16 joints, where those of `ACTIVE` are `active` [5]."""
    joints = np.array(FIXED)
    joints[list(ACTIVE)] = active
    return joints


@dataclass(frozen=True)
class WristPose:
    """Pose of the wrist: metres, and radians about the vertical; z is what is left under the fingertips."""

    x: float
    y: float
    z: float
    yaw: float


class FingerScene:
    """A table, the hand and one object. It is deterministic: the same calls give the same bits.

    Attributes:
        model: MuJoCo's model.
        data: its state, consistent (positions, contacts and forces) after every call.
        object_body: id of the object's body.
        pad_geoms: ids of the middle finger's and the thumb's pad.
    """

    def __init__(self, obj: FragileObject) -> None:
        self.obj = obj
        spec = mujoco.MjSpec.from_string(_hand_xml(obj.friction))
        add_fragile(spec, obj)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        model = self.model
        self.object_body = model.body("object").id
        self.pad_geoms = tuple(model.geom(f"pad_{finger}").id for finger in FINGERS)
        self._tips = [model.site(f"tip_{finger}").id for finger in FINGERS]
        self._wrist = np.array([model.joint(f"hand_{axis}").qposadr[0] for axis in ("x", "y", "z", "yaw")])
        self._fingers = np.array([model.joint(f"joint_{number}").qposadr[0] for number in ACTIVE])
        self._speeds = np.array([model.joint(f"joint_{number}").dofadr[0] for number in ACTIVE])
        self._wrist_speeds = np.array([model.joint(f"hand_{a}").dofadr[0] for a in ("x", "y", "z", "yaw")])
        free = model.joint("object").qposadr[0]
        self._free = slice(free, free + 7)
        gores = range(obj.gores.count)
        self._gores = np.array([model.joint(f"gore/{number}").dofadr[0] for number in gores])
        self._of_object = model.geom_contype == _OBJECT
        self._kinds = model.geom_contype.astype(np.intp)
        self._rest: dict[bool, Array] = {}

    def paint(self, appearance: Appearance) -> None:
        """Change the colours of table and hand."""
        scene.paint(self.model, appearance)

    def place(self, x: float, y: float, yaw: float, *, lying: bool, grip: float = 1.0) -> None:
        """Reset: the object at rest, turned by `yaw`, and the open hand waiting above it.

        Args:
            x, y: metres, of the object's frame.
            yaw: radians.
            lying: lay it on its side.
            grip: factor on the friction between pads and object.

        Raises:
            SimulationError: the object does not lie, or does not come to rest.
        """
        model, data = self.model, self.data
        if lying not in self._rest:
            self._rest[lying] = self._find_rest(lying=lying)
        mujoco.mj_resetData(model, data)
        for pad in self.pad_geoms:
            model.geom_friction[pad, 0] = grip * self.obj.friction
        data.qpos[:] = self._rest[lying]
        dx, dy = data.qpos[self._free][:2].tolist()
        cos, sin = float(np.cos(yaw)), float(np.sin(yaw))
        turned, about_z = np.empty(4), np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
        mujoco.mju_mulQuat(turned, about_z, data.qpos[self._free][3:])
        data.qpos[self._free] = (
            x + cos * dx - sin * dy,
            y + sin * dx + cos * dy,
            data.qpos[self._free][2],
            *turned,
        )
        self._carry(WristPose(x, y, AWAY, 0.0))
        mujoco.mj_forward(model, data)

    def approach(self, pose: WristPose) -> None:
        """The open hand straight down to `pose`; a closed hand must open first."""
        self._carry(WristPose(pose.x, pose.y, pose.z + CLEAR, pose.yaw))
        end = pose.z + TIP

        def down(share: float) -> None:
            self.data.ctrl[2] = end + CLEAR * (1 - share * share * (3 - 2 * share))

        self._step(DOWN, down)
        self._finish()

    def close(self, joints: npt.ArrayLike, seconds: float) -> None:
        """Command the five joints at once, as the real hand is, and wait."""
        self.data.ctrl[4:] = joints
        self._step(seconds)
        self._finish()

    def close_heard(self, joints: npt.ArrayLike, seconds: float) -> Trace:
        """`close`, and all of it that can be heard."""
        data = self.data
        data.ctrl[4:] = joints
        ticks = max(1, round(seconds / STEP / TICK))
        velocity, springs = np.empty((ticks, self.model.nv)), np.empty((ticks, self.model.nv))
        drives, air, blows = np.empty((ticks, self.model.nu)), np.empty((ticks, 2)), np.zeros((ticks, 2))
        for k in range(ticks):
            mujoco.mj_step(self.model, data, TICK)
            velocity[k], springs[k], drives[k] = data.qvel, data.qfrc_spring, data.actuator_force
            air[k] = data.ten_length[0], data.ten_velocity[0]
            if data.ncon:
                contact = data.contact
                meet = self._kinds[contact.geom].sum(axis=1)
                force = np.bincount(meet, data.efc_force[contact.efc_address], _HAND + _TABLE + 1)
                blows[k] = force[2 * _HAND] + force[_HAND + _TABLE], force[_HAND + _OBJECT]
        self._finish()
        return Trace(
            step=STEP * TICK,
            speed=velocity[:, self._speeds],
            torque=drives[:, 4:],
            squeeze=air[:, 0],
            flow=air[:, 1],
            load=np.maximum(-springs[:, self._gores], 0).sum(axis=1) / 2,
            hard=blows[:, 0],
            soft=blows[:, 1],
        )

    def lift(self) -> None:
        """Raise the hand by 100 mm, and wait until nothing moves, or for four seconds.

        A hand that comes up empty is simulated no further.
        """
        data, z = self.data, float(self.data.ctrl[2])
        low = float(data.qpos[self._free][2])

        def up(s: float) -> None:
            data.ctrl[2] = z + LIFT * s**3 * (10 - 15 * s + 6 * s * s)

        self._step(RISE / 2, lambda s: up(s / 2))
        if data.qpos[self._free][2] < low + LIFT / 20:
            data.qpos[self._wrist[2]] = data.ctrl[2] = z + LIFT
            data.qvel[self._wrist_speeds] = 0
            self._step(LOOK)
            self._finish()
            return
        self._step(RISE / 2, lambda s: up((1 + s) / 2))
        before = None
        for _ in range(round(HOLD / LOOK)):
            if self._dropped():
                break
            now = self._in_hand()
            if before is not None and (np.abs(now - before) < CREEP).all():
                break
            before = now
            self._step(LOOK)
        self._finish()

    @property
    def held(self) -> bool:
        """True if the object is in the air and both pads touch it."""
        return not self._dropped() and all(pad.normal > 0 for pad in self.pads().values())

    def pads(self) -> dict[str, PadState]:
        """Contact of the object with the pads "middle" and "thumb"."""
        return {
            finger: read_pad(self.model, self.data, pad, 1.0, self._of_object)
            for finger, pad in zip(FINGERS, self.pad_geoms, strict=True)
        }

    def commanded(self) -> Array:
        """Angles of all 16 joints to which they were sent, radians."""
        return all_joints(self.data.ctrl[4:])

    def observed(self) -> Array:
        """Angles of all 16 joints, radians."""
        return all_joints(self.data.qpos[self._fingers])

    def position_error(self) -> float:
        """Distance of the two fingertips from where they were sent, summed, metres: the paper's measure of
        force."""
        data, here = self.data, self.data.site_xpos[self._tips].copy()
        now = data.qpos.copy()
        data.qpos[self._fingers] = data.ctrl[4:]
        mujoco.mj_kinematics(self.model, data)
        error = np.linalg.norm(data.site_xpos[self._tips] - here, axis=1).sum()
        data.qpos[:] = now
        mujoco.mj_kinematics(self.model, data)
        return float(error)

    def object_pose(self) -> tuple[Array, Array]:
        """Position float64 [3] in metres and quaternion float64 [4] (w, x, y, z) of the object's frame."""
        free = self.data.qpos[self._free]
        return free[:3].copy(), free[3:].copy()

    def _find_rest(self, *, lying: bool) -> Array:
        """State of the object at rest at the origin."""
        if lying and not self.obj.lies:
            raise SimulationError(f"{self.obj.name} does not lie on its side; put it upright")
        mujoco.mj_resetData(self.model, self.data)
        self._carry(WristPose(0.0, 0.0, AWAY, 0.0))
        height = self.obj.heights[int(lying)]
        self.data.qpos[self._free] = (0, 0, height, *(LYING if lying else (1, 0, 0, 0)))
        body = slice(self._free.start, self._free.start + 3)
        for _ in range(SETTLE):
            before = self.data.qpos[body].copy()
            self._step(0.5)
            scene.check_stable(self.data, self.obj.name)
            if np.abs(self.data.qpos[body] - before).max() < STILL:
                return self.data.qpos.copy()
        raise SimulationError(
            f"{self.obj.name} put down {'lying' if lying else 'upright'} still moves after {SETTLE / 2:g} s; "
            "expected it to be at rest: check its core, gores and heights"
        )

    def _carry(self, pose: WristPose) -> None:
        """Set the open hand to `pose`, at rest."""
        data = self.data
        data.qpos[self._wrist] = data.ctrl[:4] = (pose.x, pose.y, pose.z + TIP, pose.yaw)
        data.qpos[self._fingers] = data.ctrl[4:] = BEFORE
        data.qvel[self._wrist_speeds] = 0
        data.qvel[self._speeds] = 0

    def _dropped(self) -> bool:
        return bool(self.data.qpos[self._free][2] < LIFT / 2)

    def _in_hand(self) -> Array:
        free = self.data.qpos[self._free].copy()
        free[2] -= self.data.qpos[self._wrist[2]]
        return free

    def _step(self, seconds: float, path: Callable[[float], None] | None = None) -> None:
        """Simulate; `path` sets the command for each share of the time."""
        ticks = max(1, round(seconds / STEP / TICK))
        if path is None:
            mujoco.mj_step(self.model, self.data, TICK * ticks)
            return
        for k in range(ticks):
            path((k + 1) / ticks)
            mujoco.mj_step(self.model, self.data, TICK)

    def _finish(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        scene.check_stable(self.data, self.obj.name)


def _hand_xml(friction: float) -> str:
    """The scene without its object. Bits: object 1, hand 2, table 4; groups as in `sim.scene`."""

    def joint(number: int) -> str:
        return f'<joint name="joint_{number}" axis="0 1 0" armature="{ARMATURE}" damping="{DAMPING}"/>'

    def link(name: str, length: float) -> str:
        half = length / 2
        return (
            f'<geom name="housing_{name}" type="box" size=".0098 .0115 {half}" pos="0 0 {half}" mass=".03" '
            'group="1" contype="0" conaffinity="0"/>'
        )

    def tip(name: str) -> str:
        return (
            f'<geom name="bar_{name}" type="capsule" size=".0085 .003" mass=".02" group="1" contype="2" '
            f'conaffinity="3"/><geom name="pad_{name}" type="box" size=".0035 {PAD_HALF[0]} {PAD_HALF[1]}" '
            'pos=".0085 0 0" mass=".002" group="2" contype="2" conaffinity="3" priority="1"/>'
            f'<site name="tip_{name}" pos=".012 0 0"/>'
        )

    def resting(name: str, place: str, spread: float, bend: float) -> str:
        """A finger whose joints do not move: it is seen, and touches nothing."""
        return f"""<body pos="{place}" euler="0 0 {spread}" gravcomp="1">
    <body pos="0 0 .0164" euler="0 {bend} 0" gravcomp="1">{link(name, 0.0924)}
     <body pos="0 0 .0924" gravcomp="1"><geom name="bar_{name}" type="capsule" size=".0085 .012"
      pos="0 0 .028" mass=".02" group="1" contype="0" conaffinity="0"/></body></body></body>"""

    slides = "".join(
        f'<joint name="hand_{n}" type="slide" axis="{axis}" armature="1"/>'
        for n, axis in zip("xyz", ("1 0 0", "0 1 0", "0 0 1"), strict=True)
    )
    drives = "".join(f'<position joint="hand_{n}" kp="20000" dampratio="1"/>' for n in "xyz")
    joints = "".join(
        f'<position joint="joint_{n}" kp="{GAIN}" forcerange="-{TORQUE} {TORQUE}"/>' for n in ACTIVE
    )
    return f"""<mujoco><compiler angle="radian"/>
<option timestep="{STEP}" cone="elliptic" impratio="100" integrator="implicitfast">
 <flag island="disable"/></option>
<default><geom conaffinity="0" condim="4" solref=".01 1" solimp=".95 .99 .001"
 friction="{friction} {friction * PATCH} .0001"/></default>
<worldbody>
 <geom name="table" type="plane" size="1 1 .1" friction=".5 .005 .0005" contype="4" conaffinity="3"
  condim="6"/>
 <body name="hand" gravcomp="1">{slides}<joint name="hand_yaw" axis="0 0 1" armature=".05"/>
  <body name="palm" pos=".0130 .0307 .1245" xyaxes="0 0 -1 0 1 0" gravcomp="1">
   <geom name="palm" type="box" size=".0204 .0565 .0475" pos="-.0093 0 -.0475" mass=".3" group="1"
    contype="0"/>
   {resting("index", "0 -.0435 -.001542", FIXED[0], FIXED[1])}
   {resting("ring", "0 .0435 -.001542", FIXED[8], FIXED[9])}
   <body pos="0 0 .0007" euler="0 0 {FIXED[4]}" gravcomp="1"><body pos="0 0 .0164" gravcomp="1">
    {joint(5)}{link("middle1", 0.054)}<body pos="0 0 .054" gravcomp="1">{joint(6)}{link("middle2", 0.0384)}
     <body pos="0 0 .0384" gravcomp="1">{joint(7)}{link("middle3", 0.022)}
      <body pos="0 0 .035" gravcomp="1">{tip("middle")}</body></body></body></body></body>
   <body pos="-.0182 -.019333 -.045987" quat=".477714 .521334 -.521334 .477714" gravcomp="1">
    <body axisangle="1 0 0 {FIXED[12]}" gravcomp="1">
     <body pos="-.027 -.005 .0399" axisangle="0 0 -1 {FIXED[13]}" gravcomp="1">
     <body pos="0 0 .0177" gravcomp="1">{joint(14)}{link("thumb1", 0.0514)}
      <body pos="0 0 .0514" gravcomp="1">{joint(15)}{link("thumb2", 0.027)}
       <body pos="0 0 .040" gravcomp="1">{tip("thumb")}</body>
      </body></body></body></body></body></body></body>
</worldbody>
<actuator>{drives}<position joint="hand_yaw" kp="200" dampratio="1"/>{joints}</actuator></mujoco>"""

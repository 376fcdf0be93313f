"""The parallel gripper: its embodiment, and the physics of its grasps.

A grasp has the stages place, approach, close, lift, shake and hold. The hand has four coordinates (x, y, z,
yaw) and no arm. It moves kinematically in free space, and by the physics from the moment when its fingers may
touch the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from visuotactile.datasets.embodiment import PHASES, POSE, Dimension, Embodiment, Stream, Vector
from visuotactile.errors import SimulationError
from visuotactile.sim import motions, scene
from visuotactile.sim.contact import Array, PadState, read_pad
from visuotactile.sim.objects.grasp_object import GraspObject
from visuotactile.sim.scene import OPENING, PAD_HALF, SWEEP_GROUP, TIMESTEP, TIP, Appearance
from visuotactile.sim.tactile.grid import SHAPE

MOTION = tuple(
    Dimension(name, unit, -reach, reach)
    for name, unit, reach in (
        ("dx", "m", 0.02),
        ("dy", "m", 0.02),
        ("dz", "m", 0.02),
        ("dyaw", "rad", float(np.deg2rad(17))),
    )
)
"""Shift and turn of the wrist in a regrasp (more_than_a_feeling, VI-B)."""

FORCE = Dimension("force", "N", 4.0, 25.0)
"""Absolute force of each finger; the range of the paper's gripper."""

AWAY = 0.6  # m: height of the waiting hand, out of the camera's view
CLEARANCE = 0.0005  # m between the kinematically moved hand and other geoms

GENTLE = 3.0  # N of the closing fingers before contact, enough to centre the object in the hand
RAMP = 0.1  # s from there to the full force
RELEASE = 10.0  # N that open the fingers

# Maximum waits in seconds; all but the opening end early once everything is at rest.
SETTLE, MEET, PRESS, OPEN, AIR = 1.0, 0.8, 0.4, 0.3, 0.1
LEAN = 0.05  # radians: maximum tilt of a settled object
RESTING = (1e-3, 0.02)  # m/s and rad/s, below which bodies count as at rest
CREEP = (1e-4, 5e-3)  # the same while the object is held, so that four seconds would move it by 0.4 mm
RIM, RIM_CREEP = 0.0004, (5e-5, 2.5e-3)  # m from a pad's edge, where creep may still lose the object

_FINGERS = slice(4, 6)
_LOOK = 7  # steps between two checks for rest
_GONE = 0.03  # m of slip after which an object may have left the hand: more than a pad's height


def declaration(camera_size: int) -> Embodiment:
    """Embodiment of the gripper with two gels and a depth camera of `camera_size` × `camera_size` pixels.

    `cylinder` encloses the object where the robot locates it, in the axes of the pose.
    """
    square = (camera_size, camera_size)
    across = tuple(Dimension(axis, "m", -1, 1) for axis in "xy")
    return Embodiment(
        name="parallel gripper",
        motion=MOTION,
        hand=(FORCE,),
        vectors=(
            Vector(POSE, (*across, Dimension("z", "m", 0, 1), Dimension("yaw", "rad", -10, 10))),
            Vector("force", (FORCE,)),
            Vector(
                "cylinder",
                (*across, Dimension("radius", "m", 0, 1), Dimension("height", "m", 0, 1)),
                located=True,
            ),
        ),
        streams=(
            Stream("rgb", "image", dict.fromkeys(("before", "during", "after"), (*square, 3))),
            Stream("depth", "depth", dict.fromkeys(("before", "during"), square)),
            *(
                Stream(f"tactile_{side}", "image", dict.fromkeys(PHASES, (*SHAPE, 3)))
                for side in ("left", "right")
            ),
        ),
        outcomes=("success",),
    )


@dataclass(frozen=True)
class GripperPose:
    """Pose of the hand: metres, and radians about the vertical; z is the height of the pads' centres."""

    x: float
    y: float
    z: float
    yaw: float


class GraspScene:
    """A table, a gripper and one object. It is deterministic: the same calls give the same bits.

    Attributes:
        model: MuJoCo's model, from `scene`.
        data: its state, consistent (positions, contacts and forces) after every call.
        object_body: id of the object's body.
        pad_geoms: ids of the left and the right pad's geom.
    """

    def __init__(
        self,
        obj: GraspObject,
        *,
        appearance: Appearance | None = None,
        table_friction: float = 0.6,
        pad_friction_scale: float = 1.0,
    ) -> None:
        """
        Args:
            obj: object to grasp.
            appearance: colours of table and hand; `paint` changes them later.
            table_friction: sliding friction between object and table.
            pad_friction_scale: friction between pads and object, as a multiple of `obj.friction`.
        """
        self.obj = obj
        self.model = scene.build_model(
            obj, table_friction=table_friction, pad_friction_scale=pad_friction_scale
        )
        self.data = mujoco.MjData(self.model)
        self.object_body = self.model.body("object").id
        self.pad_geoms = (self.model.geom("pad_left").id, self.model.geom("pad_right").id)
        self.paint(appearance or Appearance())
        geoms = range(self.model.ngeom)
        group, body = self.model.geom_group, self.model.geom_bodyid
        self._table = self.model.geom("table").id
        self._parts = [g for g in geoms if body[g] == self.object_body]
        self._swept = [g for g in geoms if group[g] == SWEEP_GROUP]
        self._hand = [g for g in geoms if group[g] in (1, 2) and self.model.geom_contype[g]]
        self._resting: Array | None = None
        self._reach = 0.0  # m, height of the object relative to the hand once the fingers had closed
        self._lost = False

    def paint(self, appearance: Appearance) -> None:
        """Change the colours of table and hand."""
        scene.paint(self.model, appearance)

    def place(self, x: float, y: float, yaw: float) -> None:
        """Reset: the object upright at rest, turned by `yaw`, and the open hand waiting above it.

        Raises `SimulationError` if the object does not come to rest upright.
        """
        if self._resting is None:
            self._resting = self._find_rest()
        mujoco.mj_resetData(self.model, self.data)
        dx, dy, z = self._resting[:3].tolist()
        cos, sin = float(np.cos(yaw)), float(np.sin(yaw))
        turned = np.empty(4)
        about_z = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
        mujoco.mju_mulQuat(turned, about_z, self._resting[3:])
        self.data.qpos[6:9] = x + cos * dx - sin * dy, y + sin * dx + cos * dy, z
        self.data.qpos[9:] = turned
        self._open_at(GripperPose(x, y, AWAY, 0.0))

    def approach(self, pose: GripperPose) -> GripperPose:
        """Lower the open hand vertically to `pose`; returns the pose that it reached.

        Like a robot that stops at a contact force, it stops at the lowest height at which neither fingers nor
        palm have touched the object or the table. A closed hand opens first.
        """
        if self.data.ctrl[4] > 0:
            self.release()
        low = max(pose.z, TIP + CLEARANCE)
        if not self._is_free(pose, low):
            top = float(self.data.qpos[8]) + float(np.hypot(self.obj.height / 2, self.obj.radius))
            high = top + TIP + 2 * CLEARANCE
            # The volume swept down to a height contains that down to any greater height.
            while high - low > CLEARANCE / 2:
                middle = (low + high) / 2
                low, high = (low, middle) if self._is_free(pose, middle) else (middle, high)
            low = high
        reached = GripperPose(pose.x, pose.y, low, pose.yaw)
        self._open_at(reached)
        return reached

    def close(self, force: float) -> None:
        """Close the fingers until each presses with `force` newtons and everything is at rest.

        A closed hand only changes its force.
        """
        now = float(self.data.ctrl[4])
        if now <= 0:
            self._close_the_gap()
            self.data.ctrl[_FINGERS] = now = min(force, GENTLE)
            self._until(RESTING, MEET)
        for share in np.linspace(0, 1, round(RAMP / TIMESTEP / _LOOK) + 1)[1:].tolist():
            self.data.ctrl[_FINGERS] = now + share * (force - now)
            mujoco.mj_step(self.model, self.data, nstep=_LOOK)
        self._until(RESTING, PRESS)
        self._finish()
        self._reach = self._over_hand()
        # an empty hand with nothing above it rises alone
        self._lost = self._touching().isdisjoint(self._hand) and self._gap(self._swept, CLEARANCE) > 0

    def release(self) -> None:
        """Open the fingers fully and wait until the object is at rest."""
        self.data.ctrl[_FINGERS] = -RELEASE
        mujoco.mj_step(self.model, self.data, nstep=round(OPEN / TIMESTEP))
        self._until(RESTING, SETTLE)
        self._finish()

    def lift(self, height: float) -> None:
        """Raise the hand by `height` metres and wait a moment."""
        self._move(motions.lift(height))
        self._until(RESTING, AIR)
        self._finish()

    def shake(self) -> None:
        """Swing and turn the hand, and return to where it was."""
        self._move(motions.shake())
        self._finish()

    def hold(self, seconds: float = 4.0) -> None:
        """Wait; the simulation ends early once the outcome is certain.

        In 2,128 random grasps of the catalogue the outcome equalled that of the full wait, in which 99 of 100
        held objects would have moved by less than 0.32 mm.
        """
        end = self.data.time + seconds
        still = self._until(RESTING if self._lost else CREEP, seconds)
        self._finish()
        if still and not self._lost and (self._at_rim() or not self.held):
            self._until(RIM_CREEP if self.held else (0, 0), end - self.data.time)
            self._finish()

    @property
    def held(self) -> bool:
        """True if both pads touch the object and the table does not."""
        touching = self._touching()
        return self._table not in touching and touching.issuperset(self.pad_geoms)

    def pads(self) -> dict[str, PadState]:
        """Contact of the pads "left" and "right"."""
        left, right = self.pad_geoms
        return {
            "left": read_pad(self.model, self.data, left, 1.0),
            "right": read_pad(self.model, self.data, right, -1.0),
        }

    def object_pose(self) -> tuple[Array, Array]:
        """Position float64 [3] in metres and quaternion float64 [4] (w, x, y, z) of the object's frame."""
        return self.data.qpos[6:9].copy(), self.data.qpos[9:13].copy()

    def _find_rest(self) -> Array:
        """Position and quaternion of the object at rest at the origin."""
        mujoco.mj_resetData(self.model, self.data)
        self._open_at(GripperPose(0.0, 0.0, AWAY, 0.0))
        rests = self._until(RESTING, SETTLE)
        self._finish()
        rest: Array = self.data.qpos[6:13].copy()
        lean = float(np.arccos(np.clip(1 - 2 * (rest[4] ** 2 + rest[5] ** 2), -1, 1)))
        if not rests or lean > LEAN:
            state = f"leans by {np.degrees(lean):.1f}°" if rests else f"still moves after {SETTLE:g} s"
            raise SimulationError(
                f"{self.obj.name} put down at its rest_height {self.obj.rest_height:.4f} m {state}; expected "
                f"it to stand still and upright: check its parts, com and rest_height"
            )
        return rest

    def _open_at(self, pose: GripperPose) -> None:
        """Set the open hand to `pose`, at rest."""
        self._carry(np.array([pose.x, pose.y, pose.z, pose.yaw]))
        self.data.qpos[_FINGERS] = self.data.ctrl[_FINGERS] = 0
        self._lost = False
        mujoco.mj_forward(self.model, self.data)

    def _carry(self, pose: Array) -> None:
        self.data.qpos[:4] = self.data.act[:4] = pose
        self.data.qvel[:6] = self.data.ctrl[:4] = 0

    def _is_free(self, pose: GripperPose, z: float) -> bool:
        self.data.qpos[:4] = pose.x, pose.y, z, pose.yaw
        mujoco.mj_kinematics(self.model, self.data)
        return self._gap(self._swept, 2 * CLEARANCE) >= CLEARANCE

    def _gap(self, geoms: list[int], furthest: float) -> float:
        """Distance between these geoms and the object [m], at most `furthest`."""
        return min(
            mujoco.mj_geomDistance(self.model, self.data, geom, part, furthest, None)
            for geom in geoms
            for part in self._parts
        )

    def _close_the_gap(self) -> None:
        """Move the fingers to the object kinematically, no farther than their distance from it."""
        for _ in range(3):
            mujoco.mj_kinematics(self.model, self.data)
            left = OPENING / 2 - float(self.data.qpos[4])
            self.data.qpos[_FINGERS] += max(0.0, min(left, self._gap(self._hand, OPENING) - CLEARANCE))

    def _move(self, path: Array) -> None:
        """Drive the hand along `path` [ticks, 4], relative to its commanded pose.

        Once the object has dropped, the hand jumps to the end, and only the object is simulated further.
        """
        data, end, tick = self.data, self.data.act[:4] + path[-1], 0
        velocities = np.diff(path, axis=0, prepend=0) / motions.TICK
        while tick < len(path) and not self._lost:
            data.ctrl[:4] = velocities[tick]
            mujoco.mj_step(self.model, data, nstep=motions.TICK_STEPS)
            tick += 1
            # contacts are checked only after a long slip, since that is slow
            if self._reach - self._over_hand() > _GONE:
                self._lost = self._touching().isdisjoint(self._hand)
        data.ctrl[:4] = 0
        if self._lost:
            self._carry(end)
            self._until(RESTING, (len(path) - tick) * motions.TICK)

    def _over_hand(self) -> float:
        return float(self.data.qpos[8] - self.data.qpos[2])

    def _touching(self) -> set[int]:
        """Geoms in contact with the object."""
        return set(self.data.contact.geom.ravel().tolist()).difference(self._parts)

    def _at_rim(self) -> bool:
        """True if a little creep might move the object over the edge of a pad."""
        centers = np.abs([pad.center for pad in self.pads().values()])
        return bool((centers > np.array(PAD_HALF) - RIM).any())

    def _until(self, limits: tuple[float, float], seconds: float) -> bool:
        """Simulate for `seconds`, or until hand and object move slower than `limits`; True if they do.

        Speeds are averaged over some hundredths of a second, since a mesh on its many corners vibrates, by
        less than a micrometre, at any speed.
        """
        pause = _LOOK * TIMESTEP
        still, before = 0, self.data.qpos.copy()
        for _ in range(max(1, round(seconds / pause))):
            mujoco.mj_step(self.model, self.data, nstep=_LOOK)
            moved = np.abs(self.data.qpos - before)
            before[:] = self.data.qpos
            slow = moved[:9].max() < limits[0] * pause and 2 * moved[9:].max() < limits[1] * pause
            still = still + 1 if slow else 0
            if still == 2:
                return True
        return False

    def _finish(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        scene.check_stable(self.data, self.obj.name)

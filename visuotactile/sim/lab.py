"""The lab: the robot's actions on an object, and its views and contacts of it.

A trial follows more_than_a_feeling: view the object with the hand away, fit a cylinder to its depth image,
approach with a perturbation at a random height, close; then any number of regrasps; then lift, shake, hold
for four seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE
from visuotactile.errors import SimulationError
from visuotactile.sim.contact import PadState
from visuotactile.sim.hands.parallel import GraspScene, GripperPose, declaration
from visuotactile.sim.objects import GraspObject, make_object
from visuotactile.sim.session import Session
from visuotactile.sim.tactile import TactileSensor, make_unit
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.follow import Follower
from visuotactile.sim.vision.kinect import measure
from visuotactile.sim.vision.locate import Cylinder

WORKSPACE = 0.06
"""Metres: objects are placed within ± this distance of the table's centre."""

PERTURBATION = 0.012
"""Standard deviation of the first grasp around the fitted cylinder, in metres."""

FIRST_LIFT, LIFT = 0.006, 0.12
"""Metres: height at which `lift` is recorded, and total height of the lift."""

HOLD = 4.0
"""Seconds in the air before the outcome counts."""

LOCATING_SIZE = 224
"""Pixels of the depth image in which the object is located, regardless of the recorded size."""

PLACEMENTS = 10
"""Attempts to place an object where the camera detects it."""

SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")

Streams = dict[str, npt.NDArray[Any]]


class Lab:
    """One robot in one session. Call `begin`, then `regrasp` any number of times, then `lift`.

    An action has numbers by name, as the `embodiment` declares them. With `rendered=False` there are no
    images: only the physics, and the object's true location instead of a cylinder fitted to its image.

    Attributes:
        embodiment: embodiment of the robot.
        hand: dimensions of the hand in the last action, by name.
    """

    def __init__(
        self,
        session: Session,
        rng: np.random.Generator,
        *,
        wear: Mapping[str, float] | None = None,
        camera_size: int = 224,
        rendered: bool = True,
        scenes: dict[str, GraspScene] | None = None,
    ) -> None:
        """
        Args:
            session: sensors and surroundings.
            rng: generator of the trial's random numbers.
            wear: wear of each gel (0–1), by side; by default new.
            camera_size: height and width of the camera's image, in pixels.
            rendered: render the camera and the gels.
            scenes: compiled scenes by object, to use and to add to; by default those of this process, which
                one lab at a time may use.
        """
        self._scenes = _SCENES if scenes is None else scenes
        self.session, self.rng, self.rendered = session, rng, rendered
        self.embodiment = declaration(camera_size)
        self.wear = dict(wear or {"left": 0.0, "right": 0.0})
        if rendered:
            self.camera = _camera(session, camera_size)
            self.sensors = {"left": _sensor(session.left), "right": _sensor(session.right)}

    def begin(self, object_name: str) -> None:
        """Place the object, locate it, and close the hand on it at a random height and force."""
        rng = self.rng
        self.object: GraspObject = make_object(object_name)
        # Compiled once; `place` resets it, so that trials are independent.
        if object_name not in self._scenes:
            self._scenes[object_name] = GraspScene(self.object)
        self.scene = self._scenes[object_name]
        self.scene.paint(self.session.variation.appearance)
        for _ in range(PLACEMENTS):
            x, y = rng.uniform(-WORKSPACE, WORKSPACE, 2).tolist()
            self.scene.place(x, y, float(rng.uniform(-np.pi, np.pi)))
            self.before = self.observe()
            try:
                self._locate()
            except SimulationError:
                continue
            break
        else:
            raise SimulationError(f"{object_name} was not found in {PLACEMENTS} depth images; is it in view?")
        dx, dy = rng.normal(0, PERTURBATION, 2).tolist()
        aim = GripperPose(
            x=self.found.x + dx,
            y=self.found.y + dy,
            z=float(rng.uniform(0, self.found.height)),
            yaw=float(rng.uniform(-np.pi, np.pi)),
        )
        self.pose = self.scene.approach(aim)
        self.close(self.embodiment.sample_hand(rng))

    def regrasp(self, action: Mapping[str, float]) -> None:
        """Open, move and close; without motion, only change the closed hand.

        Raises:
            ContractError: the action does not fit the embodiment.
        """
        self.embodiment.check_action(action)
        if not self.embodiment.stays(action):
            self.release()
            self.move(action)
        self.close(action)

    def release(self) -> None:
        """Open the hand in place."""
        self.scene.release()
        self._follow()

    def move(self, action: Mapping[str, float]) -> None:
        """Move the open hand; it stops before obstacles."""
        now = self.pose
        self.pose = self.scene.approach(
            GripperPose(
                x=now.x + action["dx"],
                y=now.y + action["dy"],
                z=now.z + action["dz"],
                yaw=now.yaw + action["dyaw"],
            )
        )

    def close(self, action: Mapping[str, float]) -> None:
        """Close the hand by the action's hand dimensions, ignoring its motion."""
        self.hand = {dimension.name: action[dimension.name] for dimension in self.embodiment.hand}
        self.scene.close(**self.hand)
        self._follow()

    def lift(self) -> bool:
        """Lift, shake and hold; True if the object is still in the hand."""
        self.first_lift()
        return self.finish()

    def finish(self) -> bool:
        """Lift the rest of the way, shake and hold; True if the object is still in the hand."""
        self.scene.lift(LIFT - FIRST_LIFT)
        self.scene.shake()
        self.scene.hold(HOLD)
        return self.scene.held

    def first_lift(self) -> None:
        """Lift by the first millimetres."""
        self.scene.lift(FIRST_LIFT)

    def observe(self) -> Streams:
        """Current images of the camera and the gels: stream → array; empty without rendering.

        `rgb` uint8 [S, S, 3]; `depth` uint16 [S, S] in tenths of a millimetre, 0 where there is none;
        `tactile_left`, `tactile_right` uint8 [120, 160, 3].
        """
        return {**self.see(), **self.feel()} if self.rendered else {}

    def vectors(self) -> dict[str, dict[str, float]]:
        """Current values of the embodiment's vectors, by name and entry."""
        seen = {POSE: asdict(self.pose), "cylinder": asdict(self.found)}
        return {vector.name: seen.get(vector.name, self.hand) for vector in self.embodiment.vectors}

    def see(self) -> Streams:
        """Current images of the camera: see `observe`."""
        rgb, depth = self.camera.render(self.scene.model, self.scene.data, self.rng)
        return {"rgb": rgb, "depth": np.round(depth * 1e4).astype(np.uint16)}

    def feel(self) -> Streams:
        """Current images of the gels: see `observe`."""
        pads: Mapping[str, PadState] = self.scene.pads()
        streams: Streams = {}
        for side, sensor in self.sensors.items():
            pad = pads[side]
            imprint = sensor.indentation(
                self.scene.model,
                self.scene.data,
                pad,
                self.object.relief,
                self.scene.object_body,
                self.object.stiffness,
            )
            streams[f"tactile_{side}"] = sensor.render(
                imprint,
                shear=pad.shear,
                torsion=pad.torsion,
                center=pad.center,
                wear=self.wear[side],
                rng=self.rng,
            )
        return streams

    def _locate(self) -> None:
        """Locate the object with the hand away, in an extra depth image if the recorded one is too small."""
        if self.rendered:
            eye = _camera(self.session, LOCATING_SIZE)
            self._follower = Follower(self._depth(eye), eye)
            self.found = self._taken(self._follower.cylinder)
        else:
            self.found = self._true_place()

    def _follow(self) -> None:
        """Track the object, which the hand may have pushed."""
        if self.rendered:
            eye = self._follower.camera
            hand = eye.hand_depth(self.scene.model, self.scene.data)
            self.found = self._taken(self._follower.follow(self._depth(eye), hand))
        else:
            self.found = self._true_place()

    def _depth(self, eye: Camera) -> npt.NDArray[np.float32]:
        return measure(eye.depth(self.scene.model, self.scene.data), self.rng)

    def _taken(self, cylinder: Cylinder) -> Cylinder:
        """The cylinder with the robot's hand–eye calibration error."""
        dx, dy = self.session.hand_eye
        return replace(cylinder, x=cylinder.x + dx, y=cylinder.y + dy)

    def _true_place(self) -> Cylinder:
        position, _ = self.scene.object_pose()
        return Cylinder(
            x=float(position[0]), y=float(position[1]), radius=self.object.radius, height=self.object.height
        )


_SCENES: dict[str, GraspScene] = {}


@functools.lru_cache(maxsize=128)
def _sensor(unit: str) -> TactileSensor:
    return TactileSensor(make_unit(unit))


@functools.lru_cache(maxsize=8)
def _camera(session: Session, size: int) -> Camera:
    return Camera((size, size), session.variation)

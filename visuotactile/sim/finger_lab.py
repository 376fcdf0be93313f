"""The lab of gentle_grasping: the hand's actions on a fragile object, and how it is seen, felt and heard.

A trial follows section V of the paper and its robot's time line: the object is found; the open hand comes
down near it and closes to the preset pose; back to the minimum pose; the hand opens, moves and closes again
while its sound is recorded; it lifts, and holds for four seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE
from visuotactile.datasets.grasp_labels import displacement, is_gentle, loudest
from visuotactile.errors import SimulationError
from visuotactile.sim.hands.fingers import (
    BEFORE,
    FINGERS,
    HEIGHTS,
    LEAST,
    MEET,
    OPEN,
    PAD_HALF,
    PAD_SHAPE,
    PRESET,
    PRESET_WAIT,
    PRESS,
    FingerScene,
    WristPose,
    all_joints,
    declaration,
)
from visuotactile.sim.objects.fragile import FragileObject, make_fragile
from visuotactile.sim.session import Session
from visuotactile.sim.sound import FIRST_CHUNKS, FIRST_COMMAND, Microphone, Trace
from visuotactile.sim.tactile import TactileSensor, make_unit
from visuotactile.sim.vision.camera import Camera

WORKSPACE = 0.04
"""Metres: objects are placed within ± this distance of the table's centre."""

PERTURBATION, YAW = 0.010, float(np.deg2rad(30))
"""Metres along x and y, and radians: the first grasp is drawn within ± these around the detected object."""

DETECTION = (0.003, 0.006)
"""Standard deviation, m along x and y, of the highest point in a depth image from the middle of an object
that stands, and of one that lies."""

GRIP = 0.1
"""Standard deviation of the logarithm of a trial's friction, from dust and wear."""

SPEECH = 0.3
"""Share of the recordings in which somebody talks nearby."""

LABORATORY = 1_000
"""Seed of the laboratories: collections of different seeds share them."""

ZOOM, AIM = 1.5, -0.06
"""Factor on the camera's focal length, and metres by which it looks lower than for the gripper: the picture
is 0.29 m wide, as the hand is smaller and does not go far."""

Streams = dict[str, npt.NDArray[Any]]


class FingerLab:
    """The hand in one session. Call `begin`, then `regrasp` any number of times, then `lift`.

    The physics depend on `rng` alone, and neither on what is rendered nor on what is heard.

    Attributes:
        embodiment: embodiment of the hand.
        object: what is grasped.
        lying: it lies on its side.
        pose: of the wrist.
        before: pictures with the hand away.
        first: sound of the last grasp that was not the one to be lifted.
        sound: sound of the last closing.
        rng: generator of the trial's random numbers.
    """

    def __init__(
        self,
        session: Session,
        rng: np.random.Generator,
        *,
        wear: Mapping[str, float] | None = None,
        camera_size: int = 224,
        rendered: bool = True,
        speech: float = SPEECH,
        scenes: dict[str, FingerScene] | None = None,
    ) -> None:
        """
        Args:
            session: sensors and surroundings, from `laboratory`.
            rng: generator of the trial's random numbers.
            wear: wear (0–1) of the middle finger's gel, "left", and the thumb's, "right"; by default new.
            camera_size: height and width of the camera's image, in pixels.
            rendered: render the camera and the gels.
            speech: probability that somebody talks during a recording.
            scenes: compiled scenes by object, to use and to add to; by default those of this process, which
                one lab at a time may use.
        """
        self.session, self.rng, self.rendered, self.speech = session, rng, rendered, speech
        self._scenes = _SCENES if scenes is None else scenes
        self._eye, self._ear = rng.spawn(2)
        self.embodiment = declaration(camera_size)
        worn = wear or {"left": 0.0, "right": 0.0}
        self._wear = dict(zip(FINGERS, (worn["left"], worn["right"]), strict=True))
        if rendered:
            self.camera = _camera(session, camera_size)
            self._sensors = {
                finger: _sensor(unit)
                for finger, unit in zip(FINGERS, (session.left, session.right), strict=True)
            }

    def begin(self, object_name: str, *, lying: bool | None = None) -> None:
        """Place the object, upright or lying unless told, find it, and grasp it with the preset pose."""
        rng = self.rng
        self.object: FragileObject = make_fragile(object_name)
        # Compiled once; `place` resets it, so that trials are independent.
        if object_name not in self._scenes:
            self._scenes[object_name] = FingerScene(self.object)
        self.scene = self._scenes[object_name]
        if self.rendered:
            self.scene.paint(self.session.variation.appearance)
        drawn = bool(rng.random() < 0.5)
        self.lying = (drawn if lying is None else lying) and self.object.lies
        if lying and not self.lying:
            raise SimulationError(f"{object_name} does not lie on its side; give lying=False")
        x, y = rng.uniform(-WORKSPACE, WORKSPACE, 2).tolist()
        turn = rng.uniform(-1, 1) * (np.pi / 3 if self.lying else np.pi)
        grip = float(rng.lognormal(0, GRIP))
        self.scene.place(x, y, float(turn), lying=self.lying, grip=grip)
        self.before = self.observe()
        place, _ = self.scene.object_pose()
        found = place[:2] + rng.normal(0, DETECTION[int(self.lying)], 2)
        aim_x, aim_y = (found + rng.uniform(-PERTURBATION, PERTURBATION, 2)).tolist()
        self.pose = WristPose(aim_x, aim_y, float(rng.uniform(*HEIGHTS)), float(rng.uniform(-YAW, YAW)))
        self.scene.approach(self.pose)
        self.scene.close(LEAST, MEET)
        trace = self.scene.close_heard(PRESET, PRESET_WAIT)
        self.first = self.sound = self._hear(trace, chunks=FIRST_CHUNKS, command=FIRST_COMMAND)
        self._released = False

    def release(self) -> None:
        """Open the hand to its minimum pose, in place, unless it is."""
        if not self._released:
            self.scene.close(LEAST, MEET)
        self._released = True

    def clipped(self, action: Mapping[str, float]) -> dict[str, float]:
        """The action with a dz that keeps the wrist within `HEIGHTS`, as the robot takes it."""
        z = min(max(self.pose.z + action["dz"], HEIGHTS[0]), HEIGHTS[1])
        return {**action, "dz": z - self.pose.z}

    def regrasp(self, action: Mapping[str, float], *, lifts: bool = True) -> None:
        """Open, move and close, with an ear on it; without motion, close again from the minimum pose.

        Args:
            action: as the embodiment declares it; its height is clipped.
            lifts: the hand will lift: the sound labels the grasp, and `first` stays what it was.

        Raises:
            ContractError: the action does not fit the embodiment.
        """
        action = self.clipped(self.embodiment.check_action(action))
        self.release()
        if not self.embodiment.stays(action):
            self.scene.close(BEFORE, OPEN)
            now = self.pose
            self.pose = WristPose(
                now.x + action["dx"], now.y + action["dy"], now.z + action["dz"], now.yaw + action["dyaw"]
            )
            self.scene.approach(self.pose)
        target = np.array([action[dimension.name] for dimension in self.embodiment.hand])
        trace = self.scene.close_heard(target, PRESS)
        self.sound, self._released = self._hear(trace), False
        if not lifts:
            self.first = self._hear(trace, chunks=FIRST_CHUNKS, command=FIRST_COMMAND)
        self._excess = float(trace.excess(self.object.voice).max())
        self._force = float(np.mean([pad.normal for pad in self.scene.pads().values()]))
        self._error = self.scene.position_error()
        self._sent = float(displacement(all_joints(BEFORE), self.scene.commanded()).sum())

    def lift(self) -> dict[str, bool]:
        """Lift and hold for four seconds; the outcomes: held, and whether the sound was gentle."""
        self.scene.lift()
        self._held = self.scene.held
        return {"stable": self._held, "gentle": is_gentle(self.sound)}

    def measurements(self) -> dict[str, float]:
        """After a lift: what the robot has measured of the grasp, for labels and figures.

        `peak`, the loudest sample; `position_error_mm` and `displacement_mm`, of both fingertips, summed, of
        the closed hand and of its targets; `moved_middle_mm` and `moved_thumb_mm`, of the observed fingertips
        from the open hand to the hand in the air.
        """
        middle, thumb = (1e3 * displacement(all_joints(BEFORE), self.scene.observed())).tolist()
        return {
            "peak": float(loudest(self.sound)),
            "position_error_mm": 1e3 * self._error,
            "displacement_mm": 1e3 * self._sent,
            "moved_middle_mm": middle,
            "moved_thumb_mm": thumb,
        }

    def hidden(self) -> dict[str, float]:
        """The simulator's truth, in SI units; never an input of a model. After a lift, the outcomes' too."""
        obj = self.object
        known = {"mass": obj.mass, "friction": obj.friction, "spring": obj.gores.spring}
        if hasattr(self, "_held"):
            known |= {
                "stable": float(self._held),
                "gentle": float(self._excess <= obj.voice.bearable),
                "excess": self._excess,
                "force": self._force,
            }
        return known

    def observe(self) -> Streams:
        """Current pictures of the camera and the pads: stream → array; empty without rendering.

        `rgb` uint8 [S, S, 3]; `depth` uint16 [S, S] in tenths of a millimetre, 0 where there is none;
        `tactile_middle`, `tactile_thumb` uint8 [152, 128, 3].
        """
        if not self.rendered:
            return {}
        rgb, depth = self.camera.render(self.scene.model, self.scene.data, self._eye)
        return {"rgb": rgb, "depth": np.round(depth * 1e4).astype(np.uint16), **self.feel()}

    def feel(self) -> Streams:
        """Current pictures of the pads: see `observe`."""
        streams: Streams = {}
        for finger, pad in self.scene.pads().items():
            sensor = self._sensors[finger]
            imprint = sensor.indentation(
                self.scene.model, self.scene.data, pad, None, self.scene.object_body, self.object.skin
            )
            streams[f"tactile_{finger}"] = sensor.render(
                imprint,
                shear=pad.shear,
                torsion=pad.torsion,
                center=pad.center,
                wear=self._wear[finger],
                rng=self._eye,
            )
        return streams

    def vectors(self) -> dict[str, dict[str, float]]:
        """Current values of the embodiment's vectors, by name and entry."""
        seen = {"joints": self.scene.commanded(), "observed": self.scene.observed()}
        return {
            vector.name: asdict(self.pose)
            if vector.name == POSE
            else dict(zip(vector.names, seen[vector.name].tolist(), strict=True))
            for vector in self.embodiment.vectors
        }

    def _hear(self, trace: Trace, **length: int) -> npt.NDArray[np.int16]:
        return _microphone().hear(trace, self.object.voice, self._ear, speech=self.speech, **length)


def laboratory(number: int) -> Session:
    """Session `number`: a pair of DIGITs, and a laboratory whose camera is nearer than the gripper's."""
    session = Session.draw(LABORATORY, number, "digit")
    seen = session.variation
    x, y, z = seen.aim
    return replace(session, variation=replace(seen, zoom=seen.zoom * ZOOM, aim=(x, y, z + AIM)))


_SCENES: dict[str, FingerScene] = {}


@functools.lru_cache(maxsize=32)
def _sensor(unit: str) -> TactileSensor:
    return TactileSensor(make_unit(unit), PAD_SHAPE, PAD_HALF)


@functools.lru_cache(maxsize=8)
def _camera(session: Session, size: int) -> Camera:
    return Camera((size, size), session.variation)


@functools.cache
def _microphone() -> Microphone:
    return Microphone()

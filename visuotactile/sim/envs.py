"""Gymnasium environments of the lab; `import visuotactile.sim` registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.spaces import LIFT, action_space, named_action, observation_space
from visuotactile.errors import SimulationError
from visuotactile.sim.finger_lab import FingerLab, laboratory
from visuotactile.sim.gentle_grasps import observation as heard_and_seen
from visuotactile.sim.grasps import hidden_truth, observation
from visuotactile.sim.hands import fingers
from visuotactile.sim.hands.fingers import FingerScene
from visuotactile.sim.hands.parallel import GraspScene, declaration
from visuotactile.sim.lab import Lab, Streams
from visuotactile.sim.objects import object_names
from visuotactile.sim.objects.fragile import fragile_names
from visuotactile.sim.session import HAND_EYE, Session

SESSIONS = 10_000

# Compiled scenes by object that closed environments left: two open ones never share a scene, whose state
# either changes.
_IDLE: list[dict[str, GraspScene]] = []
_IDLE_HANDS: list[dict[str, FingerScene]] = []


class GraspEnv(gymnasium.Env[Streams, npt.NDArray[np.float32]]):
    """Regrasp an object until the grasp is good enough to lift (more_than_a_feeling).

    ## Action space

    `Box` float32 [6]. The hand opens, moves, and closes; where dx, dy, dz and dyaw are 0 it keeps hold and
    only changes its force. If `lift` is above 0 it then lifts, shakes and holds for 4 s.

    | number | name  | minimum | maximum | unit |                                            |
    |--------|-------|---------|---------|------|--------------------------------------------|
    | 0      | dx    | -0.02   | 0.02    | m    | shift of the wrist along the world's x     |
    | 1      | dy    | -0.02   | 0.02    | m    | along y                                    |
    | 2      | dz    | -0.02   | 0.02    | m    | along z, upwards                           |
    | 3      | dyaw  | -0.2967 | 0.2967  | rad  | turn about z                               |
    | 4      | force | 4       | 25      | N    | with which each finger presses, absolute   |
    | 5      | lift  | -1      | 1       |      | lift, and end the episode, if above 0      |

    The attribute `embodiment` declares the same, and all that is observed.

    ## Observation space

    `Dict`. Images at `STREAM/before` (hand away) and `STREAM/during` (closed):

    | stream                         | array                                                     |
    |--------------------------------|-----------------------------------------------------------|
    | rgb                            | uint8 [S, S, 3]                                           |
    | depth                          | uint16 [S, S], in 0.1 mm                                  |
    | tactile_left, tactile_right    | uint8 [120, 160, 3]                                       |

    | vector   | float32 | entries                                                                         |
    |----------|---------|---------------------------------------------------------------------------------|
    | pose     | [4]     | x, y, z (m) and yaw (rad) of the hand                                           |
    | force    | [1]     | force (N)                                                                       |
    | cylinder | [4]     | x, y, radius, height (m) of a cylinder about the object: fitted to a depth image |
    |          |         | before the first grasp, and moved to where the object is seen beside the hand   |

    After the lift the observation remains the one before it, since the camera would then reveal the outcome.

    ## Rewards

    1 at the end of an episode if the object is still in the hand, else 0.

    ## Starting state

    One of `objects`, or the one of `reset(options={"object": NAME})`, on the table, in a session of its own
    (gels, wear, lights, calibration), with the hand closed about it at a random height, turn and force near
    its cylinder.

    ## Episode end

    Terminated by a lift; truncated after ten steps, when made by `gymnasium.make`. `info` has the names of
    "object" and "session"; "hidden", which no policy may use; after a lift, "outcomes": {"success": bool}.

    ## Arguments

    | name        | default    |                                                                             |
    |-------------|------------|-----------------------------------------------------------------------------|
    | objects     | "train"    | "train", "easy", "hard", or names joined by commas                          |
    | sensor      | "gelsight" | or "digit"                                                                  |
    | camera_size | 224        | S, height and width of the camera's image                                   |
    | hand_eye    | 0.0035     | standard deviation, m along each axis, of the hand–eye calibration error,   |
    |             |            | which is constant within a session                                          |
    | render_mode | None       | or "rgb_array"                                                              |

    ## Version

    v0.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        objects: str = "train",
        sensor: str = "gelsight",
        camera_size: int = 224,
        hand_eye: float = HAND_EYE,
        render_mode: str | None = None,
    ) -> None:
        """Arguments are those of the table; raises `SimulationError` for one out of range."""
        if render_mode not in (None, "rgb_array"):
            raise SimulationError(f"render_mode is {render_mode!r}; expected 'rgb_array' or None")
        Session.draw(0, 0, sensor, hand_eye)  # refuses an unknown sensor and a calibration out of range
        self.objects = object_names(objects)
        self.sensor, self.camera_size, self.render_mode = sensor, camera_size, render_mode
        self.hand_eye = hand_eye
        self.embodiment = declaration(camera_size)
        self.action_space: Any = action_space(self.embodiment)
        self.observation_space: Any = observation_space(self.embodiment)
        self._lab: Lab | None = None
        self._lifted = False
        self._scenes = _IDLE.pop() if _IDLE else {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Streams, dict[str, Any]]:
        """Start an episode with a new session and first grasp; `options={"object": name}` sets the object."""
        super().reset(seed=seed)
        rng = self.np_random
        name = (options or {}).get("object") or self.objects[int(rng.integers(len(self.objects)))]
        seed_of_session, number = int(rng.integers(2**31)), int(rng.integers(SESSIONS))
        session = Session.draw(seed_of_session, number, self.sensor, self.hand_eye)
        lab = Lab(
            session,
            np.random.default_rng(int(rng.integers(2**63))),
            wear=session.wear_at(float(rng.random())),
            camera_size=self.camera_size,
            scenes=self._scenes,
        )
        lab.begin(name)
        self._lab, self._lifted = lab, False
        return _seen(lab), self._info(lab)

    def step(self, action: npt.NDArray[np.float32]) -> tuple[Streams, float, bool, bool, dict[str, Any]]:
        """Regrasp, and lift if the action's last number is above 0."""
        if self._lab is None or self._lifted:
            raise SimulationError("there is no grasp to change; call reset first")
        named = named_action(self.embodiment, action)
        lifts = named.pop(LIFT.name) > 0
        self._lab.regrasp(named)
        seen = _seen(self._lab)
        self._lifted, success = lifts, False
        if self._lifted:
            success = self._lab.lift()
        info = self._info(self._lab)
        if self._lifted:
            info["outcomes"] = {"success": success}
        return seen, float(success), self._lifted, False, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Current images of the camera and of both gels, side by side, uint8 [H, W, 3]."""
        if self.render_mode is None or self._lab is None:
            return None
        now = self._lab.observe()
        return _beside([now["rgb"], np.concatenate([now["tactile_left"], now["tactile_right"]])])

    def aftermath(self) -> Streams:
        """After a lift: the camera's picture of it, for people and not for policies."""
        if self._lab is None or not self._lifted:
            raise SimulationError("nothing was lifted yet; step with lift above 0 first")
        return {"rgb/after": self._lab.see()["rgb"]}

    def close(self) -> None:
        """Leave the compiled scenes to the next environment of this process."""
        _IDLE.append(self._scenes)
        self._lab, self._scenes = None, {}

    def _info(self, lab: Lab) -> dict[str, Any]:
        return {"object": lab.object.name, "session": lab.session.name, "hidden": hidden_truth(lab)}


class GentleGraspEnv(gymnasium.Env[Streams, npt.NDArray[np.float32]]):
    """Regrasp a fragile object with a hand of fingers until the grasp is stable and gentle (gentle_grasping).

    ## Action space

    `Box` float32 [10]. The hand goes back to its minimum pose, opens, moves, and closes; where dx, dy, dz and
    dyaw are 0 it closes again from the minimum pose. dz is clipped so that 5 to 30 mm are left under the
    fingertips. If `lift` is above 0 it then lifts and holds for 4 s.

    | number | name     | minimum | maximum | unit |                                          |
    |--------|----------|---------|---------|------|------------------------------------------|
    | 0      | dx       | -0.01   | 0.01    | m    | shift of the wrist along the world's x   |
    | 1      | dy       | -0.01   | 0.01    | m    | along y                                  |
    | 2      | dz       | -0.01   | 0.01    | m    | along z, upwards                         |
    | 3      | dyaw     | -0.2618 | 0.2618  | rad  | turn about z                             |
    | 4      | joint_5  | 1.45    | 1.75    | rad  | middle finger, absolute                  |
    | 5      | joint_6  | 0       | 0.3     | rad  | middle finger                            |
    | 6      | joint_7  | 0       | 0.3     | rad  | middle finger                            |
    | 7      | joint_14 | 0.2     | 0.5     | rad  | thumb                                    |
    | 8      | joint_15 | 0       | 0.3     | rad  | thumb                                    |
    | 9      | lift     | -1      | 1       |      | lift, and end the episode, if above 0    |

    The attribute `embodiment` declares the same, and all that is observed.

    ## Observation space

    `Dict`. At `STREAM/before` the hand is away, at `STREAM/during` it is closed:

    | stream                                | array                                                     |
    |---------------------------------------|-----------------------------------------------------------|
    | rgb                                   | uint8 [S, S, 3]                                           |
    | depth                                 | uint16 [S, S], in 0.1 mm                                  |
    | tactile_middle, tactile_thumb         | uint8 [152, 128, 3]                                       |
    | sound/first                           | int16 [66560, 2] at 44.1 kHz: the closing that led here   |

    | vector   | float32 | entries                                                                  |
    |----------|---------|--------------------------------------------------------------------------|
    | pose     | [4]     | x, y (m) of the wrist, z (m) left under the fingertips, and yaw (rad)    |
    | joints   | [16]    | commanded angles (rad)                                                   |
    | observed | [16]    | measured angles (rad)                                                    |

    After the lift the observation remains the one before it, and `sound/first` that of the grasp before,
    since pictures of the lift and the sound of the regrasp would reveal the outcomes.

    ## Rewards

    1 at the end of an episode if the object is held, else 0; whether it was gentle is in `info`.

    ## Starting state

    One of `objects`, or the one of `reset(options={"object": NAME})`, on the table, upright or lying (as
    `options={"lying": …}` says), grasped with the preset pose near where the robot found it.

    ## Episode end

    Terminated by a lift; truncated after ten steps, when made by `gymnasium.make`. `info` has the names of
    "object" and "session", and "lying"; "hidden", which no policy may use; after a lift, "outcomes":
    {"stable": bool, "gentle": bool}, and "measurements". After a lift, `aftermath()` has pictures of it and
    the sound of the regrasp.

    ## Arguments

    | name        | default |                                                                             |
    |-------------|---------|-----------------------------------------------------------------------------|
    | objects     | "toy"   | "toy", "fragile", "held-out", "unseen", or names; several joined by commas  |
    | camera_size | 224     | S, height and width of the camera's image                                   |
    | session     | 0       | number of the laboratory and its gels: 0 is that of `collect gentle`        |
    | render_mode | None    | or "rgb_array"                                                              |

    ## Version

    v0.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        objects: str = "toy",
        camera_size: int = 224,
        session: int = 0,
        render_mode: str | None = None,
    ) -> None:
        """Arguments are those of the table; raises `SimulationError` for one out of range."""
        if render_mode not in (None, "rgb_array") or session < 0:
            raise SimulationError(
                f"render_mode is {render_mode!r} and session {session}; expected 'rgb_array' or None, and "
                "at least 0"
            )
        self.objects = fragile_names(objects)
        self.camera_size, self.session, self.render_mode = camera_size, session, render_mode
        self.embodiment = fingers.declaration(camera_size)
        self.action_space: Any = action_space(self.embodiment)
        self.observation_space: Any = observation_space(self.embodiment)
        self._lab: FingerLab | None = None
        self._lifted = False
        self._scenes = _IDLE_HANDS.pop() if _IDLE_HANDS else {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Streams, dict[str, Any]]:
        """Start an episode with a first grasp; `options` may set "object" and "lying"."""
        super().reset(seed=seed)
        rng = self.np_random
        chosen = options or {}
        name = chosen.get("object") or self.objects[int(rng.integers(len(self.objects)))]
        lab = FingerLab(
            laboratory(self.session),
            np.random.default_rng(int(rng.integers(2**63))),
            camera_size=self.camera_size,
            scenes=self._scenes,
        )
        lab.begin(name, lying=chosen.get("lying"))
        self._lab, self._lifted = lab, False
        return self._seen(lab), self._info(lab)

    def step(self, action: npt.NDArray[np.float32]) -> tuple[Streams, float, bool, bool, dict[str, Any]]:
        """Regrasp, and lift if the action's last number is above 0."""
        if self._lab is None or self._lifted:
            raise SimulationError("there is no grasp to change; call reset first")
        lab, named = self._lab, named_action(self.embodiment, action)
        self._lifted = named.pop(LIFT.name) > 0
        lab.regrasp(named, lifts=self._lifted)
        seen = self._seen(lab)
        if not self._lifted:
            return seen, 0.0, False, False, self._info(lab)
        outcomes = lab.lift()
        info = self._info(lab)
        info |= {"outcomes": outcomes, "measurements": lab.measurements()}
        return seen, float(outcomes["stable"]), True, False, info

    def aftermath(self) -> Streams:
        """After a lift: pictures of it, and the sound of the regrasp, for people and not for policies."""
        if self._lab is None or not self._lifted:
            raise SimulationError("nothing was lifted yet; step with lift above 0 first")
        found = {f"{name}/after": array for name, array in self._lab.observe().items() if name != "depth"}
        return {**found, "sound/regrasp": self._lab.sound}

    def close(self) -> None:
        """Leave the compiled scenes to the next environment of this process."""
        _IDLE_HANDS.append(self._scenes)
        self._lab, self._scenes = None, {}

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Current images of the camera and of both pads, side by side, uint8 [H, W, 3]."""
        if self.render_mode is None or self._lab is None:
            return None
        now = self._lab.observe()
        return _beside([now["rgb"], np.concatenate([now["tactile_middle"], now["tactile_thumb"]])])

    def _seen(self, lab: FingerLab) -> Streams:
        return {name: array.copy() for name, array in heard_and_seen(lab, lab.observe()).items()}

    def _info(self, lab: FingerLab) -> dict[str, Any]:
        return {
            "object": lab.object.name,
            "session": lab.session.name,
            "lying": lab.lying,
            "hidden": lab.hidden(),
        }


def _beside(images: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Images side by side, the lower ones padded with black."""
    height = max(len(image) for image in images)
    return np.concatenate([np.pad(x, ((0, height - len(x)), (0, 0), (0, 0))) for x in images], axis=1)


def _seen(lab: Lab) -> Streams:
    # Copies, since `before` is kept for the whole episode, and a caller may write into an observation.
    return {name: array.copy() for name, array in observation(lab, lab.observe()).items()}

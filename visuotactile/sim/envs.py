"""Gymnasium environments of the lab; `import visuotactile.sim` registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from visuotactile.errors import SimulationError
from visuotactile.sim.grasps import hidden_truth, observation
from visuotactile.sim.lab import FORCES, MOTION, TURN, Lab, Regrasp, Streams
from visuotactile.sim.objects import object_names
from visuotactile.sim.session import HAND_EYE, Session
from visuotactile.sim.tactile import SHAPE

ACTION = ("dx", "dy", "dz", "dyaw", "force", "lift")
"""What the numbers of an action are: metres in the world's axes, radians, newtons; lift afterwards if > 0."""

SESSIONS = 10_000


class GraspEnv(gymnasium.Env[Streams, npt.NDArray[np.float32]]):
    """Regrasp an object until it is worth lifting (more_than_a_feeling).

    An episode begins with a first grasp at random, closed. Each step opens the hand, moves it, closes it
    with a force, and looks; an action that moves nothing keeps hold and only changes the force. When the
    last number of the action is above 0 the hand then lifts, shakes and holds for 4 s, and the episode ends
    with reward 1 if the object is still in the hand, else 0.

    The observation has a stream's image at `STREAM/before` (hand away) and `STREAM/during` (closed): `rgb`
    uint8 [S, S, 3], `depth` uint16 [S, S] in 0.1 mm, `tactile_left` and `tactile_right` uint8 [120, 160, 3];
    `pose` float32 [4], the hand's x, y, z, yaw; `force` float32 [1], newtons; `cylinder` float32 [4], the x,
    y, radius and height of the cylinder about the object: fitted to a depth image before the first grasp,
    and moved to where the depth camera sees the object beside the hand now, as well as hand and eye are
    calibrated. After the lift the observation stays what it was before: what the camera then sees would be
    the answer. `info` has the object's name, the session and, under "hidden", what no policy may use.
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
        """
        Args:
            objects: "train", "easy", "hard", or names joined by commas; each episode draws one.
            sensor: "gelsight" or "digit".
            camera_size: height and width of the camera's image.
            hand_eye: how well hand and eye are calibrated: standard deviation along each axis of how far from
                the object its cylinder is taken to be, m, the same for all of a session.
            render_mode: "rgb_array" or None.
        """
        if render_mode not in (None, "rgb_array"):
            raise SimulationError(f"render_mode is {render_mode!r}; expected 'rgb_array' or None")
        Session.draw(0, 0, sensor, hand_eye)  # refuses what there is not
        self.objects = object_names(objects)
        self.sensor, self.camera_size, self.render_mode = sensor, camera_size, render_mode
        self.hand_eye = hand_eye
        self.action_space: Any = _box(
            [-MOTION] * 3 + [-TURN, FORCES[0], -1], [MOTION] * 3 + [TURN, FORCES[1], 1]
        )
        images: dict[str, spaces.Space[Any]] = {
            "rgb": spaces.Box(0, 255, (camera_size, camera_size, 3), np.uint8),
            "depth": spaces.Box(0, 65535, (camera_size, camera_size), np.uint16),
            "tactile_left": spaces.Box(0, 255, (*SHAPE, 3), np.uint8),
            "tactile_right": spaces.Box(0, 255, (*SHAPE, 3), np.uint8),
        }
        named = {f"{stream}/{phase}": box for stream, box in images.items() for phase in ("before", "during")}
        named["pose"] = _box([-1, -1, 0, -10], [1, 1, 1, 10])
        named["force"] = spaces.Box(*FORCES, (1,), np.float32)
        named["cylinder"] = _box([-1, -1, 0, 0], [1, 1, 1, 1])
        self.observation_space: Any = spaces.Dict(named)
        self._lab: Lab | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Streams, dict[str, Any]]:
        """Another object, in another session, grasped somewhere. `options={"object": name}` chooses which."""
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
        )
        lab.begin(name)
        self._lab, self._lifted = lab, False
        return _seen(lab), self._info(lab)

    def step(self, action: npt.NDArray[np.float32]) -> tuple[Streams, float, bool, bool, dict[str, Any]]:
        """Regrasp, and lift if the action says so."""
        if self._lab is None or self._lifted:
            raise SimulationError("there is no grasp to change; call reset first")
        values = np.asarray(action, np.float64)
        if values.shape != (len(ACTION),):
            raise SimulationError(
                f"action has shape {values.shape}, expected ({len(ACTION)},): {', '.join(ACTION)}"
            )
        self._lab.regrasp(Regrasp(**dict(zip(ACTION[:5], values[:5].tolist(), strict=True))))
        seen = _seen(self._lab)
        self._lifted, success = bool(values[5] > 0), False
        if self._lifted:
            success = self._lab.lift()
        info = self._info(self._lab)
        if self._lifted:
            info["success"] = success
        return seen, float(success), self._lifted, False, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The camera's image with both gels' beside it, uint8 [H, W, 3], as they are now."""
        if self.render_mode is None or self._lab is None:
            return None
        now = self._lab.observe()
        gels = np.concatenate([now["tactile_left"], now["tactile_right"]])
        height = max(len(now["rgb"]), len(gels))
        pads = [np.pad(x, ((0, height - len(x)), (0, 0), (0, 0))) for x in (now["rgb"], gels)]
        return np.concatenate(pads, axis=1)

    def _info(self, lab: Lab) -> dict[str, Any]:
        return {"object": lab.object.name, "session": lab.session.name, "hidden": hidden_truth(lab)}


def _box(low: list[float], high: list[float]) -> spaces.Box:
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


def _seen(lab: Lab) -> Streams:
    # Copies: `before` stays the same for the whole episode, and who is given an observation may change it.
    return {name: array.copy() for name, array in observation(lab, lab.observe()).items()}

"""Pairs of sight and touch of four connectors on a grid of poses, for representations that join the two.

The dataset of Bronars and Sunil, "Self-supervised visuotactile representation learning for dexterous
manipulation", section C: an overhead depth image centred on the gripper, and the binary contact image of a
virtual depth camera that looks out of the pad. 1,920 training pairs on a grid of 5° and 5 mm; 640 validation
pairs at perturbed poses of the same grid.

The grid, in the gripper's frame (x along the closing direction, y along the pads): 20 turns × 24 places. Jaws
hold a part only across its length, within the friction cone (tan 22.5° = 0.41), so its axis stands at
-22.5° … 22.5° to the pads in steps of 5°, pointing either way; y runs over -12.5 … 12.5 mm, x over
-7.5 … 7.5 mm. The gripper itself turns to any of 72 headings. Touch does not depend on x, because the jaws
close until they meet the part: the four training pairs that differ in x alone share one contact image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE, Dimension, Embodiment, Stream, Vector
from visuotactile.datasets.trial import Trial
from visuotactile.errors import SimulationError
from visuotactile.sim.connectors.parts import CONNECTORS, OBJECT_GROUP, TABLE_GROUP, connector_model
from visuotactile.sim.rays import cast

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

STEP_YAW, STEP = np.radians(5.0), 5e-3
"""Resolution of the grid, and maximum distance of a validation pose from its training pose."""
TURNS = tuple(float(np.radians(turn + 5 * k - 22.5)) for turn in (0, 180) for k in range(10))
PLACES_Y = tuple(5e-3 * k - 12.5e-3 for k in range(6))
PLACES_X = tuple(5e-3 * k - 7.5e-3 for k in range(4))
HEADINGS = 72
PER_PART = len(TURNS) * len(PLACES_Y) * len(PLACES_X)
VALIDATION_PER_PART = 160

SIGHT_HALF = 0.036
"""Metres from the gripper's centre to the edge of the overhead image, in the table's plane."""
CAMERA_HEIGHT = 0.40
NEAREST, FARTHEST = 0.390, 0.400
"""Depths shown as white and black: the parts are at most 9 mm high."""

TOUCH_HALF = 0.012
"""Metres from the pad's centre to the edge of the contact image."""
GEL_DEPTH = 1.0e-3
"""Compliance of the gel in metres: all within this depth of the foremost point is in contact."""
STAND_OFF = 5.0
"""Distance of the pad's camera in metres, so that its rays are nearly parallel (to 0.25 % of a depth)."""

MARK_COLOR = (40, 90, 255)
MARK_STEM, MARK_BAR, MARK_WIDTH = 0.027, TOUCH_HALF, 0.9e-3
"""The "I", to scale: half the distance between the open pads, half a pad's width, a line's width; metres."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Place of a part in the gripper's frame, and heading of the gripper; metres and radians."""

    part: str
    x: float
    y: float
    yaw: float
    heading: float


class Connectors:
    """Pairs of an overhead view and a contact image of small connectors.

    The same for the same `seed`.

    Streams: `depth` float32 [size, size], metres below the overhead camera, at `before`; `sight` uint8
    [size, size, 3], the same in grey with the gripper's "I" in blue, at `before`; `touch` uint8
    [size, size, 3], 0 or 255 in equal channels, at `during`. Each is centred on the gripper. In depth and
    sight the world's x points right and y up; in touch the gripper's y points right and z up.
    Object: the part. Vectors: `part`, its x, y (m) and yaw (rad) in the gripper's frame; `pose`, the
    gripper's yaw (rad). Columns: `split`, train or validation; `config`, the number of the training pose that
    the pair stands at, or was perturbed from; `contact`, a number that pairs share whose part touches
    the pad at one place, as training pairs do that differ in x alone. A perturbed pair has one of its own.

    Args:
        source: none; the set is simulated.
        seed: seed of the headings and of the perturbations.
        size: height and width of the images, in pixels.

    Raises:
        SimulationError: a number out of range, or a source.
    """

    name: ClassVar[str] = "simulated-connectors"
    description: ClassVar[str] = "simulated sight and touch of four connectors, 2,560 pairs (no source)"

    def __init__(self, source: object = None, seed: int = 0, size: int = 128) -> None:
        if source is not None:
            raise SimulationError(f"connectors are simulated and take no source, but were given {source!r}")
        for key, value, least in (("seed", seed, 0), ("size", size, 16)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SimulationError(f"{key} is {value!r}; expected a whole number from {least}")
        self.settings: Mapping[str, Any] = {"seed": seed, "size": size}
        yaw = Dimension("yaw", "rad", -2 * np.pi, 2 * np.pi)
        self.embodiment = Embodiment(
            name="parallel gripper over connectors",
            vectors=(
                Vector("part", (*(Dimension(axis, "m", -SIGHT_HALF, SIGHT_HALF) for axis in "xy"), yaw)),
                Vector(POSE, (yaw,)),
            ),
            streams=(
                Stream("depth", "map", {"before": (size, size)}),
                Stream("sight", "image", {"before": (size, size, 3)}),
                Stream("touch", "image", {"during": (size, size, 3)}),
            ),
        )
        rng = np.random.default_rng((seed, 0))
        self._configs = [*range(PER_PART * len(CONNECTORS))]
        for part in range(len(CONNECTORS)):
            chosen = rng.choice(PER_PART, VALIDATION_PER_PART, replace=False)
            self._configs += [part * PER_PART + int(k) for k in np.sort(chosen)]
        self._trained = PER_PART * len(CONNECTORS)
        parts = tuple(CONNECTORS)
        self.names = tuple(
            f"{'train' if i < self._trained else 'validation'}-{parts[config // PER_PART]}-{config:04d}"
            for i, config in enumerate(self._configs)
        )

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.names)

    def configuration(self, i: int) -> Configuration:
        """Place of the part in pair `i`."""
        config = self._configs[i]
        part, place = divmod(config, PER_PART)
        turn, y, x = np.unravel_index(place, (len(TURNS), len(PLACES_Y), len(PLACES_X)))
        seed = self.settings["seed"]
        heading = np.radians(360 / HEADINGS) * int(
            np.random.default_rng((seed, 1, config)).integers(HEADINGS)
        )
        moved = np.zeros(3)
        if i >= self._trained:
            moved = np.random.default_rng((seed, 2, config)).uniform(-1, 1, 3)
        return Configuration(
            part=tuple(CONNECTORS)[part],
            x=float(PLACES_X[x] + STEP * moved[0]),
            y=float(PLACES_Y[y] + STEP * moved[1]),
            yaw=float(TURNS[turn] + STEP_YAW * moved[2]),
            heading=float(heading),
        )

    def _contact(self, i: int) -> int:
        """Contact number of pair `i`; training pairs that differ in x alone are consecutive in the grid."""
        contacts = self._trained // len(PLACES_X)
        return i // len(PLACES_X) if i < self._trained else contacts + i - self._trained

    def trial(self, i: int) -> Trial:
        """Render pair `i`."""
        at, size = self.configuration(i), self.settings["size"]
        depth = overhead_depth(at, size)
        touch = np.where(contact(at, size), np.uint8(255), np.uint8(0))
        return Trial(
            name=self.names[i],
            streams={
                "depth": {"before": depth.astype(np.float32)},
                "sight": {"before": draw_sight(depth, at.heading)},
                "touch": {"during": np.repeat(touch[..., None], 3, axis=2)},
            },
            object=at.part,
            session="simulated",
            sensor="virtual depth cameras",
            vectors={"part": {"x": at.x, "y": at.y, "yaw": at.yaw}, POSE: {"yaw": at.heading}},
            columns={
                "split": "train" if i < self._trained else "validation",
                "config": float(self._configs[i]),
                "contact": float(self._contact(i)),
            },
        )


def overhead_depth(at: Configuration, size: int) -> Array:
    """Depth below a camera over the gripper's centre, float64 [size, size], metres along the optical axis."""
    c, s = np.cos(at.heading), np.sin(at.heading)
    x, y = at.x * c - at.y * s, at.x * s + at.y * c
    directions, cosine = _overhead_rays(size)
    eye = np.array([0, 0, CAMERA_HEIGHT])
    hits = cast(*_place(at.part, x, y, at.yaw + at.heading), eye, directions, (TABLE_GROUP, OBJECT_GROUP))
    return (hits.distance * cosine).reshape(size, size)


def contact(at: Configuration, size: int) -> npt.NDArray[np.bool_]:
    """Contact of the pad that faces the gripper's +x, bool [size, size].

    Raises `SimulationError` if the part is out of the pad's reach.
    """
    directions, cosine = _pad_rays(size)
    eye = np.array([-STAND_OFF, 0, CONNECTORS[at.part].rest * 1e-3])
    hits = cast(*_place(at.part, 0.0, at.y, at.yaw), eye, directions, (OBJECT_GROUP,))
    ahead = np.where(hits.geom >= 0, hits.distance * cosine, np.inf).reshape(size, size)
    if not np.isfinite(ahead).any():
        raise SimulationError(f"{at} lies outside the contact window of ±{TOUCH_HALF * 1e3:.0f} mm")
    return np.asarray(ahead <= ahead.min() + GEL_DEPTH)


def draw_sight(depth: Array, heading: float) -> Picture:
    """The depth in grey, near is bright, with the gripper's "I" in blue: uint8 [size, size, 3]."""
    size = len(depth)
    grey = np.clip((FARTHEST - depth) / (FARTHEST - NEAREST), 0, 1) * 255
    ink = _mark(size, heading)[..., None]
    return np.rint(grey[..., None] * (1 - ink) + np.array(MARK_COLOR) * ink).astype(np.uint8)


def _mark(size: int, heading: float) -> Array:
    """Share of each pixel that the "I" covers, [size, size]: a stem along the closing direction, two pads."""
    grid = _centers(size) * SIGHT_HALF
    x, y = np.meshgrid(grid, -grid)
    along = abs(x * np.cos(heading) + y * np.sin(heading))
    across = abs(y * np.cos(heading) - x * np.sin(heading))
    stem = np.hypot(np.maximum(along - MARK_STEM, 0), across)
    bar = np.hypot(along - MARK_STEM, np.maximum(across - MARK_BAR, 0))
    pixel = 2 * SIGHT_HALF / size
    return np.asarray(np.clip((MARK_WIDTH / 2 - np.minimum(stem, bar)) / pixel + 0.5, 0, 1))


def _place(part: str, x: float, y: float, yaw: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Place a part on a table, rotated about the vertical."""
    model = connector_model(part)
    data = mujoco.MjData(model)
    data.qpos[:3] = x, y, CONNECTORS[part].rest * 1e-3
    data.qpos[3:] = np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
    mujoco.mj_kinematics(model, data)
    return model, data


def _centers(size: int) -> Array:
    """Pixel centres from -1 to 1."""
    return (np.arange(size) + 0.5) * 2 / size - 1


@lru_cache(maxsize=4)
def _overhead_rays(size: int) -> tuple[Array, Array]:
    """Unit vectors [N, 3] from the camera to each pixel's place on the table, and their slants' cosine."""
    right, up = np.meshgrid(_centers(size) * SIGHT_HALF, -_centers(size) * SIGHT_HALF)
    return _unit(np.stack([right, up, np.full_like(right, -CAMERA_HEIGHT)], axis=-1), CAMERA_HEIGHT)


@lru_cache(maxsize=4)
def _pad_rays(size: int) -> tuple[Array, Array]:
    """The same from behind the pad, along the gripper's x, to each pixel's place on the pad's mid-plane."""
    right, up = np.meshgrid(_centers(size) * TOUCH_HALF, -_centers(size) * TOUCH_HALF)
    return _unit(np.stack([np.full_like(right, STAND_OFF), right, up], axis=-1), STAND_OFF)


def _unit(rays: Array, depth: float) -> tuple[Array, Array]:
    length = np.linalg.norm(rays.reshape(-1, 3), axis=1)
    return rays.reshape(-1, 3) / length[:, None], depth / length

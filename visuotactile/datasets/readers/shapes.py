"""Pressed shapes: a small simulated set that needs no download, for tests, examples and first steps.

Twelve shapes are pressed into two gels. Height map → surface normals → three coloured lights → markers
that the press drags along → noise, as in GelSight images (Yuan, Dong and Adelson 2017, "GelSight:
High-resolution robot tactile sensors"). The shapes are easy to classify, not realistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from visuotactile.datasets.embodiment import Dimension, Embodiment, Stream, Vector
from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError

Plane = npt.NDArray[np.float64]
HEIGHT, WIDTH = 96, 128
MARKER_PITCH = 16
_LIGHTS = np.array([[1.0, 0.0], [-0.5, 0.87], [-0.5, -0.87]])
"""Directions of the red, the green and the blue light."""

SHAPES: Mapping[str, Callable[[Plane, Plane], Plane]] = {
    "ball": lambda x, y: 1 - (x**2 + y**2),
    "bead": lambda x, y: 1 - 6 * (x**2 + y**2),
    "rod": lambda x, y: 1 - 3 * y**2 + 0 * x,
    "thread": lambda x, y: 1 - 25 * y**2 + 0 * x,
    "cube": lambda x, y: 0.9 - 40 * np.maximum(np.maximum(abs(x), abs(y)) - 0.55, 0),
    "plate": lambda x, y: 0.8 - 40 * np.maximum(np.maximum(abs(x) - 0.9, abs(y) - 0.35), 0),
    "edge": lambda x, y: 1 - 2 * abs(y) + 0 * x,
    "cone": lambda x, y: 1 - 0.7 * np.hypot(x, y),
    "ring": lambda x, y: 1 - 14 * (np.hypot(x, y) - 0.6) ** 2,
    "cross": lambda x, y: 1 - 14 * np.minimum(abs(x) + 0.05 * y**2, abs(y) + 0.05 * x**2) ** 2,
    "ridges": lambda x, y: 0.75 + 0.25 * np.cos(14 * x) - 8 * np.maximum(np.hypot(x, y) - 0.8, 0),
    "dots": lambda x, y: 0.5 + 0.5 * np.cos(9 * x) * np.cos(9 * y) - 8 * np.maximum(np.hypot(x, y) - 0.8, 0),
}
"""Shape → height above its plane at (x, y); the gel touches heights above 1 − depth."""


class Shapes:
    """Simulated presses of twelve shapes, `per_shape` of each, the same for the same `seed`.

    Streams tactile_left and tactile_right at `before` and `during`, uint8 [96, 128, 3]; action `depth` (how
    deep the shape is pressed, 0–1); vector `shape`: its x, y (of half a gel) and yaw (radians); outcome
    `success`, likelier the larger the area in contact.
    """

    name: ClassVar[str] = "shapes"
    description: ClassVar[str] = "simulated presses of twelve shapes, built in (no source)"

    embodiment: ClassVar[Embodiment] = Embodiment(
        name="simulated press",
        hand=(Dimension("depth", "", 0, 1),),
        vectors=(
            Vector(
                "shape",
                (*(Dimension(axis, "", -1, 1) for axis in "xy"), Dimension("yaw", "rad", -math.pi, math.pi)),
            ),
        ),
        streams=tuple(
            Stream(f"tactile_{side}", "image", dict.fromkeys(("before", "during"), (HEIGHT, WIDTH, 3)))
            for side in ("left", "right")
        ),
        outcomes=("success",),
    )

    def __init__(self, source: object = None, per_shape: int = 8, seed: int = 0) -> None:
        if source is not None:
            raise DataError(f"shapes is built in and takes no source, but was given {source!r}")
        if not isinstance(per_shape, int) or per_shape < 1 or not isinstance(seed, int) or seed < 0:
            raise DataError(
                f"per_shape is {per_shape!r} and seed {seed!r}; expected whole numbers from 1 and 0"
            )
        self.settings: Mapping[str, Any] = {"per_shape": per_shape, "seed": seed}
        self.names = tuple(f"{shape}-{i:03d}" for i in range(per_shape) for shape in SHAPES)

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Simulate press `i`."""
        shape = self.names[i].rsplit("-", 1)[0]
        rng = np.random.default_rng((self.settings["seed"], i))
        depth, yaw = rng.uniform(0.05, 1), rng.uniform(-np.pi, np.pi)
        x, y = rng.uniform(-0.3, 0.3, 2)
        streams, area = {}, 0.0
        for stream, side in (("tactile_left", 1), ("tactile_right", -1)):
            gel = np.random.default_rng((self.settings["seed"], 1, side + 1, int(rng.integers(3))))
            light, tint = gel.uniform(0.8, 1.2, 3), gel.uniform(90, 130, 3)
            imprint = _imprint(shape, depth, side * x, y, side * yaw)
            area += float((imprint > 0).mean()) / 2
            drag = rng.normal(0, 2, 2)
            streams[stream] = {
                "before": _picture(0 * imprint, drag, light, tint, rng),
                "during": _picture(imprint, drag, light, tint, rng),
            }
        chance = 1 / (1 + np.exp(-(np.log(max(area, 1e-4)) - np.log(0.06)) * 2.5))
        return Trial(
            name=self.names[i],
            streams=streams,
            object=shape,
            session="simulated",
            sensor="simulated gel",
            outcomes={"success": float(rng.random() < chance)},
            action={"depth": float(depth)},
            vectors={"shape": {"x": float(x), "y": float(y), "yaw": float(yaw)}},
            hidden={"contact_area": area},
        )


def _imprint(shape: str, depth: float, x: float, y: float, yaw: float) -> Plane:
    """Depth of the gel's surface at each pixel [H, W], in 0–1."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    u, v = (u - WIDTH / 2) / (HEIGHT / 2) - x, (v - HEIGHT / 2) / (HEIGHT / 2) - y
    u, v = u * np.cos(yaw) + v * np.sin(yaw), v * np.cos(yaw) - u * np.sin(yaw)
    reach = np.maximum(np.hypot(u, v) - 1.1, 0)
    height = SHAPES[shape](u * 1.6, v * 1.6) - 20 * reach
    return np.asarray(np.maximum(height - (1 - 0.6 * depth), 0))


def _picture(imprint: Plane, drag: Plane, light: Plane, tint: Plane, rng: np.random.Generator) -> Any:
    """The camera's view of the gel, uint8 [H, W, 3]."""
    height = np.maximum(gaussian_filter(imprint, 1), gaussian_filter(imprint, 4))
    slope = np.stack(np.gradient(height)[::-1], axis=-1) * 12
    image = tint + 90 * (slope @ _LIGHTS.T) / np.sqrt(1 + (slope**2).sum(-1, keepdims=True)) * light
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    sway = gaussian_filter(height, 6) * 4
    u, v = u - drag[0] * sway, v - drag[1] * sway
    offset = [(plane + MARKER_PITCH / 2) % MARKER_PITCH - MARKER_PITCH / 2 for plane in (u, v)]
    image *= 1 - 0.75 * np.exp(-(np.hypot(*offset)[..., None] ** 2) / 5)
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)

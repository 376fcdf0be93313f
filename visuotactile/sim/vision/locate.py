"""Localisation: an upright cylinder around what the depth camera sees above the table.

As "More than a feeling" (Calandra et al. 2018) begins each trial: with the hand away, the object is enclosed
in a cylinder, and the first grasp aims at its axis, between the table and its height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label, uniform_filter

from visuotactile.errors import SimulationError
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.light import Mask, Wide

REACH, TALLEST = 0.20, 0.25
"""m: an object is looked for this far from the table's middle along x and along y, and up to this height; the
waiting hand hangs above."""

CLEAR = 0.007
"""m above the table: lower points are taken for its noise."""

FEWEST = 25
"""Pixels that are taken for an object."""

_STRAYS = 0.007  # share of the points beyond an extreme that are taken for noise
_RIM, _FLAT = 0.005, 0.8  # m; a top is flat when, so far below its height, it is nearly as wide as the object
_LOST = 1.2  # of a pixel, which the far rim of a top loses on average to holes and strays at the edge


@dataclass(frozen=True, kw_only=True)
class Cylinder:
    """An upright cylinder on the table: its axis at (`x`, `y`), `radius` and `height`, all in metres."""

    x: float
    y: float
    radius: float
    height: float


def surface(
    depth: npt.NDArray[np.floating],
    camera: Camera,
    *,
    whole: bool = False,
    hidden: Mask | None = None,
    fewest: int = FEWEST,
) -> Wide:
    """Points [N, 3] in the world that are seen standing on the table, smoothed.

    Args:
        depth: [H, W], m along the optical axis, 0 where nothing was measured.
        camera: the one that took it.
        whole: keep the largest connected thing alone; a hand may hide the middle of what is one thing.
        hidden: bool [H, W], pixels that show something else, such as the hand.
        fewest: pixels that are taken for an object.

    Raises `SimulationError` when fewer are seen, or the depth is not of the camera's shape.
    """
    if depth.shape != camera.shape:
        raise SimulationError(f"depth is of shape {depth.shape}; expected the camera's, {camera.shape}")
    standing = _standing(depth, camera)
    if hidden is not None:
        standing &= ~hidden
    box = _around(standing)  # a tenth of the image; the rest is not looked at again
    standing = standing[box]
    standing &= uniform_filter(standing.astype(np.float64), 3) > 0.4  # drops strays at ragged edges
    if whole:
        names, _ = label(standing)
        sizes = np.bincount(names.ravel(), minlength=2)
        sizes[0] = 0
        standing = (names == sizes.argmax()) & (names > 0)
    count = int(standing.sum())
    if count < fewest:
        raise SimulationError(
            f"no object is seen: of {depth.size} pixels, {count} {'side by side ' if whole else ''}lie above "
            f"the table within {REACH} m of its middle; expected at least {fewest}. Place the object in view"
        )
    smooth = _smoothed(depth[box].astype(np.float64), standing)[standing]
    return np.asarray(camera.position + smooth[:, None] * camera.steps[box][standing])


def enclose(points: Wide, camera: Camera) -> Cylinder:
    """The cylinder around `points` [N, 3] that the camera sees of one object."""
    away = float(((points - camera.position) @ camera.rotation[:, 2]).mean())
    return _enclose(points, camera.position, away / camera.focal)


def _standing(depth: npt.NDArray[np.floating], camera: Camera) -> Mask:
    """Mask [H, W] of the pixels that show something above the table within reach."""
    height = camera.position[2] + depth.astype(np.float64) * camera.rise
    standing = (depth > 0) & (height > CLEAR) & (height < TALLEST)
    at = np.flatnonzero(standing)  # few, for most pixels show the table
    away, steps = depth.reshape(-1)[at], camera.steps.reshape(-1)
    x, y = (camera.position[k] + away * steps.take(3 * at + k, mode="clip") for k in (0, 1))
    standing.reshape(-1)[at] = (np.abs(x) < REACH) & (np.abs(y) < REACH)
    return standing


def _around(taken: Mask) -> tuple[slice, slice]:
    """The smallest box with a margin of one pixel, within the picture, that holds all that is `taken`."""
    return _span(np.flatnonzero(taken.any(axis=1))), _span(np.flatnonzero(taken.any(axis=0)))


def _span(places: npt.NDArray[np.intp]) -> slice:
    return slice(max(int(places[0]) - 1, 0), int(places[-1]) + 2) if len(places) else slice(0, 0)


def _smoothed(depth: Wide, seen: Mask) -> Wide:
    """Average twice each pixel that is `seen` with those pairs of opposite neighbours that are both seen.

    In pairs, because the mean over one side alone would draw in the rim of a surface that slopes away.
    """
    rows, columns = depth.shape
    known = np.pad(seen, 1)
    pairs, count = [], np.ones(depth.shape)
    for i, j in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = np.s_[1 + i : 1 + i + rows, 1 + j : 1 + j + columns]
        there = np.s_[1 - i : 1 - i + rows, 1 - j : 1 - j + columns]
        both = known[here] & known[there]
        pairs.append((here, there, both))
        count += 2 * both
    for _ in range(2):
        values, depth = np.pad(depth, 1), depth.copy()
        for here, there, both in pairs:
            depth += np.where(both, values[here] + values[there], 0)
        depth /= count
    return depth


def _enclose(points: Wide, eye: Wide, pixel: float) -> Cylinder:
    """The cylinder around `points` [N, 3] that are seen from `eye` [3]; `pixel` is how wide one is there, m.

    To the left and right the object's own flanks are seen, and in front its face. How far it reaches back is
    seen of a flat top only. Otherwise there are three guesses at its middle, and the median is taken: it is
    as deep as it is wide; it is an ellipsoid that the eye sees up to where it curves away; its highest place
    is above its middle.
    """
    height = _extreme(points[:, 2])
    back = points[:, :2].mean(axis=0) - eye[:2]
    distance = float(np.linalg.norm(back))
    back /= distance
    right = np.array([back[1], -back[0]])
    across, along = points[:, :2] @ right, points[:, :2] @ back
    steepness = (eye[2] - height) / distance
    left, width = -_extreme(-across) - pixel / 2, _extreme(across) + _extreme(-across) + pixel
    near, far = -_extreme(-along), _extreme(along) + _LOST * pixel * float(np.hypot(1, 1 / steepness))
    top = points[:, 2] > height - _RIM
    if _extreme(across[top]) + _extreme(-across[top]) > _FLAT * width:
        middle = (near + far) / 2
    else:
        ellipsoid = near + _half_depth(far - near, height / 2, steepness)
        highest = (_extreme(along[top]) - _extreme(-along[top])) / 2
        middle = float(np.median([near + width / 2, ellipsoid, highest]))
    x, y = ((left + width / 2) * right + middle * back).tolist()
    radius = _extreme(np.hypot(points[:, 0] - x, points[:, 1] - y)) + pixel / 2
    return Cylinder(x=x, y=y, radius=radius, height=height)


def _half_depth(seen: float, half_height: float, steepness: float) -> float:
    """Half the depth `a` of an ellipsoid of which a depth `seen` is in view, from so steeply above.

    A line of sight of slope s touches it at a · sin t behind its middle, where tan t = s · a / half_height.
    """
    guesses = np.linspace(seen / 2, seen, 200)
    in_view = guesses * (1 + np.sin(np.arctan(steepness * guesses / half_height)))
    return float(guesses[np.abs(in_view - seen).argmin()])


def _extreme(values: Wide) -> float:
    """The largest of the values but for strays."""
    strays = max(3, int(_STRAYS * len(values)))
    return float(np.partition(values, -strays)[-strays]) if len(values) >= strays else float(values.max())

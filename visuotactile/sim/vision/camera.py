"""The camera in front of the table: colour and depth pictures by ray casting, without a display or OpenGL.

It stands where the Kinect of "More than a feeling" (Calandra et al. 2018) does: in front of the table,
looking slightly down at the gripper and the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.sim.rays import Hits, cast, group_mask
from visuotactile.sim.vision.backdrop import Backdrop
from visuotactile.sim.vision.film import develop, scan
from visuotactile.sim.vision.kinect import beside, measure
from visuotactile.sim.vision.light import HAND, SOLID, Array, Light, Mask, Solids, Wide
from visuotactile.sim.vision.tabletop import linear
from visuotactile.sim.vision.variation import Variation
from visuotactile.sim.vision.window import Window

Indices = npt.NDArray[np.intp]

POSITION = np.array([0.0, -0.78, 0.50])
AIM = np.array([0.0, 0.0, 0.14])
FOCAL = 1.95
"""Nominal focal length in picture heights: over the middle of the table the picture is 0.44 m wide."""

_CLOSE = 0.05  # m: nearer than this, a box in space has no box in the picture
_AGAIN = np.array([(-0.35, 0.1), (0.09, -0.36), (0.26, 0.26)])
"""Subpixel offsets (rows, columns from the centre) at which the edges of solids are sampled."""


@dataclass(frozen=True)
class _Sight:
    """The solids that a camera sees in one state of a scene.

    Attributes:
        model: of the scene.
        places, turns: of all its geoms, as `data.geom_xpos` and `data.geom_xmat` were.
        solids: what bounds them.
        pixels: [M], numbers of the pixels that see a solid.
        geoms: int32 [M], which.
        depth: float64 [M], m along the optical axis.
        normals: float32 [M, 3], unit.
    """

    model: mujoco.MjModel
    places: Wide
    turns: Wide
    solids: Solids
    pixels: Indices
    geoms: npt.NDArray[np.int32]
    depth: Wide
    normals: Array

    def is_of(self, model: mujoco.MjModel, data: mujoco.MjData) -> bool:
        """True while the scene is in the same state."""
        return (
            self.model is model
            and np.array_equal(self.places, data.geom_xpos)
            and np.array_equal(self.turns, data.geom_xmat)
        )


class Camera:
    """One camera in one laboratory.

    Args:
        variation: the laboratory; also shifts, turns and zooms the camera.
        shape: rows and columns of the pictures.

    Attributes:
        position: float64 [3], m, in the world.
        rotation: float64 [3, 3]; its columns are the picture's right and down and the optical axis.
        focal: pixels.
    """

    def __init__(self, shape: tuple[int, int] = (224, 224), variation: Variation | None = None) -> None:
        self.variation = variation or Variation()
        self._sight: _Sight | None = None
        self.shape = shape
        self.position: Wide = POSITION + self.variation.shift
        self.focal = FOCAL * self.variation.zoom * shape[0]
        axis = AIM + self.variation.aim - self.position
        axis /= np.linalg.norm(axis)
        right = np.cross(axis, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        cos, sin = np.cos(self.variation.roll), np.sin(self.variation.roll)
        down = np.cross(axis, right)
        self.rotation: Wide = np.column_stack([cos * right + sin * down, cos * down - sin * right, axis])

    def points(self, depth: npt.NDArray[np.floating]) -> Wide:
        """World coordinates of each pixel of `depth` [H, W] (m along the optical axis), float64 [H, W, 3].

        A pixel with depth 0 (nothing measured) gives the camera's own position.
        """
        return self.position + np.asarray(depth, np.float64)[..., None] * self.steps

    def project(self, points: npt.NDArray[np.floating]) -> tuple[Wide, Wide]:
        """Picture coordinates (row, column) float64 [..., 2] of world `points` [..., 3], and their depth.

        Pixel (i, j) has its centre at row i, column j.
        """
        local = (np.asarray(points, np.float64) - self.position) @ self.rotation
        centre = (np.array(self.shape) - 1) / 2
        return centre + self.focal * local[..., 1::-1] / local[..., 2:], local[..., 2]

    def _rays(self, rows: Wide, columns: Wide) -> Wide:
        """Directions through picture coordinates, of length one along the optical axis, float64 [..., 3]."""
        y = (rows - (self.shape[0] - 1) / 2) / self.focal
        x = (columns - (self.shape[1] - 1) / 2) / self.focal
        ahead = np.stack([x, y, np.ones_like(x)], axis=-1)
        # One product of two matrices: a stack of small ones takes ten times as long.
        return np.asarray((ahead.reshape(-1, 3) @ self.rotation.T).reshape(ahead.shape))

    @cached_property
    def steps(self) -> Wide:
        """Rays through the pixels' centres, of length 1 m along the optical axis, float64 [H, W, 3]."""
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float64)
        return self._rays(rows, columns)

    @cached_property
    def rise(self) -> Wide:
        """The vertical components of `steps`, m, [H, W], contiguous."""
        return np.ascontiguousarray(self.steps[..., 2])

    def depth(self, model: mujoco.MjModel, data: mujoco.MjData) -> Array:
        """True depth float32 [H, W], m along the optical axis, of the scene as `data` has it."""
        sight = self._look(model, data)
        depth = self._backdrop.depth.copy()
        depth.reshape(-1)[sight.pixels] = sight.depth
        return depth

    def hand_depth(self, model: mujoco.MjModel, data: mujoco.MjData) -> Array:
        """Depth float32 [H, W] of the hand as if nothing stood before it, infinite where it is not.

        A robot draws it from its own description and joints, to tell its hand from the rest.
        """
        found = np.full(self.shape, np.inf, np.float32)
        flat = found.reshape(-1)
        sight = self._look(model, data)
        seen = group_mask(HAND)[model.geom_group[sight.geoms]] > 0
        flat[sight.pixels[seen]] = sight.depth[seen]
        # Only where the object is seen may it hide the hand.
        before = np.zeros(self.shape, np.bool_)
        before.reshape(-1)[sight.pixels[~seen]] = True
        looked = np.flatnonzero(before & self._boxes(sight.solids.corners[: sight.solids.hand]))
        hits, depth = self._cast(model, data, self.steps.reshape(-1, 3)[looked], HAND)
        hit = hits.geom >= 0
        flat[looked[hit]] = depth[hit]
        return found

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Array]:
        """Take a picture of the scene as `data` has it after `mj_kinematics` or a step.

        Solid geoms (groups 1 to 3) have the colours of `model.geom_rgba`; table and wall are the variation's.
        `rng` draws the noise and nothing else.

        Returns:
            RGB uint8 [H, W, 3], and depth float32 [H, W] as a depth camera reports it (`kinect.measure`): m
            along the optical axis, 0 where it got no answer.
        """
        rgb = scan(self._picture(model, data), self.variation.noise, rng)
        return rgb, measure(self.depth(model, data), rng)

    def _picture(self, model: mujoco.MjModel, data: mujoco.MjData) -> Array:
        """The picture of 0 to 255 before its noise, float32 [H, W, 3].

        Only the window that solids and their shadows change is computed; the rest is the empty table's.
        """
        sight = self._look(model, data)
        rows, columns = np.divmod(sight.pixels, self.shape[1])
        dark, shaded = self._backdrop.shadows(model, data, sight.solids)
        # Antialiasing reaches one pixel beyond the solids, and the lens spills light one pixel further.
        solid = np.zeros(self.shape, np.bool_)
        solid.reshape(-1)[sight.pixels] = True
        changed = dark.joined(Window.around(solid).grown(1, self.shape)).grown(1, self.shape)
        picture = self._empty.copy()
        if not changed.shape[0]:
            return picture
        window = changed.grown(1, self.shape)
        behind = self._backdrop.light[window.at].copy()
        behind[dark.inside(window)] = shaded
        at = rows - window.top, columns - window.left
        light, geoms = behind.copy(), np.full(window.shape, -1, np.int32)
        light[at] = self._shade(model, data, sight)
        geoms[at] = sight.geoms
        self._smooth(model, data, window, geoms, behind, light)
        picture[changed.at] = develop(light, self._exposure[window.at])[changed.inside(window)]
        return picture

    def _look(self, model: mujoco.MjModel, data: mujoco.MjData) -> _Sight:
        """Cast the primary rays, unless the scene is unchanged since the last time.

        The last result is kept: the lab measures depth and then renders the same state, and casting those
        rays once saves 3 ms of a trial's 90.
        """
        if self._sight is None or not self._sight.is_of(model, data):
            solids = Solids.of(model, data)
            looked = np.flatnonzero(self._boxes(solids.corners))
            hits, depth = self._cast(model, data, self.steps.reshape(-1, 3)[looked], normals=True)
            hit = np.flatnonzero((hits.geom >= 0) & (depth < self._backdrop.depth.reshape(-1)[looked]))
            self._sight = _Sight(
                model=model,
                places=data.geom_xpos.copy(),
                turns=data.geom_xmat.copy(),
                solids=solids,
                pixels=looked[hit],
                geoms=hits.geom[hit],
                depth=depth[hit],
                normals=hits.normal[hit].astype(np.float32),
            )
        return self._sight

    def _boxes(self, corners: Wide) -> npt.NDArray[np.bool_]:
        """Pixels [H, W] within the picture's upright boxes around solids with these `corners` [G, 8, 3]."""
        places, depth = self.project(corners)
        if not (depth > _CLOSE).all():  # also NaN, for a solid without bounds
            return np.ones(self.shape, np.bool_)
        inside = np.zeros(self.shape, np.bool_)
        first = np.floor(places.min(axis=1)).astype(int).clip(0, None)
        beyond = np.ceil(places.max(axis=1)).astype(int).clip(-1, None) + 1
        for (top, left), (bottom, right) in zip(first.tolist(), beyond.tolist(), strict=True):
            inside[top:bottom, left:right] = True
        return inside

    def _cast(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        steps: Wide,
        groups: tuple[int, ...] = SOLID,
        *,
        normals: bool = False,
    ) -> tuple[Hits, Wide]:
        """First hits on solids along `steps` [N, 3], and their depths along the optical axis [N], m."""
        length = np.sqrt(np.einsum("nk,nk->n", steps, steps))
        hits = cast(model, data, self.position, steps / length[:, None], groups, normals=normals)
        return hits, hits.distance / length

    def _shade(self, model: mujoco.MjModel, data: mujoco.MjData, sight: _Sight) -> Array:
        """Radiance of the visible solids toward the camera, float32 [M, 3]."""
        points = self.position + sight.depth[:, None] * self.steps.reshape(-1, 3)[sight.pixels]
        coarse = points.astype(np.float32)
        toward, share = self._light.falling(coarse, sight.normals)
        share *= self._light.reaches(model, data, sight.solids, points, sight.geoms, share > 0)
        reflectance = linear(model.geom_rgba[:, :3])[sight.geoms]
        return self._light.on_solid(self.position, coarse, sight.normals, reflectance, toward, share)

    def _smooth(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        window: Window,
        geoms: npt.NDArray[np.int32],
        behind: Array,
        light: Array,
    ) -> None:
        """Antialias the borders between `geoms` [h, w] in `light` [h, w, 3], in place.

        Each border pixel is averaged over its centre and the subpixels `_AGAIN`. A subpixel that sees a geom
        takes the mean light of those of the surrounding 3 × 3 pixels that see the same geom; one that sees
        none takes `behind` [h, w, 3]. All arrays are cropped to `window`.
        """
        inside = np.divmod(np.flatnonzero(_borders(geoms)), window.shape[1])
        rows, columns = inside[0] + window.top, inside[1] + window.left
        steps = self._rays(rows[:, None] + _AGAIN[:, 0], columns[:, None] + _AGAIN[:, 1])
        hits, depth = self._cast(model, data, steps.reshape(-1, 3))
        limit = np.repeat(self._backdrop.depth[rows, columns], len(_AGAIN))
        parts = np.where(depth < limit, hits.geom, -1).reshape(-1, len(_AGAIN))
        # the surrounding pixels come first, [9, P]: an innermost axis of length 9 takes twice as long
        near = np.array([[-1], [0], [1]])
        i = (rows + near).clip(0, self.shape[0] - 1) - window.top
        j = (columns + near).clip(0, self.shape[1] - 1) - window.left
        around = (i[:, None] * window.shape[1] + j).reshape(9, -1)
        there = geoms.reshape(-1)[around]
        weights, free = np.zeros(around.shape), np.zeros(len(rows), np.float32)
        for part in parts.T:
            alike = (part == there) & (part >= 0)
            weights += alike * (1 / np.maximum(np.count_nonzero(alike, axis=0), 1))
            free += part < 0
        weights = weights.astype(np.float32)
        # the centre, and subpixels whose geom no pixel around sees; [P, 9], as NumPy sums a row more exactly
        rest = np.float32(len(_AGAIN) + 1) - np.ascontiguousarray(weights.T).sum(axis=1) - free
        mixed = np.empty((len(rows), 3), np.float32)
        for channel in range(3):
            mixed[:, channel] = (weights * light[..., channel].reshape(-1)[around]).sum(axis=0)
        mixed += free[:, None] * behind[inside]
        mixed += rest[:, None] * light[inside]
        light[inside] = mixed / np.float32(len(_AGAIN) + 1)

    @cached_property
    def _light(self) -> Light:
        return Light(self.variation)

    @cached_property
    def _backdrop(self) -> Backdrop:
        rows, columns = self.shape
        coarse = [
            self._rays(*(np.mgrid[: -(-rows // k), : -(-columns // k)] * float(k) + (k - 1) / 2))
            for k in (2, 4)
        ]
        return Backdrop(self.variation, self._light, self.position, [self.steps, *coarse], 1 / self.focal)

    @cached_property
    def _empty(self) -> Array:
        """The empty table's picture before noise, float32 [H, W, 3]."""
        return develop(self._backdrop.light.copy(), self._exposure)

    @cached_property
    def _exposure(self) -> Array:
        """Exposure with the fall of a lens toward the corners, [H, W, 3]."""
        cosine = 1 / np.linalg.norm(self.steps, axis=2, keepdims=True)
        return np.repeat((self.variation.exposure * cosine**4).astype(np.float32), 3, axis=2)


def _borders(geoms: npt.NDArray[np.int32]) -> Mask:
    """Mask of the pixels with a 4-neighbour that shows another geom."""
    return beside(geoms, lambda one, other: one != other)

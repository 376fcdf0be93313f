"""Table top and wall behind the gripper and the object, in closed form, with the shadows on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from visuotactile.sim.vision.light import Array, Light, Solids, Wide, glint, lit
from visuotactile.sim.vision.tabletop import linear, paint
from visuotactile.sim.vision.variation import Variation
from visuotactile.sim.vision.window import Window

_UP, _FRONT = np.array([0, 0, 1], np.float32), np.array([0, -1, 0], np.float32)


@dataclass(frozen=True)
class Surface:
    """Intersections of rays with the table (z = 0) or the wall (y = `wall_y`), whichever comes first.

    Attributes:
        steps: float64 [N], distance from the origin in units of each ray's direction.
        points: float64 [N, 3], m.
        above: float64 [N], m, height of the ray above the table at the wall; negative where it met the table.
    """

    steps: Wide
    points: Wide
    above: Wide

    @classmethod
    def meet(cls, origin: Wide, directions: Wide, wall_y: float) -> Surface:
        """Send rays from `origin` [3] along `directions` [N, 3], all of which lead toward the wall."""
        to_wall = (wall_y - origin[1]) / directions[:, 1]
        to_table = -origin[2] / np.minimum(directions[:, 2], -1e-9)
        steps = np.minimum(to_wall, to_table)
        return cls(steps, origin + steps[:, None] * directions, origin[2] + to_wall * directions[:, 2])


class Backdrop:
    """Table and wall of one variation as one camera sees them; what does not change is computed once.

    Args:
        variation: the laboratory.
        light: its light.
        position: float64 [3], the camera's, m.
        grids: for full, half and quarter resolution, directions float64 [h, w, 3] of length one along the
            optical axis.
        pixel: width of a pixel of the full grid at one metre, m.

    Attributes:
        depth: float32 [H, W], m along the optical axis.
        light: float32 [H, W, 3], radiance of table and wall without shadows.
    """

    def __init__(
        self,
        variation: Variation,
        light: Light,
        position: Wide,
        grids: Sequence[Wide],
        pixel: float,
    ) -> None:
        full, half, quarter = grids
        self._shape = full.shape[:2]
        surface = Surface.meet(position, full.reshape(-1, 3), variation.wall_y)
        self.depth: Array = surface.steps.reshape(self._shape).astype(np.float32)
        # channels first, [3, H, W]: `_mixed` passes over them one by one
        self._under_ambient, self._under_lamp = (
            np.ascontiguousarray(part.T).reshape(3, *self._shape)
            for part in _shade(variation, light, position, surface, pixel)
        )
        even = np.ones(len(light.lamp_points), np.float32)
        self._lamp = _Beams(light.lamp_points, even, position, half, variation.wall_y)
        self._dome = _Beams(light.dome_points, light.dome_weights, position, quarter, variation.wall_y)
        everywhere = Window(0, quarter.shape[0], 0, quarter.shape[1])
        self.light = self._mixed(everywhere, self._lamp.open, self._dome.open)[1]

    def shadows(self, model: mujoco.MjModel, data: mujoco.MjData, solids: Solids) -> tuple[Window, Array]:
        """The window that holds the solids' shadows, and its radiance with them, float32 [h, w, 3].

        Shadows are also cast where a solid hides them, so that upsampling lets no light leak in.
        """
        lamp, dome = (beams.share(model, data, solids) for beams in (self._lamp, self._dome))
        dark = Window.around(dome != self._dome.open).joined(Window.around(lamp != self._lamp.open).merged(2))
        # a margin of one cell, which upsampling mixes with the cells in shadow
        return self._mixed(dark.grown(1, dome.shape), lamp, dome)

    def _mixed(self, cells: Window, lamp: Array, dome: Array) -> tuple[Window, Array]:
        """The pixels of these `cells` of quarter resolution, and their light float32 [h, w, 3].

        `lamp` is the share of the lamp at half resolution and `dome` that of the surroundings at a quarter.
        """
        window = cells.scaled(4, self._shape)
        rows, columns = window.shape
        sun = _enlarge(lamp[cells.scaled(2, lamp.shape).at])[:rows, :columns]
        sky = _enlarge(_enlarge(dome[cells.at]))[:rows, :columns]
        light = np.empty((rows, columns, 3), np.float32)
        for channel in range(3):  # broadcasting over an innermost axis of length 3 takes three times as long
            mixed = self._under_ambient[channel][window.at] * sky
            mixed += self._under_lamp[channel][window.at] * sun
            light[..., channel] = mixed
        return window, light


class _Beams:
    """Rays from points of light to each place [h, w] of a grid on table and wall.

    Args:
        sources: float64 [K, 3], the points, m.
        weights: float32 [K], share of the light from each, up to a factor.
        position: float64 [3], the camera's, m.
        grid: float64 [h, w, 3], directions from there.
        wall_y: of the wall, m.

    Attributes:
        open: float32 [h, w], the share where nothing casts a shadow: 1 up to rounding.
    """

    def __init__(self, sources: Wide, weights: Array, position: Wide, grid: Wide, wall_y: float) -> None:
        self._sources, self._weights = sources, weights / weights.sum()
        self._shape = grid.shape[:2]
        points = Surface.meet(position, grid.reshape(-1, 3), wall_y).points
        rays = points - sources[:, None]
        self._distances = np.linalg.norm(rays, axis=2)
        rays /= self._distances[..., None]
        self._rays = rays
        self._coarse = np.ascontiguousarray(rays.transpose(0, 2, 1), np.float32)
        self.open = self._sum(np.ones((len(sources), len(points)), np.float32))

    def share(self, model: mujoco.MjModel, data: mujoco.MjData, solids: Solids) -> Array:
        """Share of the light that reaches each place past the solids, float32 [h, w]."""
        near = zip(*solids.near(self._sources, self._coarse), strict=True)
        return self._sum(
            lit(model, data, source, rays, distances, where)
            for source, rays, distances, where in zip(
                self._sources, self._rays, self._distances, near, strict=True
            )
        )

    def _sum(self, free: Iterable[Array]) -> Array:
        """Weighted sum over the points of light of each one's visibility [N], float32 [h, w]."""
        total = np.zeros(self._shape, np.float32)
        flat = total.reshape(-1)
        for weight, part in zip(self._weights, free, strict=True):
            flat += weight * part
        return total


def _shade(
    variation: Variation, light: Light, position: Wide, surface: Surface, pixel: float
) -> tuple[Array, Array]:
    """Radiance toward the camera due to ambient light and due to the lamp, float32 [N, 3] each."""
    points = surface.points.astype(np.float32)
    # Blend table and wall across the line where they meet, to antialias it.
    wall = (surface.above / (surface.steps * pixel) + 0.5).clip(0, 1).astype(np.float32)
    ambient, lamp = np.zeros_like(points), np.zeros_like(points)
    for share, normal, gloss in ((1 - wall, _UP, variation.table.gloss), (wall, _FRONT, 0.0)):
        at = np.flatnonzero(share)
        spots, part = points[at], share[at, None]
        reflectance = paint(variation.table, spots) if normal is _UP else linear(variation.wall)
        toward, fall = light.falling(spots, normal)
        shine = np.float32(gloss) * glint(position, spots, normal, toward)
        ambient[at] += part * reflectance
        lamp[at] += part * fall[:, None] * (reflectance + shine[:, None])
    return ambient * light.ambient_color, lamp * light.lamp_color


def _enlarge(image: Array) -> Array:
    """Twice the rows and columns, [h, w] → [2h, 2w], linear in between and constant beyond the border."""
    for _ in range(2):
        padded = np.concatenate([image[:1], image, image[-1:]])
        near, before, after = np.float32(0.75) * image, padded[:-2], padded[2:]
        image = np.empty((2 * image.shape[0], image.shape[1]), np.float32)
        image[0::2] = near + np.float32(0.25) * before
        image[1::2] = near + np.float32(0.25) * after
        image = np.ascontiguousarray(image.T)
    return image

"""What is behind the gripper and the object: table top and wall, in closed form, and the shadows on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from visuotactile.sim.vision.light import Array, Light, Solids, Wide, glint, lit
from visuotactile.sim.vision.tabletop import linear, paint
from visuotactile.sim.vision.variation import Variation

_UP, _FRONT = np.array([0, 0, 1], np.float32), np.array([0, -1, 0], np.float32)


@dataclass(frozen=True)
class Surface:
    """Where rays meet the table (z = 0) or the wall (y = `wall_y`), whichever is first.

    Attributes:
        steps: float64 [N], how many of the given directions it is away from the origin.
        points: float64 [N, 3], m.
        above: float64 [N], m, how high over the table the ray is at the wall; negative when it met the table.
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
    """Table and wall of one variation as one camera sees them; everything that does not change is kept.

    Args:
        variation: the laboratory.
        light: its light.
        position: float64 [3], the camera's, m.
        grids: for full, half and quarter resolution, directions float64 [h, w, 3] of length one along the
            optical axis.
        pixel: how wide a pixel of the full grid is at one metre, m.

    Attributes:
        depth: float32 [H, W], m along the optical axis.
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
        self._light = light
        self._shape = full.shape[:2]
        directions = full.reshape(-1, 3)
        surface = Surface.meet(position, directions, variation.wall_y)
        self.depth: Array = surface.steps.reshape(self._shape).astype(np.float32)
        self._under_ambient, self._under_lamp = (
            part.reshape(*self._shape, 3) for part in _shade(variation, light, position, surface, pixel)
        )
        self._lamp_beams = _beams(light.lamp_points, position, half, variation.wall_y)
        self._dome_beams = _beams(light.dome_points, position, quarter, variation.wall_y)

    def shaded(self, model: mujoco.MjModel, data: mujoco.MjData, solids: Solids) -> Array:
        """Light that the camera gets from table and wall with the solids' shadows on them, float32 [H, W, 3].

        Shadows fall also where a solid hides them, so that enlarging half resolution lets no light in.
        """
        lamp = self._free(model, data, solids, self._lamp_beams, np.ones(len(self._lamp_beams), np.float32))
        dome = self._free(model, data, solids, self._dome_beams, self._light.dome_weights)
        rows, columns = self._shape
        ambient = _enlarge(_enlarge(dome))[:rows, :columns, None]
        return np.asarray(
            self._under_ambient * ambient + self._under_lamp * _enlarge(lamp)[:rows, :columns, None]
        )

    def _free(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        solids: Solids,
        beams: list[_Beams],
        weights: Array,
    ) -> Array:
        """Share of the light points, by weight, that reach each place of the beams' grid, float32 [h, w]."""
        total = np.zeros(len(beams[0].distance), np.float32)
        for beam, weight in zip(beams, weights / weights.sum(), strict=True):
            where = solids.near(beam.source, beam.coarse)
            total += weight * lit(model, data, beam.source, beam.rays, beam.distance, where)
        return total.reshape(beams[0].shape)


@dataclass(frozen=True)
class _Beams:
    """From a point of light to each place of a grid: unit rays [N, 3], the same roughly [3, N], distances."""

    source: Wide
    rays: Wide
    coarse: Array
    distance: Wide
    shape: tuple[int, int]


def _beams(sources: Wide, position: Wide, grid: Wide, wall_y: float) -> list[_Beams]:
    points = Surface.meet(position, grid.reshape(-1, 3), wall_y).points
    beams = []
    for source in sources:
        rays = points - source
        distance = np.linalg.norm(rays, axis=1)
        rays /= distance[:, None]
        beams.append(_Beams(source, rays, np.ascontiguousarray(rays.T, np.float32), distance, grid.shape[:2]))
    return beams


def _shade(
    variation: Variation, light: Light, position: Wide, surface: Surface, pixel: float
) -> tuple[Array, Array]:
    """Light toward the camera owed to the ambient and to the lamp, float32 [N, 3] each."""
    points = surface.points.astype(np.float32)
    # Where table and wall meet, a pixel is a mixture of both, or the line would be a staircase.
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

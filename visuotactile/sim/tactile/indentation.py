"""The gap between a pad's gel and the object."""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter

from visuotactile.sim.contact import PadState
from visuotactile.sim.objects.mjcf import OBJECT_GROUP
from visuotactile.sim.tactile.foundation import touching_gap
from visuotactile.sim.tactile.grid import STRIDE, Grid
from visuotactile.sim.tactile.projection import Projection
from visuotactile.sim.tactile.units import Gel

Array = npt.NDArray[np.float64]

BEHIND = 0.006
"""Metres behind the gel's surface at which something is no longer pressed in, but beside the finger."""
TALLEST = 0.5e-3
"""Metres: a relief's greatest amplitude."""
_SLACK = 0.3e-3  # metres by which the coarse look may be wrong about the depth
_FAR = 0.05  # metres before the gel, and beside it, at which geoms are left out at once


class HasHeight(Protocol):
    """A relief: how far a surface stands out over its part's plain shape."""

    def height(self, points: Array) -> Array:
        """Metres [N] at points [N, 3] of the object's frame."""
        ...


class GapCamera:
    """Ray casting from the gel to the object: coarse everywhere, per pixel only near possible contacts.

    Features smaller than the coarse spacing of 0.6 mm may be missed.
    """

    def __init__(self, grid: Grid, dome: Array) -> None:
        """Look through `grid` from a gel whose surface falls back by `dome` [H, W], metres."""
        self._grid, self._dome, self._coarse_dome = grid, dome, grid.coarse(dome)
        self._cells = np.meshgrid(grid.coarse_u, grid.coarse_v)
        self._pixels = [place.ravel() for place in np.meshgrid(grid.u, grid.v)]

    def gap(
        self, model: mujoco.MjModel, data: mujoco.MjData, pad: PadState, gel: Gel, share: float, taller: float
    ) -> Array:
        """Metres [H, W] along n from the gel to the object's plain shape; infinite where no contact can be.

        Contact under the pad's normal force can be where the gap is at most `taller` above that up to which
        the plain shape would touch.
        """
        grid, cell = self._grid, (STRIDE * self._grid.pixel) ** 2
        geoms = [Projection(model, data, geom, pad) for geom in _near(model, data, pad, grid.half)]
        u, v = (place.ravel() for place in self._cells)
        looks = [
            _before(geom.gap(u, v)).reshape(self._coarse_dome.shape) + self._coarse_dome for geom in geoms
        ]
        if not looks:
            return np.full(grid.shape, np.inf)
        level = touching_gap(gel, np.minimum.reduce(looks).ravel(), cell, pad.normal, share) + _SLACK
        while True:
            gap = self._closer(geoms, looks, level + taller)
            found = touching_gap(gel, gap.ravel(), grid.pixel**2, pad.normal, share)
            if found <= level:
                return gap
            level = found + _SLACK

    def points(self, pad: PadState, gap: Array, chosen: npt.NDArray[np.intp]) -> Array:
        """Points of the object's plain shape seen by the pixels `chosen` [N], metres in the world, [N, 3]."""
        away = gap.ravel()[chosen] - self._dome.ravel()[chosen]
        place = np.empty((len(chosen), 3))
        for axis, along in enumerate((*(place[chosen] for place in self._pixels), away)):
            place[:, axis] = along
        return pad.position + place @ pad.rotation.T

    def _closer(self, geoms: list[Projection], looks: list[Array], reach: float) -> Array:
        """The gap at every pixel of the cells where it is at most `reach`, or of their neighbours."""
        gap = np.full(self._grid.shape, np.inf)
        for geom, look in zip(geoms, looks, strict=True):
            near = minimum_filter(look, 3) <= reach
            if near.any():
                at = np.flatnonzero(near.repeat(STRIDE, axis=0).repeat(STRIDE, axis=1))
                geom = geom.narrowed(*(place[near] for place in self._cells))
                found = _before(geom.gap(*(place[at] for place in self._pixels))) + self._dome.ravel()[at]
                gap.ravel()[at] = np.minimum(gap.ravel()[at], found)
        gap[gap > reach] = np.inf
        return gap


def _near(model: mujoco.MjModel, data: mujoco.MjData, pad: PadState, half: tuple[float, float]) -> list[int]:
    """The object's geoms whose bounding sphere a ray may meet, through a window of these half sizes."""
    geoms = np.flatnonzero(model.geom_group == OBJECT_GROUP)
    place = (data.geom_xpos[geoms] - pad.position) @ pad.rotation
    reach = model.geom_rbound[geoms]
    beside = np.hypot(place[:, 0], place[:, 1]) - reach > np.hypot(*half)
    chosen: list[int] = geoms[~beside & (abs(place[:, 2]) - reach < _FAR)].tolist()
    return chosen


def _before(gap: Array) -> Array:
    """Without what is behind the gel."""
    return np.where(gap < -BEHIND, np.inf, gap)

"""One lamp and ambient light: illumination and shadows.

The lamp is a small disc, and rays go FROM it: one cast answers for a whole picture, and a shadow's rim
softens with its distance from what throws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.sim.rays import cast, group_mask
from visuotactile.sim.vision.tabletop import linear
from visuotactile.sim.vision.variation import Variation

Array = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

HAND, OBJECT = (1, 2), (3,)
SOLID = HAND + OBJECT
"""Geom groups that rays are sent at: hand, pads, object. The table is a plane in closed form."""

LAMP_RADIUS = 0.06
_DOME_RADIUS, _DOME_RISE = 3.0, 0.6
_SHINE = np.float32(0.3)  # of a highlight on the gripper and on objects, beside a white surface
_SHADY_HEIGHT = np.float32(0.03)  # m over the table, below which its own shadow takes the bounced light
_NEAR = 3e-4  # m: a surface does not shade itself, whatever the last bits of its distance
_CORNERS = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
_BANDS = np.array([610e-9, 550e-9, 465e-9])  # m, the wavelengths of red, green and blue


def warmth(kelvin: float) -> Array:
    """RGB of a black body at this temperature beside daylight at 6500 K, its green 1, float32 [3].

    The square root stands for the camera's white balance, which takes out about half of a room's tint.
    """
    hot, day = (1 / np.expm1(0.014388 / (_BANDS * t)) for t in (kelvin, 6500.0))
    ratio = np.sqrt(hot / day)
    return np.asarray(ratio / ratio[1], np.float32)


class Light:
    """The light of one `Variation`.

    Attributes:
        lamp: float64 [3], the disc's centre, m.
        lamp_color, ambient_color: float32 [3], linear RGB on a white table at the origin.
        lamp_points: float64 [K, 3], points of the disc's rim.
        dome_points: float64 [K, 3], far points all around, from which ambient light comes.
        dome_weights: float32 [K], the cosine with which each meets the table.
        bounce: float32 [3], light that the sunny table throws back up.
    """

    def __init__(self, variation: Variation) -> None:
        self.lamp: Wide = np.asarray(variation.lamp, np.float64)
        self.lamp_color = np.float32(variation.lamp_power) * warmth(variation.lamp_kelvin)
        self.ambient_color = np.float32(variation.ambient) * warmth(variation.ambient_kelvin)
        self.bounce = linear(variation.table.color) * (self.lamp_color + self.ambient_color)
        self._unit = np.float32((self.lamp @ self.lamp) ** 1.5 / self.lamp[2])
        axis = self.lamp / np.linalg.norm(self.lamp)
        side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.99 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        turns = 2 * np.pi * np.arange(3) / 3 + 0.4
        spread = np.outer(np.cos(turns), side) + np.outer(np.sin(turns), np.cross(axis, side))
        self.lamp_points: Wide = self.lamp + LAMP_RADIUS * spread
        turns = 2 * np.pi * np.arange(5) / 5 + 0.9
        ring = np.column_stack([np.cos(turns), np.sin(turns), np.full(5, _DOME_RISE)])
        ring /= np.hypot(1, _DOME_RISE)
        self.dome_points: Wide = _DOME_RADIUS * np.vstack([[0.0, 0.0, 1.0], ring])
        self.dome_weights = (self.dome_points[:, 2] / _DOME_RADIUS).astype(np.float32)

    def falling(self, points: Array, normals: Array) -> tuple[Array, Array]:
        """Toward the lamp, unit [N, 3], and the share of `lamp_color` that falls on a surface unshaded [N].

        `normals` are [N, 3], or one [3] for all.
        """
        toward = self.lamp.astype(np.float32) - points
        square = np.einsum("nk,nk->n", toward, toward)
        slant = np.einsum("...k,...k->...", toward, normals)
        share = self._unit * slant.clip(0, None) / square ** np.float32(1.5)
        toward /= np.sqrt(square)[:, None]
        return toward, share

    def reaches(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        solids: Solids,
        points: Wide,
        geoms: npt.NDArray[np.int32],
        facing: Mask,
    ) -> Array:
        """1 where the lamp's centre shines on `points` [N, 3] of `geoms` [N] that are `facing` it, else 0.

        Geoms are convex, so that none shades a side of its own that faces the lamp.
        """
        rays = points - self.lamp
        distance = np.sqrt(np.einsum("nk,nk->n", rays, rays))
        rays /= distance[:, None]
        near = solids.near(self.lamp, np.ascontiguousarray(rays.T, np.float32), geoms)
        return lit(model, data, self.lamp, rays, distance, [where & facing for where in near])

    def on_solid(
        self, eye: Wide, points: Array, normals: Array, reflectance: Array, toward: Array, share: Array
    ) -> Array:
        """Light from solid surfaces, all [N, …], on which `share` of the lamp falls, toward the `eye` [3]."""
        # as [3, N]: broadcasting over an innermost axis of length 3 takes three times as long
        up = np.float32(0.5) + np.float32(0.5) * normals[:, 2]
        clear = 1 - np.exp(-points[:, 2].clip(0, None) / _SHADY_HEIGHT)
        falls = up * self.ambient_color[:, None] + ((1 - up) * clear) * self.bounce[:, None]
        falls += share * self.lamp_color[:, None]
        shine = _SHINE * share * glint(eye, points, normals, toward)
        falls *= reflectance.T
        falls += shine * self.lamp_color[:, None]
        return falls.T


def glint(eye: Wide, points: Array, normals: Array, toward: Array) -> Array:
    """The highlight's shape, 0–1 [N]: how nearly a surface mirrors the lamp into the eye (Blinn 1977)."""
    half = eye.astype(np.float32) - points
    half /= np.sqrt(np.einsum("nk,nk->n", half, half))[:, None]
    half += toward
    half /= np.sqrt(np.einsum("nk,nk->n", half, half))[:, None] + np.float32(1e-6)
    cosine = np.einsum("...k,...k->...", half, normals).clip(0, 1)
    return np.asarray(cosine**32)


@dataclass(frozen=True)
class Solids:
    """Bounding volumes of all geoms but the table: those of the hand first, then the object's.

    Attributes:
        geoms: int [G], their numbers.
        hand: how many of them are the hand's.
        centers, radii: of their bounding spheres, float64 [G, 3] and [G].
        corners: of their bounding boxes, float64 [G, 8, 3].
    """

    geoms: npt.NDArray[np.intp]
    hand: int
    centers: Wide
    radii: Wide
    corners: Wide

    @classmethod
    def of(cls, model: mujoco.MjModel, data: mujoco.MjData) -> Solids:
        """Bound the geoms of hand and object where they are now."""
        parts = [np.flatnonzero(group_mask(groups)[model.geom_group]) for groups in (HAND, OBJECT)]
        solid = np.concatenate(parts)
        radii, centers = model.geom_rbound[solid], data.geom_xpos[solid]
        middle, half = model.geom_aabb[solid, None, :3], model.geom_aabb[solid, None, 3:]
        turns = data.geom_xmat[solid].reshape(-1, 3, 3)
        corners = centers[:, None] + (middle + _CORNERS * half) @ turns.transpose(0, 2, 1)
        unbounded = radii <= 0  # MuJoCo's mark of a plane
        corners[unbounded] = np.nan
        return cls(solid, len(parts[0]), centers, np.where(unbounded, np.inf, radii), corners)

    def near(self, origins: Wide, rays: Array, own: npt.NDArray[np.int32] | None = None) -> tuple[Mask, Mask]:
        """Masks of the rays that may hit the hand, and of those that may hit the object; conservative.

        Args:
            origins: float64 [..., 3].
            rays: float32 [..., 3, N], unit vectors from there.
            own: int [N], the geom that each ray ends on, which is left out.

        Returns:
            Two masks [..., N].
        """
        axes = self.centers - origins[..., None, :]
        away = np.sqrt(np.einsum("...k,...k->...", axes, axes))
        with np.errstate(invalid="ignore"):  # a source inside a sphere is near whatever its direction
            cosines = np.where(away > self.radii, np.sqrt(1 - (self.radii / away) ** 2) - 1e-6, -2.0)
        near = (axes / away[..., None]).astype(np.float32) @ rays >= cosines.astype(np.float32)[..., None]
        if own is not None:
            places = np.empty(self.geoms.max(initial=-1) + 1, np.intp)
            places[self.geoms] = np.arange(len(self.geoms))
            near[places[own], np.arange(len(own))] = False
        return near[..., : self.hand, :].any(axis=-2), near[..., self.hand :, :].any(axis=-2)


def lit(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    source: Wide,
    rays: Wide,
    distance: Wide,
    where: Sequence[Mask],
) -> Array:
    """1 where nothing stands between `source` and what is at `distance` [N] along unit `rays` [N, 3], else 0.

    Only rays of `where`, two masks [N] for hand and object, are cast; the others are known to be free. A ray
    at a mesh takes 1 µs, at the hand's boxes 0.2 µs, so the object is tested only where the hand is missed.
    """
    free = np.ones(len(rays), np.float32)
    for groups, asked in zip((HAND, OBJECT), where, strict=True):
        chosen = np.flatnonzero(asked & (free > 0))
        if len(chosen):
            hits = cast(model, data, source, rays[chosen], groups)
            free[chosen] = (hits.geom < 0) | (hits.distance > distance[chosen] - _NEAR)
    return free

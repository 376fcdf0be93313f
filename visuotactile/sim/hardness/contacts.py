"""Contacts of the gel with a sample along a press: imprint, force, and where it lies.

A smooth ball has Hertz's closed form; every other sample is solved frame by frame (`half_space`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from visuotactile.mechanics import hertz
from visuotactile.sim.hardness.half_space import STRIDE, HalfSpace, Pressed
from visuotactile.sim.hardness.press_motion import DEEPEST, WIDEST, PressMotion
from visuotactile.sim.hardness.samples import Sample
from visuotactile.sim.hardness.shapes import TEXTURES, hills
from visuotactile.sim.scene import PAD_HALF
from visuotactile.sim.tactile.grid import SHAPE, Grid

Array = npt.NDArray[np.float64]

VISIBLE = 0.07e-3
"""Metres: a hand presses on until a gel is indented by so much, half a pixel, which a person sees. A soft
sample itself has then yielded by several times as much."""


@dataclass(frozen=True, kw_only=True)
class Touch:
    """The contact in one frame.

    Attributes:
        imprint: float64 [H, W], metres, depth of the gel's surface.
        force: newtons along the gel's normal.
        contact: metres, radius of the disc of the contact's area.
        center: float64 [2], metres, centre of pressure in the window, (right, up).
    """

    imprint: Array
    force: float
    contact: float
    center: Array


class BallContact:
    """Hertz's contact of a smooth ball."""

    turns = 1.0

    def __init__(self, sample: Sample) -> None:
        self.radius = sample.shape.radius
        self.bound = float(hertz.approach(WIDEST, self.radius))
        self._combined, self._share = sample.combined, sample.gel_share

    def depth(self, force: float, strain: float) -> float:
        """See `Resistance`."""
        widest = min(
            float(hertz.contact_radius(force, self.radius, self._combined)),
            strain * self.radius,
            np.sqrt(DEEPEST * self.radius / self._share),
            WIDEST,
        )
        return float(hertz.approach(widest, self.radius))

    def touches(self, motion: PressMotion) -> list[Touch]:
        """Contact in each frame."""
        force = hertz.contact_force(motion.depth, self.radius, self._combined)
        contact = hertz.contact_radius(force, self.radius, self._combined)
        center = motion.start + self.radius * motion.tilt + motion.drift  # a tilt by φ rolls by Rφ
        return [
            Touch(
                imprint=height_map(center[t], float(contact[t]), self.radius, self._share),
                force=float(force[t]),
                contact=float(contact[t]),
                center=center[t],
            )
            for t in range(len(force))
        ]


class SurfaceContact:
    """Contact of any sample, turned about the gel's normal by `yaw` radians."""

    def __init__(self, sample: Sample, yaw: float) -> None:
        shape = sample.shape
        self.radius, self.turns = shape.radius, shape.turns
        self._shape, self._yaw = shape, yaw
        self._reliefs = [relief for relief in (shape.relief, TEXTURES[sample.texture]) if relief is not None]
        self._combined, self._share = sample.combined, sample.gel_share
        self._least = VISIBLE / self._share
        self._most = min(WIDEST**2 / self.radius, DEEPEST / self._share)
        self.bound = 1.1 * max(self._most, self._least)
        self._half_space, self._places, self._cells = _half_space()

    def depth(self, force: float, strain: float) -> float:
        """See `Resistance`; the force is met within some percent, as by Newton's method on its power law."""
        depth = max(min(strain**2 * self._shape.size, self._most), self._least)
        gap, power = self._gap(np.zeros(2), np.zeros(2), 0.0, depth), 1.5
        before: tuple[float, float] | None = None
        for _ in range(3):
            found = self._half_space.press(gap, depth).force * self._combined
            if before is None and found <= force:
                return depth
            if before is not None and depth != before[0]:
                power = float(np.clip(np.log(found / before[1]) / np.log(depth / before[0]), 1.0, 2.5))
            before = depth, found
            depth = max(depth * (force / found) ** (1 / power), self._least)
        return depth

    def touches(self, motion: PressMotion) -> list[Touch]:
        """Contact in each frame."""
        return [self._touch(motion, t) for t in range(len(motion.depth))]

    def _touch(self, motion: PressMotion, t: int) -> Touch:
        origin = motion.start + motion.drift[t]
        depth = float(motion.depth[t])
        pressed = self._half_space.press(
            self._gap(origin, motion.tilt[t], float(motion.twist[t]), depth), depth
        )
        return Touch(
            imprint=self._share * pressed.displacement,
            force=pressed.force * self._combined,
            contact=float(np.sqrt(pressed.area / np.pi)),
            center=self._center(pressed, origin),
        )

    def _gap(self, origin: Array, tilt: Array, twist: float, depth: float) -> Array:
        """Metres [H, W] behind the foremost point of the sample, whose middle is at `origin`.

        Reliefs are left out where nothing touches at `depth`.
        """
        right, up = self._places[0] - origin[0], self._places[1] - origin[1]
        cos, sin = np.cos(self._yaw + twist), np.sin(self._yaw + twist)
        x, y = cos * right + sin * up, cos * up - sin * right
        behind = self._shape.surface(x, y) - tilt[0] * right - tilt[1] * up
        if self._reliefs:
            highest = sum(relief.amplitude for relief in self._reliefs)
            near = behind < behind.min() + depth + highest
            behind[near] -= sum(hills(relief, x[near], y[near]) for relief in self._reliefs)
        return np.asarray(behind - behind.min())

    def _center(self, pressed: Pressed, origin: Array) -> Array:
        """Centre of pressure; the sample's middle before contact."""
        total = float(pressed.pressure.sum())
        if total <= 0:
            return origin
        return np.array([(pressed.pressure * place).sum() / total for place in self._cells])


def make_contact(sample: Sample, yaw: float) -> BallContact | SurfaceContact:
    """The contact of a sample; a plain ball is the same for every yaw."""
    return BallContact(sample) if sample.plain else SurfaceContact(sample, yaw)


def pulls(touches: list[Touch], motion: PressMotion, combined: float, friction: float) -> tuple[Array, Array]:
    """Shear on the gel, newtons [T, 2], and torque about its normal, newton metres [T].

    Of a contact that is no disc they are those of the disc of its area.
    """
    force, contact = (np.array([getattr(touch, name) for touch in touches]) for name in ("force", "contact"))
    limit = friction * force
    drag = np.hypot(*motion.drift.T)
    pull = hertz.shear_force(drag, contact, combined, limit) / np.maximum(drag, 1e-12)
    torque = np.sign(motion.twist) * hertz.twist_torque(np.abs(motion.twist), contact, combined, limit)
    return pull[:, None] * motion.drift, torque


def height_map(center: npt.ArrayLike, contact: float, radius: float, share: float) -> Array:
    """Depth of the gel's surface, float64 [120, 160], metres, under a ball centred at (right, up) metres."""
    right, up = np.asarray(center, np.float64)
    rows, columns = SHAPE
    u = (np.arange(columns) + 0.5) / columns * 2 * PAD_HALF[0] - PAD_HALF[0]
    v = PAD_HALF[1] - (np.arange(rows) + 0.5) / rows * 2 * PAD_HALF[1]
    return hertz.surface_displacement(np.hypot(u - right, v[:, None] - up), contact, radius, share)


@lru_cache(maxsize=1)
def _half_space() -> tuple[HalfSpace, list[Array], list[Array]]:
    """The contacts of the window, and places (right, up) of its pixels and of the contacts' cells."""
    grid = Grid(SHAPE)
    cells = [along.reshape(-1, STRIDE).mean(axis=1) for along in (grid.u, grid.v)]
    return HalfSpace(grid), [*np.meshgrid(grid.u, grid.v)], [*np.meshgrid(*cells)]

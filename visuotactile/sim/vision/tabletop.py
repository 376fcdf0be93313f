"""Procedural textures of the table top."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from visuotactile.sim.vision.variation import RGB, Table

Array = npt.NDArray[np.float32]
_PIXEL = 0.0035  # m: about what a pixel covers of the table; finer edges would flicker
_LATTICE = 64  # the noise repeats after so many cells; at 6 mm and more per cell, no picture shows a repeat


def linear(color: RGB | Array) -> Array:
    """Display RGB in 0–1 → share of light reflected, float32 [..., 3]."""
    # A square is within a few hundredths of the display standard's curve, and far quicker.
    return np.square(np.asarray(color, np.float32))


def paint(table: Table, points: Array) -> Array:
    """The table's reflectance, float32 [N, 3] in linear RGB, at `points` [N, ≥2] (x, y in metres)."""
    ground, other = linear(table.color), linear(table.second)
    cos, sin = np.float32(np.cos(table.angle)), np.float32(np.sin(table.angle))
    along, across = (points[:, :2] @ np.array([[cos, -sin], [sin, cos]]) / np.float32(table.pitch)).T
    share = _share(table, along, across)[:, None]
    return np.asarray(ground + share * (other - ground), np.float32)


def _share(table: Table, x: Array, y: Array) -> Array:
    """Share of the second colour, 0–1, at (x, y) in units of the pitch."""
    if table.kind == "checker":
        blur = np.float32(np.pi / 2 * _PIXEL / table.pitch)
        waves = [(np.sin(np.float32(np.pi) * along) / blur).clip(-1, 1) for along in (x, y)]
        return np.asarray(0.5 - 0.5 * waves[0] * waves[1], np.float32)
    if table.kind == "plain":
        return 0.15 * _noise(table.seed, 0.2 * x, 0.2 * y)
    if table.kind == "speckle":
        return np.asarray((4 * _noise(table.seed, 2 * x, 2 * y) - 2.6).clip(0, 1), np.float32)
    # Wood: year rings cut lengthwise, wavy over a hand's breadth, with fine fibres along the grain.
    wave = 3 * _noise(table.seed, 0.04 * x, 0.25 * y)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (0.5 * y + wave))
    fibres = _noise(table.seed + 1, 0.3 * x, 6 * y)
    return np.asarray(0.65 * rings**2 + 0.35 * fibres, np.float32)


def _noise(seed: int, x: Array, y: Array) -> Array:
    """Smooth noise in 0–1 with one random value per unit cell, the same for the same seed."""
    lattice = np.random.default_rng(seed).random((_LATTICE, _LATTICE), np.float32)
    at = np.stack([x, y])
    cell = np.floor(at)
    smooth = at - cell
    smooth *= smooth * (3 - 2 * smooth)  # no creases at the cells' borders
    return np.asarray(map_coordinates(lattice, cell + smooth, order=1, mode="grid-wrap"), np.float32)

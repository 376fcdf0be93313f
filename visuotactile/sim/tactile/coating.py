"""The gel's coating and what moves with it: printed dots, and the traces of use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visuotactile.sim.tactile.grid import Grid
from visuotactile.sim.tactile.shading import Shading
from visuotactile.sim.tactile.units import Print, SensorUnit

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]
Dot = tuple[tuple[npt.NDArray[np.intp], ...], Image]
"""Place of a printed dot, and the share of each pixel there that is ink."""

GRAIN = 0.004
"""Standard deviation of the coating's brightness from pixel to pixel, as a share; paint is not even."""

_SCRATCHES = 28
_PATCHES = 9
_RAMP = 0.3  # of wear, from a trace's first appearance to its full strength
_RIM = 0.28e-3  # metres over which thick ink falls off
_EDGE = 0.7  # pixels over which a dot's edge fades


class Coating:
    """The coating of one unit: drawn once, from the unit's seed; wear only brings its traces out."""

    def __init__(self, unit: SensorUnit, grid: Grid, shading: Shading) -> None:
        rng = np.random.default_rng(unit.seed)
        self._grid, self._shading = grid, shading
        grain = grid.blur(rng.normal(size=grid.shape).astype(np.float32), 0.7)
        self._paint = 1 + GRAIN / grain.std() * grain
        self._dots: list[Dot] = []
        self._worn_onset = np.zeros(0)
        self._stain = np.zeros((3, *grid.shape), np.float32)
        self._thick = np.zeros(grid.shape, np.float32)
        self._thickness = 0.0
        if unit.print is not None and unit.calibration is None:
            self._draw_dots(unit.print, rng)
        self._draw_wear(np.random.default_rng((unit.seed, 1)))

    def texture(self, wear: float) -> Image:
        """Share of the bare gel's light that each channel keeps, float32 [3, H, W], at a wear of 0 … 1."""
        scratched = np.tensordot(_strength(wear, self._scratch_onset), self._scratches, axes=1)
        faded = np.tensordot(_strength(wear, self._patch_onset), self._patches, axes=1)
        kept = np.maximum(0, 1 - 0.9 * _strength(wear, self._worn_onset)).astype(np.float32)
        lost = np.minimum(1, faded * 0.6)  # ink rubs off where the paint does
        ink = self._inked(kept) * (1 - lost)
        bumps = self._thickness * self._thick * (1 - 0.5 * lost) + scratched
        relief = self._shading.shade(bumps.astype(np.float32)) / self._shading.light
        gray = self._shading.light.mean(axis=0) / self._shading.light
        texture = self._shading.texture * self._paint * (1 + relief)
        texture = texture * (1 - 0.25 * faded) + 0.25 * faded * 1.25 * gray
        return (texture * (1 - ink * self._stain)).astype(np.float32)

    def _inked(self, kept: Image) -> Image:
        """Ink on each pixel [H, W]; of each dot a share `kept` is left, for each wears off on its own."""
        ink = np.zeros(self._grid.shape, np.float32)
        for share, (where, dot) in zip(kept, self._dots, strict=True):
            ink[where] += share * dot
        return ink

    def _draw_dots(self, dots: Print, rng: np.random.Generator) -> None:
        grid = self._grid
        cos, sin = np.cos(dots.angle), np.sin(dots.angle)
        reach = int(np.hypot(grid.u[-1], grid.v[0]) / dots.pitch) + 2
        steps = np.arange(-reach, reach + 1) * dots.pitch
        a, b = (steps[None, :] + dots.offset[0]).repeat(len(steps), 0), (steps[:, None] + dots.offset[1])
        b = b.repeat(len(steps), 1)
        places = np.column_stack([(cos * a - sin * b).ravel(), (sin * a + cos * b).ravel()])
        places += rng.normal(0, dots.jitter, places.shape)
        inside = (abs(places[:, 0]) < grid.u[-1] + 4e-3) & (abs(places[:, 1]) < grid.v[0] + 4e-3)
        self._thickness = dots.thickness / grid.pixel
        for x, y in places[inside]:
            radius = dots.radius * rng.normal(1.0, 0.03)
            wobble, phase = rng.normal(0, 0.018, 3), rng.uniform(0, 2 * np.pi, 3)
            around = 1.3 * radius + 2 * grid.pixel  # nothing of the dot lies outside
            near = np.ix_(abs(grid.v - y) < around, abs(grid.u - x) < around)
            u, v = (grid.u[None, :] - x)[:, near[1][0]], (grid.v[:, None] - y)[near[0][:, 0]]
            angle = np.arctan2(v, u)
            for k in range(3):
                radius = radius * (1 + wobble[k] * np.cos((k + 2) * angle + phase[k]))
            outside = (np.hypot(u, v) - radius) / grid.pixel
            self._dots.append((near, np.clip(0.5 - outside / (2 * _EDGE), 0, 1).astype(np.float32)))
        self._worn_onset = rng.uniform(0.15, 1.6, len(self._dots))
        flecks = grid.blur(rng.normal(size=grid.shape).astype(np.float32), 0.5)
        flecks *= (0.13 if dots.thickness else 0.03) / flecks.std()
        self._stain = np.clip(1 - np.array(dots.ink)[:, None, None] * (1 + flecks), 0, 1).astype(np.float32)
        self._thick = grid.blur(self._inked(np.ones(len(self._dots), np.float32)), _RIM / grid.pixel)

    def _draw_wear(self, rng: np.random.Generator) -> None:
        grid = self._grid
        u, v = grid.u[None, :], grid.v[:, None]
        self._scratches = np.zeros((_SCRATCHES, *grid.shape), np.float32)
        for scratch in self._scratches:
            middle = rng.uniform((grid.u[0], grid.v[-1]), (grid.u[-1], grid.v[0]))
            angle, half = rng.uniform(0, np.pi), rng.uniform(1e-3, 7e-3)
            bend, depth = rng.normal(0, 25.0), rng.uniform(0.1, 0.45) * rng.choice([-1, 1])
            along = np.cos(angle) * (u - middle[0]) + np.sin(angle) * (v - middle[1])
            across = -np.sin(angle) * (u - middle[0]) + np.cos(angle) * (v - middle[1]) - bend * along**2
            near = abs(along) < half
            line = np.exp(-0.5 * (across[near] / grid.pixel / 0.8) ** 2)
            scratch[near] = depth * line * np.clip((half - abs(along[near])) / 1e-3, 0, 1)
        self._scratch_onset = np.sort(rng.uniform(0.02, 0.9, _SCRATCHES))
        patches = []
        for _ in range(_PATCHES):
            middle = rng.uniform((grid.u[0], grid.v[-1]), (grid.u[-1], grid.v[0]))
            width = rng.uniform(0.6e-3, 2.2e-3)
            rough = grid.blur(rng.normal(size=grid.shape).astype(np.float32), 2.5)
            distance = np.hypot(u - middle[0], v - middle[1]) / width + 0.5 * rough / rough.std()
            patches.append(np.clip(1.3 - distance, 0, 1))
        self._patches = np.array(patches, np.float32)
        self._patch_onset = np.sort(rng.uniform(0.05, 0.9, _PATCHES))


def _strength(wear: float, onset: Array) -> Image:
    """Strength of each trace, 0–1."""
    return np.clip((wear - onset) / _RAMP, 0, 1).astype(np.float32)

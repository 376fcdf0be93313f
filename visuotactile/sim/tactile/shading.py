"""Shading of the gel's slopes, seen from behind: three coloured lamps on matt paint, with shadows."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from visuotactile.sim.tactile import backgrounds
from visuotactile.sim.tactile.grid import Grid
from visuotactile.sim.tactile.units import SensorUnit

Image = npt.NDArray[np.float32]

_OWN_PLACE = 0.6  # how much a lamp's strength on a slope follows the bare gel's light there; the rest is even
_AMBIENT = 0.3  # the share of a lamp's light that comes around: it lies in a white gel
_SHADOW_STEPS = (3, 7, 12)  # pixels toward the lamp at which something may stand in its way
_SHADOW_DEPTH = 0.75
_SHADOW_EDGE = 0.8  # pixels of height over which a shadow's edge fades


class Shading(Protocol):
    """Shading of slopes on one sensor."""

    light: Image
    """The bare gel's light, float32 [3, H, W], 0–1."""
    texture: Image
    """Share of it that the bare gel's coating keeps, float32 [3, H, W]; it moves with the gel."""

    def shade(self, surface: Image) -> Image:
        """The light that a surface [H, W], in pixels toward the camera, gains or loses, float32 [3, H, W]."""
        ...


class Lamps:
    """Shading from the unit's lamps: Lambert's law, no light from below the surface, cast shadows."""

    def __init__(self, unit: SensorUnit, grid: Grid) -> None:
        if unit.kind == "digit":
            azimuths = tuple(lamp.azimuth for lamp in unit.lamps)
            light = backgrounds.digit(azimuths, unit.light, grid.shape)
        else:
            light = backgrounds.gelsight(unit.light, grid.shape)
        self.light: Image = light.astype(np.float32)
        self.texture: Image = np.ones_like(self.light)
        even = light.mean(axis=(1, 2), keepdims=True)
        own = _OWN_PLACE * light + (1 - _OWN_PLACE) * even
        self._strength: Image = (unit.relief_gain * own).astype(np.float32)
        self._mix = np.array([lamp.color for lamp in unit.lamps], np.float32).T.copy()
        self._lamps = unit.lamps

    def shade(self, surface: Image) -> Image:
        """See `Shading.shade`."""
        down, right = np.gradient(surface)
        steep = 1 / np.sqrt(1 + right * right + down * down)
        gained = np.empty_like(self._strength)
        for lamp, strength, out in zip(self._lamps, self._strength, gained, strict=True):
            rise = np.tan(lamp.elevation)
            toward_x = np.float32(np.cos(lamp.azimuth) / rise)
            toward_y = np.float32(np.sin(lamp.azimuth) / rise)
            facing = np.maximum((1 - toward_x * right + toward_y * down) * steep, 0)
            gain = facing * _sunlit(surface, lamp.azimuth, rise) - 1
            out[:] = strength * np.where(gain > 0, gain, np.float32(1 - _AMBIENT) * gain)
        return np.tensordot(self._mix, gained, axes=1)


def _sunlit(surface: Image, azimuth: float, rise: float) -> Image:
    """Share of a lamp's light, [H, W], that is not in the shadow of something higher on the lamp's side."""
    height, width = surface.shape
    above = np.zeros_like(surface)
    for step in _SHADOW_STEPS:
        x, y = round(step * np.cos(azimuth)), round(-step * np.sin(azimuth))
        here = (slice(max(0, -y), height - max(0, y)), slice(max(0, -x), width - max(0, x)))
        there = (slice(max(0, y), height - max(0, -y)), slice(max(0, x), width - max(0, -x)))
        np.maximum(above[here], surface[there] - surface[here] - np.float32(step * rise), out=above[here])
    return 1 - np.float32(_SHADOW_DEPTH) * np.minimum(above / np.float32(_SHADOW_EDGE), 1)

"""Visual variation between laboratories: camera pose, lens, lamp, table, wall and colours.

Domain variation, so that a model that was trained here transfers to rooms that it has not seen (Tobin et
al. 2017, "Domain randomization for transferring deep neural networks from simulation to the real world").
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from visuotactile.sim.scene import Appearance

RGB = tuple[float, float, float]
Vector = tuple[float, float, float]
TableKind = Literal["plain", "checker", "wood", "speckle"]
TABLE_KINDS: tuple[TableKind, ...] = ("plain", "checker", "wood", "speckle")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Appearance of the table top.

    Attributes:
        kind: plain colour, checkerboard, wood grain along `angle`, or specks on a plain ground.
        color, second: display RGB in 0–1 of the ground and of squares, grain or specks.
        pitch: m, side of a square, width of a grain line, or distance between specks.
        angle: radians, about z.
        gloss: 0 for matt to 1 for varnish.
        seed: of the grain and the specks.
    """

    kind: TableKind = "plain"
    color: RGB = (0.62, 0.60, 0.57)
    second: RGB = (0.45, 0.43, 0.41)
    pitch: float = 0.03
    angle: float = 0.0
    gloss: float = 0.15
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One laboratory; the defaults are the nominal one.

    Attributes:
        shift: m, added to the camera's nominal position.
        aim: m, added to the point that it looks at.
        roll: radians, about the optical axis.
        zoom: factor on the nominal focal length.
        lamp: m, where the lamp stands in the world.
        lamp_power: its light on a white table at the origin; 1 is white at exposure 1, before ambient.
        lamp_kelvin, ambient_kelvin: colour temperatures.
        ambient: light from everywhere, on the same scale.
        table, wall: their looks; `wall` is display RGB, `wall_y` its distance behind the origin, m.
        hand, finger, pad: display RGB of the gripper's parts.
        exposure: factor on all light.
        noise: standard deviation of each colour value, of 0–1.
    """

    shift: Vector = (0.0, 0.0, 0.0)
    aim: Vector = (0.0, 0.0, 0.0)
    roll: float = 0.0
    zoom: float = 1.0
    lamp: Vector = (-0.7, -0.7, 1.3)
    lamp_power: float = 0.7
    lamp_kelvin: float = 5500.0
    ambient: float = 0.4
    ambient_kelvin: float = 6500.0
    table: Table = field(default_factory=Table)
    wall: RGB = (0.75, 0.76, 0.76)
    wall_y: float = 0.6
    hand: RGB = (0.32, 0.33, 0.35)
    finger: RGB = (0.55, 0.56, 0.58)
    pad: RGB = (0.80, 0.80, 0.78)
    exposure: float = 1.0
    noise: float = 0.01

    @property
    def appearance(self) -> Appearance:
        """The colours that the scene's geoms get."""
        return Appearance(table=self.table.color, hand=self.hand, finger=self.finger, pad=self.pad)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Variation:
        """A laboratory at random, the same for the same state of `rng`."""
        azimuth = -np.pi / 2 + rng.uniform(-1.9, 1.9)
        elevation, distance = rng.uniform(0.65, 1.3), rng.uniform(1.2, 2.0)
        level = distance * np.cos(elevation)
        return cls(
            shift=_vector(rng.normal(0, 0.02, 3).clip(-0.05, 0.05)),
            aim=_vector(rng.normal(0, 0.008, 3).clip(-0.02, 0.02)),
            roll=float(rng.normal(0, 0.012)),
            zoom=float(rng.uniform(0.93, 1.06)),
            lamp=_vector([level * np.cos(azimuth), level * np.sin(azimuth), distance * np.sin(elevation)]),
            lamp_power=float(rng.uniform(0.45, 0.95)),
            lamp_kelvin=float(rng.uniform(3200, 7000)),
            ambient=float(rng.uniform(0.2, 0.55)),
            ambient_kelvin=float(rng.uniform(4500, 8500)),
            table=_draw_table(rng),
            wall=_muted(rng, 0.35, 0.95),
            wall_y=float(rng.uniform(0.5, 0.9)),
            hand=_machined(rng),
            finger=_machined(rng),
            pad=_hsv(rng.uniform(0, 1), rng.uniform(0, 0.12), rng.uniform(0.65, 0.95)),
            exposure=float(np.exp(rng.normal(0, 0.12))),
            noise=float(rng.uniform(0.004, 0.018)),
        )


def _draw_table(rng: np.random.Generator) -> Table:
    kind = TABLE_KINDS[rng.integers(len(TABLE_KINDS))]
    if kind == "wood":
        hue, saturation, value = rng.uniform(0.05, 0.11), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.8)
        color = _hsv(hue, saturation, value)
        second = _hsv(hue - 0.01, min(saturation * 1.15, 1), value * rng.uniform(0.6, 0.85))
        pitch = rng.uniform(0.008, 0.02)
    elif kind == "checker":
        color, second, pitch = _muted(rng, 0.5, 0.95), _muted(rng, 0.15, 0.6), rng.uniform(0.02, 0.06)
    else:
        color, second, pitch = _muted(rng, 0.2, 0.95), _muted(rng, 0.1, 0.95), rng.uniform(0.01, 0.024)
    return Table(
        kind=kind,
        color=color,
        second=second,
        pitch=float(pitch),
        angle=float(rng.uniform(-np.pi, np.pi)),
        gloss=float(rng.uniform(0, 0.5) ** 1.5),
        seed=int(rng.integers(2**31)),
    )


def _muted(rng: np.random.Generator, darkest: float, brightest: float) -> RGB:
    """A colour that furniture has: half of them nearly grey."""
    saturation = rng.uniform(0, 0.1) if rng.random() < 0.5 else rng.uniform(0.12, 0.4)
    return _hsv(rng.uniform(0, 1), saturation, rng.uniform(darkest, brightest))


def _machined(rng: np.random.Generator) -> RGB:
    """A colour that a gripper's part has: metal or black plastic mostly, a printed colour sometimes."""
    if rng.random() < 0.25:
        return _hsv(rng.uniform(0, 1), rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.85))
    return _hsv(rng.uniform(0, 1), rng.uniform(0, 0.08), rng.uniform(0.12, 0.8))


def _hsv(hue: float, saturation: float, value: float) -> RGB:
    return colorsys.hsv_to_rgb(hue, saturation, value)


def _vector(values: object) -> Vector:
    x, y, z = np.asarray(values, float).tolist()
    return x, y, z

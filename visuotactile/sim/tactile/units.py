"""Sensor units: the differences between physical sensors of a kind, drawn from their names."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import numpy as np

from visuotactile.errors import SimulationError
from visuotactile.sim.tactile.backgrounds import MODES
from visuotactile.sim.tactile.calibration import Calibration

KINDS = ("gelsight", "digit")
_NAME = re.compile(r"([a-z]+)-([0-9]{3,6})")

Color = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Gel:
    """The elastomer, as a foundation of springs that stand side by side.

    A column pressed in by δ answers with the pressure k (δ + δ³/h²): softer than the bulk at first, stiff
    when the layer is nearly used up.

    Attributes:
        stiffness: k, N/m³.
        hardening: h, metres; a layer of some millimetres is twice as stiff per δ at δ = h.
        shear_stiffness: N/m³, of the same columns against sideways traction.
        dome: metres that the surface falls back from the window's centre to its corners.
    """

    stiffness: float
    hardening: float
    shear_stiffness: float
    dome: float


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """One row of LEDs beside the gel.

    Attributes:
        azimuth: radians, where it stands in the picture, counter-clockwise from the right.
        elevation: radians over the gel's plane.
        color: how strongly the red, green and blue channel see it on a slope, 1 for as strongly as the lamp's
            own channel sees the bare gel.
    """

    azimuth: float
    elevation: float
    color: Color


@dataclass(frozen=True, kw_only=True)
class Print:
    """The dots on the gel's inside.

    Attributes:
        pitch: metres from dot to dot.
        radius: metres.
        thickness: metres of ink; a thick dot has coloured rims like a small imprint.
        ink: what share of the light each channel sees on a dot.
        offset: metres along (u, v) of one dot from the window's centre.
        angle: radians, counter-clockwise.
        jitter: metres, standard deviation of each dot's place.
    """

    pitch: float
    radius: float
    thickness: float
    ink: Color
    offset: tuple[float, float]
    angle: float
    jitter: float


@dataclass(frozen=True, kw_only=True)
class SensorUnit:
    """One physical sensor. Two units of equal name are equal.

    Attributes:
        name: KIND-NUMBER, such as gelsight-007.
        seed: of all that is drawn on the gel: each dot's outline, scratches, grain.
        gel: the elastomer.
        lamps: three, whose main channels are red, green and blue.
        print: None for a gel without markers.
        light: how the bare gel's light differs from the mean of its kind, in standard deviations.
        relief_gain: how much of its light a slope gains or loses, 1 for matt white paint.
        noise: standard deviation in grey levels of 255, of a pixel of medium brightness.
        flicker: standard deviation of the exposure from frame to frame, as a share.
        calibration: a real sensor's, in place of `lamps`, `light` and `print`.
    """

    name: str
    seed: int
    gel: Gel
    lamps: tuple[Lamp, Lamp, Lamp]
    print: Print | None
    light: tuple[float, ...]
    relief_gain: float
    noise: float
    flicker: float
    calibration: Calibration | None = None

    @property
    def kind(self) -> str:
        """`gelsight` or `digit`."""
        return self.name.partition("-")[0]


# Measured on GelSight Mini videos (Parag 2024) and scaled from their 320 pixels to a window of 24 mm: pitch
# and radius in millimetres, thickness in micrometres (by the look of the rims), the ink's three channels.
_PRINTS = (
    (2.33, 0.37, 0, (0.50, 0.44, 0.33)),
    (2.29, 0.46, 0, (0.47, 0.35, 0.28)),
    (2.37, 0.54, 150, (0.49, 0.38, 0.30)),
    (3.24, 0.52, 0, (0.41, 0.44, 0.35)),
    (3.29, 0.68, 180, (0.37, 0.37, 0.31)),
    (3.31, 0.78, 190, (0.35, 0.36, 0.31)),
)

# Where an imprint's flanks light up in those videos (red above and left, green right, blue below and left),
# and how strongly: set by eye and by the greatest changes around the imprints of 39 clips.
_GELSIGHT_AZIMUTHS = (119.0, -4.0, 236.0)
_GELSIGHT_COLORS: tuple[Color, Color, Color] = ((1.65, 0.25, 0.36), (0.22, 0.90, 0.62), (0.0, 0.32, 0.95))
_DIGIT_AZIMUTHS = (180.0, 300.0, 60.0)
_DIGIT_COLORS: tuple[Color, Color, Color] = ((1.0, 0.05, 0.03), (0.03, 1.0, 0.10), (0.02, 0.10, 1.0))


def make_unit(name: str) -> SensorUnit:
    """The unit of this name, KIND-NUMBER with at least three digits; the same on every machine.

    Raises `SimulationError` when there is no such kind, or the name is not of that form.
    """
    found = _NAME.fullmatch(name)
    if not found or found[1] not in KINDS:
        raise SimulationError(
            f"sensor unit {name!r}; expected one of {', '.join(KINDS)}, a hyphen and a number of at least "
            f"three digits, such as {KINDS[0]}-007"
        )
    digit = found[1] == "digit"
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    gel = Gel(
        stiffness=1.2e8 * _near(rng, 0.12),
        hardening=1.2e-3 * _near(rng, 0.08),
        shear_stiffness=3.0e7 * _near(rng, 0.12),
        dome=float(rng.uniform(0.35e-3, 0.6e-3) if digit else rng.uniform(0.10e-3, 0.30e-3)),
    )
    lamps = tuple(
        Lamp(
            azimuth=float(np.radians(azimuth + rng.normal(0, 8 if digit else 4))),
            elevation=float(np.radians((24 if digit else 31) + rng.normal(0, 1.5))),
            color=color,
        )
        for azimuth, color in zip(
            _DIGIT_AZIMUTHS if digit else _GELSIGHT_AZIMUTHS,
            _DIGIT_COLORS if digit else _GELSIGHT_COLORS,
            strict=True,
        )
    )
    return SensorUnit(
        name=name,
        seed=int(rng.integers(2**32)),
        gel=gel,
        lamps=(lamps[0], lamps[1], lamps[2]),
        print=None if digit else _draw_print(rng),
        light=tuple(float(mode) for mode in rng.uniform(-1.4, 1.4, MODES)),
        relief_gain=float(rng.uniform(1.0, 1.3)),
        noise=float(rng.uniform(0.35, 0.9)),
        flicker=0.0015,
    )


def _draw_print(rng: np.random.Generator) -> Print:
    pitch, radius, thickness, ink = _PRINTS[rng.integers(len(_PRINTS))]
    shade = rng.normal(1.0, 0.04)
    pitch *= 1e-3 * rng.normal(1.0, 0.008)
    return Print(
        pitch=float(pitch),
        radius=float(1e-3 * radius * rng.normal(1.0, 0.02)),
        thickness=float(1e-6 * thickness * _near(rng, 0.15)),
        ink=(ink[0] * shade, ink[1] * shade, ink[2] * shade),
        offset=(float(rng.uniform(-0.5, 0.5) * pitch), float(rng.uniform(-0.5, 0.5) * pitch)),
        angle=float(np.radians(rng.normal(0.0, 0.8))),
        jitter=float(rng.uniform(0.01e-3, 0.03e-3)),
    )


def _near(rng: np.random.Generator, spread: float) -> float:
    """A factor around 1."""
    return float(np.exp(rng.normal(0.0, spread)))

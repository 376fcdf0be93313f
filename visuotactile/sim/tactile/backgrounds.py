"""Illumination of a bare gel: measured on GelSight Minis, invented for the DIGIT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

Array = npt.NDArray[np.float64]
Modes = tuple[float, ...]

DEGREE = 4
_TERMS = tuple((i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i))

# Legendre coefficients in thousandths of full scale, one row per channel: x to the right and y up, both
# from −1 to 1 over the picture. Fitted around markers and imprints to the seventh frame of 396 GelSight Mini
# videos (Parag 2024, "Incipient-Slip-Detection", BSD-2-Clause); 307 clean ones gave the mean and the
# principal components, each scaled to one standard deviation. These three hold 72 % of the variance.
_GELSIGHT = np.array(
    [
        [
            [287, -85, -127, 6, 48, 1, -5, -9, -6, -127, 44, 84, -4, -2, 25],
            [418, 32, -37, -3, 0, -44, 1, 11, 3, -70, -9, 1, -11, 0, 16],
            [497, 100, -129, -15, 50, -3, 2, -1, 1, -110, -37, 35, -1, 1, 17],
        ],
        [
            [17, 2, 16, -3, -21, -4, 4, 10, 4, 29, -15, -49, 6, 3, -17],
            [21, 1, 9, 2, -1, 4, 0, -4, -2, 0, 1, 4, 11, 2, 1],
            [10, 3, 25, -4, -24, -1, -4, 0, 1, 25, 12, -18, 3, 0, -12],
        ],
        [
            [30, -12, -4, -3, 6, 10, -8, -10, 1, -1, 9, 5, -4, 3, 2],
            [18, -6, -1, 2, 0, 14, -1, 0, 1, 9, 1, -3, -13, -1, -3],
            [24, -13, -3, 13, 8, 3, 1, 2, 0, 7, -2, -3, -4, 0, 3],
        ],
        [
            [2, -5, -7, 7, -2, 1, 3, 10, 4, -6, 6, 1, 2, 2, 0],
            [13, 2, -3, 0, 0, 10, 1, 3, -2, -10, 2, 5, 2, -1, 2],
            [-5, 1, -5, -4, -9, 2, -3, 4, -9, -6, -1, 1, 3, -2, -1],
        ],
    ]
)
MODES = len(_GELSIGHT) - 1


def gelsight(modes: Modes, shape: tuple[int, int]) -> Array:
    """The light [3, H, W], 0–1, of a GelSight Mini whose principal components are `modes` [MODES]."""
    x, y = _axes(shape)
    basis = [np.outer(legendre.Legendre.basis(j)(y), legendre.Legendre.basis(i)(x)) for i, j in _TERMS]
    coefficients = 1e-3 * np.tensordot((1.0, *modes), _GELSIGHT, axes=1)
    return np.clip(np.tensordot(coefficients, np.array(basis), axes=1), 0.02, 0.98)


def digit(azimuths: Modes, modes: Modes, shape: tuple[int, int]) -> Array:
    """The light [3, H, W], 0–1, of a DIGIT: each colour is strong near its lamp and falls off from there.

    `azimuths` [3] are the lamps' directions in radians, `modes` [MODES] shift the three colours' strengths.
    """
    x, y = _axes(shape)
    light = np.empty((3, *shape))
    for channel, (azimuth, mode) in enumerate(zip(azimuths, modes, strict=True)):
        way = 1 - 0.9 * (np.cos(azimuth) * x[None, :] + np.sin(azimuth) * y[:, None])
        light[channel] = (0.36 + 0.05 * mode) * (0.65 + 1.25 * np.exp(-1.5 * np.maximum(way, 0.0)))
    return np.clip(light, 0.02, 0.98)


def _axes(shape: tuple[int, int]) -> tuple[Array, Array]:
    height, width = shape
    return (2 * np.arange(width) + 1) / width - 1, 1 - (2 * np.arange(height) + 1) / height

"""From light to the bytes of a picture: lens, exposure, film curve and noise."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Array = npt.NDArray[np.float32]

_SPILL = np.float32(0.12)  # of a pixel's light, what the lens throws onto each of its neighbours
_SPEED = np.float32(1.6)  # the film saturates softly, as 1 − exp(−speed × light)
NORMAL = (ndtri((np.arange(256) + 0.5) / 256)).astype(np.float32)
"""A normal number for each value of a random byte: fine enough for images, in a tenth of the time."""

_PAIRS = NORMAL[np.arange(1 << 16, dtype=np.uint16).view(np.uint8)].view(np.complex64)
"""The same for pairs of bytes: two lookups at a time take a third of the time."""


def normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw normal numbers, float32 of this shape, one from each random byte."""
    count = math.prod(shape)
    dice = rng.integers(0, 1 << 32, -(-count // 4), np.uint32).view(np.uint16)  # four random bytes each
    return _PAIRS.take(dice, mode="clip").view(np.float32)[:count].reshape(shape)


def develop(light: Array, exposure: Array) -> Array:
    """Turn `light` [H, W, 3] (1 is white; overwritten) into a picture of 0 to 255, float32 of the same shape.

    `exposure` [H, W, 3] multiplies it.
    """
    for after, before in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        spill = light[after] - light[before]
        spill *= _SPILL
        light[before] += spill
        light[after] -= spill
    light *= exposure
    light *= -_SPEED
    picture = np.sqrt(-np.expm1(light, out=light), out=light)
    picture *= 255
    return picture


def scan(picture: Array, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Add noise to a picture [H, W, 3] of 0 to 255 (overwritten), and round it to uint8.

    `noise` is the standard deviation of each value, of 0–1. It comes after the film's square root, as shot
    noise has the root's size.
    """
    grain = normal(picture.shape, rng)
    grain *= np.float32(255 * noise)
    picture += grain
    picture += np.float32(0.5)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)

"""Measurement model of a depth camera: noise, whole millimetres, ragged edges and holes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.sim.vision.film import normal

Array = npt.NDArray[np.float32]

COUNT = 0.001
"""m: it reports whole millimetres."""

JUMP = 0.02
"""m from one pixel to the next that make an edge, where light comes back from both sides."""

LOST = 0.4
"""Share of an edge's pixels that give no answer."""


def deviation(depth: Array) -> Array:
    """Standard deviation of a measured depth (all m): 1.5 mm at 0.8 m, 2.4 mm at 1.2 m.

    As Nguyen, Izadi and Lovell (2012, "Modeling Kinect sensor noise for improved 3D reconstruction and
    tracking") measured on the first Kinect, for surfaces that face it.
    """
    return np.float32(0.0012) + np.float32(0.0019) * (depth - np.float32(0.4)) ** 2


def measure(depth: Array, rng: np.random.Generator) -> Array:
    """Measure the true `depth` [H, W] (m): float32 [H, W], 0 where nothing came back.

    At an edge a pixel reports what one of its nine neighbours sees, or nothing.
    """
    rows, columns = np.divmod(np.flatnonzero(edges(depth)), depth.shape[1])
    i = (rows + rng.integers(-1, 2, len(rows))).clip(0, depth.shape[0] - 1)
    j = (columns + rng.integers(-1, 2, len(rows))).clip(0, depth.shape[1] - 1)
    answers = rng.random(len(rows)) >= LOST
    seen = depth.copy()
    seen[rows, columns] = depth[i, j] * answers
    noisy = deviation(seen)
    noisy *= normal(depth.shape, rng)
    noisy += seen
    counts = np.rint(np.divide(noisy, np.float32(COUNT), out=noisy), out=noisy)
    counts *= np.float32(COUNT)
    counts[~(seen > 0)] = 0
    return counts


def edges(depth: Array) -> npt.NDArray[np.bool_]:
    """Mask of the pixels of `depth` [H, W] that differ from a 4-neighbour by more than `JUMP`."""
    return beside(depth, lambda one, other: np.abs(one - other) > JUMP)


def beside(
    picture: npt.NDArray[Any], differ: Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[np.bool_]]
) -> npt.NDArray[np.bool_]:
    """Mask of the pixels of a picture [H, W] that `differ` from one of their 4-neighbours."""
    columns = picture.shape[1]
    found = np.zeros(picture.shape, np.bool_)
    flat, marked = picture.reshape(-1), found.reshape(-1)
    for step in (columns, 1):  # flat: one long row is faster than many short ones
        different = differ(flat[step:], flat[:-step])
        if step == 1:
            different[columns - 1 :: columns] = False  # the end of one row and the start of the next
        marked[step:] |= different
        marked[:-step] |= different
    return found

"""What a depth camera reports of the true depth: noise, whole millimetres, ragged edges and holes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visuotactile.sim.vision.film import NORMAL

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
    """What is reported of the true `depth` [H, W] (m), float32 [H, W]; 0 where nothing came back.

    At an edge a pixel reports what one of its nine neighbours sees, or nothing.
    """
    rows, columns = np.nonzero(edges(depth))
    i = (rows + rng.integers(-1, 2, len(rows))).clip(0, depth.shape[0] - 1)
    j = (columns + rng.integers(-1, 2, len(rows))).clip(0, depth.shape[1] - 1)
    answers = rng.random(len(rows)) >= LOST
    seen = depth.copy()
    seen[rows, columns] = depth[i, j] * answers
    dice = np.frombuffer(rng.bytes(depth.size), np.uint8).reshape(depth.shape)
    noisy = seen + deviation(seen) * NORMAL.take(dice)
    counts = np.rint(noisy / np.float32(COUNT))
    return np.where(seen > 0, counts * np.float32(COUNT), np.float32(0))


def edges(depth: Array) -> npt.NDArray[np.bool_]:
    """Which pixels of `depth` [H, W] differ from a neighbour beside, above or below by more than `JUMP`."""
    edge = np.zeros(depth.shape, np.bool_)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = np.abs(depth[here] - depth[there]) > JUMP
        edge[here] |= differs
        edge[there] |= differs
    return edge

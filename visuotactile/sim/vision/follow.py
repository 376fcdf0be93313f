"""Where the object is now: what the depth camera sees beside the hand, laid over what it saw at first.

A grasp pushes and turns what it closes on, often by more than a fingertip is wide, so the cylinder that was
fitted before the first grasp soon stands where nothing is. The hand hides part of the object, and a cylinder
about the rest would be too narrow. So the surface that was seen at first is moved and turned on the table
until what is seen now lies on it (iterative closest point, Besl and McKay 1992, trimmed), and the cylinder
moves along. A robot knows where its hand is and what it looks like: pixels of the hand are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from visuotactile.errors import SimulationError
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.light import Wide
from visuotactile.sim.vision.locate import FEWEST, Cylinder, enclose, surface

AHEAD = 0.01
"""m in front of the hand, nearer than which a pixel is taken for the hand's."""

FRINGE = 2
"""Pixels around the hand that may show either."""

OTHER = 0.0025
"""m that what is seen lies off the surface on average when it is another side: the object fell over."""

_MODEL, _SEEN = 1200, 250  # points at most of the surface, and of what is laid over it
_TRIMMED = 0.8  # share of the points that count: the rest may be sides that were not seen at first
_ROUNDS, _STILL = 25, 2e-5  # and m by which a round moves it when it has arrived
_TURN = 0.8  # radians that the object is taken to turn at most


class Follower:
    """Keeps to one object on the table while a hand moves it.

    Args:
        depth: [H, W], m along the optical axis, 0 where nothing was measured; with the hand out of the way.
        camera: the one that takes all depth images.

    Attributes:
        cylinder: about the object, where it was last seen.

    Raises `SimulationError` when nothing is seen above the table, or the depth is not of the camera's shape.
    """

    def __init__(self, depth: npt.NDArray[np.floating], camera: Camera) -> None:
        self.camera = camera
        self._first = _Surface.of(surface(depth, camera, whole=True), camera)
        self._turn, self._moved = 0.0, np.zeros(2)
        self.cylinder = self._first.cylinder

    def follow(self, depth: npt.NDArray[np.floating], hand: npt.NDArray[np.floating]) -> Cylinder:
        """Where the object is in another picture; where it was if too little of it is in view.

        Args:
            depth: [H, W], as the camera measures it.
            hand: [H, W], m along the optical axis at which the hand is where nothing stands before it;
                infinite where it is not.
        """
        hidden = binary_dilation(np.isfinite(hand) & (depth > hand - AHEAD), iterations=FRINGE)
        try:
            points = surface(depth, self.camera, hidden=hidden, fewest=2 * FEWEST)
        except SimulationError:
            return self.cylinder
        seen = _thinned(points, _SEEN)
        middle = (seen - self._first.points.mean(axis=0)).mean(axis=0)[:2]
        fits = [
            self._first.laid(seen, turn, moved) for turn, moved in ((self._turn, self._moved), (0.0, middle))
        ]
        off, self._turn, self._moved = min(fits, key=lambda fit: fit[0])
        if off > OTHER:
            self._first = _Surface.of(points, self.camera)
            self._turn, self._moved = 0.0, np.zeros(2)
        first = self._first.cylinder
        x, y = (np.array([first.x, first.y]) + self._moved).tolist()
        self.cylinder = replace(first, x=x, y=y)
        return self.cylinder


@dataclass(frozen=True)
class _Surface:
    """What was seen of an object: points [N, 3], and the cylinder about them."""

    points: Wide
    cylinder: Cylinder
    tree: cKDTree

    @classmethod
    def of(cls, points: Wide, camera: Camera) -> _Surface:
        few = _thinned(points, _MODEL)
        return cls(few, enclose(points, camera), cKDTree(few))

    def laid(self, seen: Wide, turn: float, moved: Wide) -> tuple[float, float, Wide]:
        """Turn it about its axis and move it until points that are `seen` [M, 3] lie on it.

        Args:
            seen: of the same object, later.
            turn, moved: radians and m [2] to begin with.

        Returns:
            How far the points lie off it, m, and the turn and the move at which they do.
        """
        axis = np.array([self.cylinder.x, self.cylinder.y])
        kept = max(FEWEST, int(_TRIMMED * len(seen)))
        off = np.empty(0)
        for _ in range(_ROUNDS):
            back = seen.copy()
            back[:, :2] = (seen[:, :2] - axis - moved) @ _rotation(turn) + axis
            off, nearest = self.tree.query(back)
            chosen = np.argpartition(off, kept - 1)[:kept]
            off = off[chosen]
            ours, theirs = self.points[nearest[chosen], :2] - axis, seen[chosen, :2] - axis
            a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
            best = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
            turn = float(np.clip(best, -_TURN, _TURN))
            before, moved = moved, theirs.mean(axis=0) - _rotation(turn) @ ours.mean(axis=0)
            if np.abs(moved - before).max() < _STILL:
                break
        return float(off.mean()), turn, moved


def _rotation(turn: float) -> Wide:
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin], [sin, cos]])


def _thinned(points: Wide, most: int) -> Wide:
    """Every so many-th of the points [N, 3], at most `most`."""
    return points[:: -(-len(points) // most)]

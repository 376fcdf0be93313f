"""Tracking of the object: the surface seen beside the hand is registered to the one seen at first.

A grasp pushes and turns what it closes on, often by more than a fingertip is wide, so the cylinder that was
fitted before the first grasp soon stands where nothing is. The hand hides part of the object, and a cylinder
about the rest would be too narrow. So the surface that was seen at first is moved and turned on the table
until what is seen now lies on it (iterative closest point, Besl and McKay 1992, trimmed), and the cylinder
moves along. A robot knows where its hand is and what it looks like: pixels of the hand are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from visuotactile.errors import SimulationError
from visuotactile.sim.vision.camera import Camera
from visuotactile.sim.vision.light import Mask, Wide
from visuotactile.sim.vision.locate import FEWEST, Cylinder, enclose, surface

AHEAD = 0.01
"""m in front of the hand, nearer than which a pixel is taken for the hand's."""

FRINGE = 2
"""Pixels around the hand that may show either."""

OTHER = 0.0025
"""m that what is seen lies off the surface on average when it is another side: the object fell over."""

_FEW = 300  # points at most of one surface that are looked for on the other
_TRIMMED = 0.9  # share of the points that count: the rest may be sides that were not seen before
_ROUNDS, _STILL = 25, 2e-5  # and m by which a round moves it when it has arrived
_TURN = 0.8  # radians that the object is taken to turn at most
_LEAF = 24  # points in a leaf of the search tree; of 8 to 32, the quickest for some hundred points


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
        """Locate the object in another depth image; where it was last if too little of it is in view.

        Args:
            depth: [H, W], as the camera measures it.
            hand: [H, W], m along the optical axis at which the hand is where nothing stands before it;
                infinite where it is not.

        Raises `SimulationError` when either is not of the camera's shape.
        """
        if not depth.shape == hand.shape == self.camera.shape:
            raise SimulationError(
                f"depth is of shape {depth.shape}, the hand's of {hand.shape}; expected the camera's, "
                f"{self.camera.shape}"
            )
        hidden = _widened(np.isfinite(hand) & (depth > hand - AHEAD), FRINGE)
        try:
            points = surface(depth, self.camera, hidden=hidden, fewest=2 * FEWEST)
        except SimulationError:
            return self.cylinder
        seen = _Surface.of(points, self.camera)
        middle = (seen.points.mean(axis=0) - self._first.points.mean(axis=0))[:2]
        fits = [
            self._laid(seen, hidden, turn, moved)
            for turn, moved in ((self._turn, self._moved), (0.0, middle))
        ]
        off, self._turn, self._moved = min(fits, key=lambda fit: fit[0])
        if off > OTHER:
            self._first = seen
            self._turn, self._moved = 0.0, np.zeros(2)
        first = self._first.cylinder
        x, y = (np.array([first.x, first.y]) + self._moved).tolist()
        self.cylinder = replace(first, x=x, y=y)
        return self.cylinder

    def _laid(self, seen: _Surface, hidden: Mask, turn: float, moved: Wide) -> tuple[float, float, Wide]:
        """Register the first surface to the one `seen`: turn it about its axis and move it along the table.

        What was seen at first and is not hidden must be seen again: without that, the visible half of a thing
        would lie as well on the middle of its face.

        Args:
            seen: of the same object, later.
            hidden: bool [H, W], pixels that show the hand.
            turn, moved: radians and m [2] to begin with.

        Returns:
            Mean distance between the two, m, and the turn and the move that give it.
        """
        first = self._first
        axis = np.array([first.cylinder.x, first.cylinder.y])
        # x and y relative to the axis; heights do not change
        ours, theirs = first.points[:, :2] - axis, seen.points[:, :2] - axis
        few, their_few = first.few[:, :2] - axis, seen.few[:, :2] - axis
        back, there = seen.few.copy(), first.few.copy()
        for _ in range(_ROUNDS):
            turned = _rotation(turn)
            back[:, :2] = (their_few - moved) @ turned + axis
            there[:, :2] = few @ turned.T + axis + moved
            shown = np.flatnonzero(~self._at(hidden, there))
            one, other = _pairs(back, first.tree), _pairs(there[shown], seen.tree)
            a = np.concatenate([ours[one.theirs], few[shown[other.ours]]])
            b = np.concatenate([their_few[one.ours], theirs[other.theirs]])
            a_mean, b_mean = a.sum(axis=0) / len(a), b.sum(axis=0) / len(b)
            a -= a_mean
            b -= b_mean
            best = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
            turn = min(max(float(best), -_TURN), _TURN)
            before, moved = moved, b_mean - _rotation(turn) @ a_mean
            if np.abs(moved - before).max() < _STILL:
                break
        return float(np.concatenate([one.apart, other.apart]).mean()), turn, moved

    def _at(self, mask: Mask, points: Wide) -> Mask:
        """The mask's value at the pixel in which each of `points` [N, 3] is seen; True out of the picture."""
        places, _ = self.camera.project(points)
        rows, columns = np.rint(places).astype(int).T
        inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        found = np.ones(len(points), np.bool_)
        found[inside] = mask[rows[inside], columns[inside]]
        return found


def _widened(mask: Mask, pixels: int) -> Mask:
    """Dilate a mask [H, W] by so many steps to the 4-neighbours, as scipy's `binary_dilation` does."""
    for _ in range(pixels):
        mask, narrow = mask.copy(), mask
        mask[1:] |= narrow[:-1]
        mask[:-1] |= narrow[1:]
        mask[:, 1:] |= narrow[:, :-1]
        mask[:, :-1] |= narrow[:, 1:]
    return mask


@dataclass(frozen=True)
class _Surface:
    """Visible surface of an object: points [N, 3], some of them, the enclosing cylinder, a search tree."""

    points: Wide
    few: Wide
    cylinder: Cylinder
    tree: cKDTree

    @classmethod
    def of(cls, points: Wide, camera: Camera) -> _Surface:
        few = points[:: -(-len(points) // _FEW)]
        return cls(points, few, enclose(points, camera), cKDTree(points, leafsize=_LEAF))


@dataclass(frozen=True)
class _Pairs:
    """Points and the nearest of another surface, by their numbers [K], and how far apart they lie [K], m."""

    ours: npt.NDArray[np.intp]
    theirs: npt.NDArray[np.intp]
    apart: Wide


def _pairs(points: Wide, tree: cKDTree) -> _Pairs:
    """Each of `points` [N, 3] with its nearest of the tree, without the share that lies furthest off."""
    apart, nearest = tree.query(points)
    kept = np.argsort(apart)[: math.ceil(_TRIMMED * len(points))]
    return _Pairs(kept, nearest[kept], apart[kept])


def _rotation(turn: float) -> Wide:
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin], [sin, cos]])

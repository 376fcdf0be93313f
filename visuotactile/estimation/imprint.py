"""The imprint of a ball in a gel, measured in a picture: centre, contact radius, and brightness of the
slopes.

Under a ball the gel's surface is a paraboloid of curvature κ inside the contact radius a, and falls off
beside it (Hertz; `mechanics.hertz.surface_displacement`), so that its slope is κ a g(r/a) away from the
centre. Coloured lamps turn a slope into a change of brightness, in each channel about in proportion to the
slope along that lamp's direction. Centre and a are found by least squares; for each of them, the channels'
brightness per slope follows linearly. The slope's scale cannot be told from the lamps' strength: what is
measured is κ times a gain of the sensor, which known samples calibrate (`contact_mechanics`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter, median_filter
from scipy.optimize import least_squares

from visuotactile.datasets.clips import Clip

Floats = npt.NDArray[np.float64]

WIDTH = 160
"""Columns to which pictures are averaged before markers are found; an imprint is wider than a
pixel of these."""
CELL = 2
"""Side of the cells over which changes are averaged then."""
MARKER, MARKER_WINDOW, MARKER_EDGE = 0.92, 25, 2
"""A marker is darker than this share of the median around
it, in a window of so many pixels; its edges are too."""
LIGHT_BLUR = 5.0
EVEN = 0.4
"""Share of a lamp's light on a slope that does not follow the bare gel's light at that place."""
SMALLEST, LARGEST = 0.3, 9.0
"""Contact radii that are looked for, millimetres."""
STEPS = 12
"""Evaluations, at most, of a frame's fit; the next frame starts from its result."""
HELD = np.diag([0, 0, 0, 0, 0, 1e-2, 1e-3, 1e-3, 0])
"""Ridge on what is quadratic and cubic in the slope, which a faint imprint does not determine."""


class Imprint(NamedTuple):
    """The imprint in one frame.

    Attributes:
        x, y: centre from the picture's upper left corner, millimetres to the right and down.
        contact: contact radius, millimetres.
        brightness: change of brightness, as a share of the light, per millimetre from the centre: gain · κ.
        variance: of the logarithm of the brightness, from the noise alone.
        explained: share of the change of brightness inside twice the contact radius that the ball explains.
    """

    x: float
    y: float
    contact: float
    brightness: float
    variance: float
    explained: float


class Changes:
    """Changes of brightness over a clip, as shares of the bare gel's light, without its markers.

    Args:
        clip: frames and reference.
        window: width of the picture on the gel, millimetres.
    """

    def __init__(self, clip: Clip, window: float) -> None:
        bare = _averaged(clip.reference.astype(np.float64), max(1, clip.reference.shape[1] // WIDTH))
        bare = bare[: len(bare) // CELL * CELL, : bare.shape[1] // CELL * CELL]
        light, clear = _light(bare)
        norm = (1 - EVEN) * light + EVEN * light.mean(axis=(0, 1))
        seen = _averaged(clear.astype(np.float64)[..., None], CELL)[..., 0]
        self.clear = seen >= 0.5
        self._bare, self._norm, self._open = bare, norm, clear
        self._seen = np.maximum(seen, 0.5)[..., None]
        self._side = max(1, clip.reference.shape[1] // WIDTH)
        rows, columns = self.clear.shape
        self.cell = window / columns
        y, x = np.mgrid[:rows, :columns]
        self.x, self.y = ((each[self.clear] + 0.5) * self.cell for each in (x, y))
        self.size = columns * self.cell, rows * self.cell

    def of(self, frame: npt.NDArray[np.uint8]) -> Floats:
        """Changes in a frame uint8 [H, W, 3], at the clear cells [n, 3]."""
        now = _averaged(frame.astype(np.float64), self._side)[: len(self._bare), : self._bare.shape[1]]
        change = (now - self._bare) / self._norm * self._open[..., None]
        return np.asarray((_averaged(change, CELL) / self._seen)[self.clear])


def measure_imprints(clip: Clip, chosen: npt.NDArray[np.int64], window: float) -> list[Imprint]:
    """The imprint in each of the `chosen` frames, ascending, of which the last shows the largest contact.

    Args:
        clip: frames and reference.
        chosen: [T] numbers of frames.
        window: width of the picture on the gel, millimetres.
    """
    changes = Changes(clip, window)
    frames = [changes.of(clip.frames[t]) for t in chosen]
    place = _start(changes, frames[-1])
    found = []
    for change in reversed(frames):
        place, imprint = _fit(changes, change, place)
        found.append(imprint)
    return found[::-1]


def slope_profile(ratio: Floats) -> Floats:
    """g(r/a), slope of the gel's surface over its largest, at the contact's rim; r/a inside (Hertz)."""
    outside = np.maximum(ratio, 1.0)
    beyond = 2 * (outside * np.arcsin(1 / outside) - np.sqrt(outside**2 - 1) / outside) / np.pi
    return np.where(ratio < 1, ratio, beyond)


def _start(changes: Changes, change: Floats) -> Floats:
    """Centre and logarithm of the contact radius, by the moments of what changed most."""
    energy = np.zeros(changes.clear.shape)
    energy[changes.clear] = (change**2).sum(axis=1)
    energy = gaussian_filter(energy, 2)[changes.clear]
    energy = np.maximum(energy - np.quantile(energy, 0.8), 0) + 1e-12
    energy /= energy.sum()
    x, y = float(energy @ changes.x), float(energy @ changes.y)
    wide = 1.2 * np.sqrt(float(energy @ ((changes.x - x) ** 2 + (changes.y - y) ** 2)))
    return np.array([x, y, np.log(np.clip(wide, 2 * SMALLEST, LARGEST / 2))])


def _basis(changes: Changes, place: Floats) -> Floats:
    """Brightness [n, 9] of slopes from the centre, along both axes and in higher orders, and a constant.

    A lamp darkens the slope away from it less than it lights the other, which gives terms that are even in
    the direction; steep slopes turn away from the camera.
    """
    dx, dy = changes.x - place[0], changes.y - place[1]
    r, a = np.hypot(dx, dy) + 1e-9, np.exp(place[2])
    slope = slope_profile(r / a) * a
    c, s = dx / r, dy / r
    even, cube = slope * slope, slope**3
    return np.stack(
        [
            slope * c,
            slope * s,
            slope,
            slope * (c * c - s * s),
            slope * 2 * c * s,
            even,
            cube * c,
            cube * s,
            slope**0,
        ],
        axis=1,
    )


def _fit(changes: Changes, change: Floats, place: Floats) -> tuple[Floats, Imprint]:
    def solve(at: Floats) -> tuple[Floats, Floats, Floats]:
        basis = _basis(changes, at)
        inverse = np.asarray(np.linalg.inv(basis.T @ basis + HELD), np.float64)
        weights = inverse @ (basis.T @ change)
        return weights, inverse, change - basis @ weights

    margin = changes.size[0] / 8
    low = np.array([place[0] - margin, place[1] - margin, np.log(SMALLEST)])
    high = np.array([place[0] + margin, place[1] + margin, np.log(LARGEST)])
    found = least_squares(
        lambda at: solve(at)[2].ravel(),
        np.clip(place, low + 1e-6, high - 1e-6),
        bounds=(low, high),
        x_scale=[0.3, 0.3, 0.15],
        max_nfev=STEPS,
        xtol=1e-3,
        ftol=1e-4,
    ).x
    weights, inverse, left = solve(found)
    slopes = weights[:2]
    size = max(float((slopes**2).sum()), 1e-12)
    noise = (left**2).mean(axis=0)
    variance = float((np.einsum("ic,ij,jc->c", slopes, inverse[:2, :2], slopes) * noise).sum()) / size**2
    near = np.hypot(changes.x - found[0], changes.y - found[1]) < 2 * np.exp(found[2])
    total = float(((change - weights[8]) ** 2)[near].sum())
    explained = 1 - float((left**2)[near].sum()) / total if total > 0 else 0.0
    return found, Imprint(
        x=float(found[0]),
        y=float(found[1]),
        contact=float(np.exp(found[2])),
        brightness=float(np.sqrt(size)),
        variance=variance,
        explained=explained,
    )


def _light(bare: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The bare gel's light [H, W, 3] without markers, and where there are none [H, W]."""
    gray = bare.mean(axis=2)
    clear = ~binary_dilation(gray < MARKER * median_filter(gray, MARKER_WINDOW), iterations=MARKER_EDGE)
    weight = gaussian_filter(clear.astype(np.float64), LIGHT_BLUR)
    light = [
        gaussian_filter(bare[..., channel] * clear, LIGHT_BLUR) / np.maximum(weight, 1e-3)
        for channel in range(3)
    ]
    return np.maximum(np.stack(light, axis=2), 1.0), clear


def _averaged(image: Floats, side: int) -> Floats:
    """Means over cells [H // side, W // side, C] of an image [H, W, C]."""
    down, across = (length // side for length in image.shape[:2])
    cells = image[: down * side, : across * side].reshape(down, side, across, side, image.shape[2])
    return np.asarray(cells.mean(axis=(1, 3)))

"""Frictionless contact of any shape with a gel, by boundary elements on two half-spaces.

The pressure p ≥ 0 under a shape whose surface lies `gap` behind its foremost point, at an approach δ of the
two bodies, is that whose displacement of both surfaces together,

    u(x) = 1/(π E*) ∫ p(x′) / |x − x′| dA,

is δ − gap where they touch and more elsewhere (Johnson 1985, section 4.2). So p/E*, the contact and u depend
on shape and approach alone; moduli scale the force and divide u between the bodies (`mechanics.hertz`).

Cells of uniform pressure (Love 1929), conjugate gradients with the constraint p ≥ 0 (Polonsky and Keer 1999,
"A numerical method for solving rough contact problems based on the multi-level multi-summation and conjugate
gradient techniques"), products by FFT (Stanley and Kato 1997). Of a ball and a cone force and contact radius
are those of the closed forms within 2 %, of a sharp flat punch, whose rim bears infinite pressure, within 7.

Limits are those of `mechanics.hertz`: small slopes, and as much material beside and behind the contact as
half-spaces have. A sample's own edge, and its back, would make it softer, a thin gel stiffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2

from visuotactile.sim.tactile.grid import Grid

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

STRIDE = 2
"""Pixels of a cell's side."""
TOLERANCE = 2e-3
"""Share of the pressure that still changes when it is taken as found."""
_ITERATIONS = 200
_BLOCK = 8  # cells; boxes grow by so many, so that few kernels are made


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """A solved contact.

    Attributes:
        displacement: float64 [H, W], metres, of both surfaces together.
        pressure: float32 [H / STRIDE, W / STRIDE], as a share of E*.
        force: newtons, as a share of E*: m².
        area: m², of the contact.
    """

    displacement: Array
    pressure: Image
    force: float
    area: float


class HalfSpace:
    """Contacts on the pixels of `grid`; what lies outside the window does not touch."""

    def __init__(self, grid: Grid) -> None:
        self._cell = STRIDE * grid.pixel
        self._cells = (grid.shape[0] // STRIDE, grid.shape[1] // STRIDE)
        self._up_rows, self._up_columns = (_cubic(n // STRIDE) for n in grid.shape)

    def press(self, gap: Array, depth: float) -> Pressed:
        """Press a shape `gap` [H, W] metres behind its foremost point, which is 0, by `depth` metres."""
        rows, columns = self._cells
        sunk = (depth - gap).reshape(rows, STRIDE, columns, STRIDE).mean(axis=(1, 3)).astype(np.float32)
        pressure = np.zeros(self._cells, np.float32)
        box = _box(sunk > 0)
        if box is not None:
            pressure[box] = _solve(sunk[box] / np.float32(self._cell))
        coarse = _product(pressure) * self._cell
        above = self._up_rows @ coarse @ self._up_columns.T
        return Pressed(
            # a surface does not pass through the other, however much finer than the cells it is
            displacement=np.maximum(above, depth - gap).astype(np.float64),
            pressure=pressure,
            force=float(pressure.sum(dtype=np.float64)) * self._cell**2,
            area=float(np.count_nonzero(pressure)) * self._cell**2,
        )


def _solve(sunk: Image) -> Image:
    """Pressure [H, W] ≥ 0, as a share of E*, under displacements `sunk` [H, W] in cells' sides."""
    inside = sunk > 0
    pressure = np.where(inside, sunk, np.float32(0))
    moved = _product(pressure)
    best = np.float32(float(np.vdot(pressure, sunk)) / float(np.vdot(pressure, moved)))
    pressure, residual = best * pressure, best * moved - sunk
    direction = np.zeros_like(sunk)
    before, conjugate = 1.0, 0.0
    for _ in range(_ITERATIONS):
        touching = pressure > 0
        masked = np.where(touching, residual, np.float32(0))
        now = float(np.vdot(masked, masked))
        direction = masked + np.float32(conjugate * now / before) * np.where(touching, direction, 0)
        before = max(now, 1e-30)
        answer = _product(direction)
        curvature = float(np.vdot(direction, answer))
        if curvature <= 0:
            break
        step = np.float32(float(np.vdot(masked, direction)) / curvature)
        change = step * direction
        pressure = pressure - change
        residual = residual - step * answer
        crossed = pressure < 0
        released = bool(crossed.any())
        pressure[crossed] = 0
        caught = inside & ~touching & (residual < 0)
        conjugate = 1.0
        if released or caught.any():
            pressure[caught] -= step * residual[caught]
            residual = _product(pressure) - sunk
            conjugate = 0.0 if caught.any() else 1.0
        if float(np.abs(change).sum()) <= TOLERANCE * float(pressure.sum()) and not caught.any():
            break
    return np.asarray(pressure, np.float32)


def _product(pressure: Image) -> Image:
    """Displacement [H, W], in cells' sides, under a pressure [H, W] as a share of E*."""
    rows, columns = pressure.shape
    kernel, size = _kernel(rows, columns)
    return np.asarray(irfft2(rfft2(pressure, size) * kernel, size)[:rows, :columns])


@lru_cache(maxsize=128)
def _kernel(rows: int, columns: int) -> tuple[npt.NDArray[np.complex64], tuple[int, int]]:
    """Transform of the displacement around one cell under the pressure E*, and its size."""
    size = (next_fast_len(2 * rows - 1, real=True), next_fast_len(2 * columns - 1, real=True))
    y, x = (np.minimum(np.arange(n), n - np.arange(n)).astype(np.float64) for n in size)
    x, y = x[None, :], y[:, None]
    total = np.zeros(size)
    for side in (-0.5, 0.5):
        for other in (-0.5, 0.5):
            a, b = x + side, y + other
            # ∫∫ 1/r over a rectangle from the corner to (a, b)
            total += np.sign(side * other) * (a * np.arcsinh(b / abs(a)) + b * np.arcsinh(a / abs(b)))
    return rfft2((total / np.pi).astype(np.float32)), size


def _box(inside: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest box around what is inside, in steps of `_BLOCK`."""
    slices = []
    for axis in (1, 0):
        found = np.flatnonzero(inside.any(axis=axis))
        if not found.size:
            return None
        length = min(-(-(found[-1] + 1 - found[0]) // _BLOCK) * _BLOCK, inside.shape[1 - axis])
        first = max(0, min(int(found[0]), inside.shape[1 - axis] - length))
        slices.append(slice(first, first + length))
    return slices[0], slices[1]


def _cubic(cells: int) -> Image:
    """The matrix [STRIDE · cells, cells] of a cubic interpolation between cells' centres (Keys 1981)."""
    at = (np.arange(STRIDE * cells) + 0.5) / STRIDE - 0.5
    away = abs(at[:, None] - np.arange(-2, cells + 2))
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    weight = np.where(away < 1, near, np.where(away < 2, far, 0.0))
    matrix = np.zeros((STRIDE * cells, cells))
    np.add.at(matrix.T, np.clip(np.arange(-2, cells + 2), 0, cells - 1), weight.T)
    return matrix.astype(np.float32)

"""The gel's window as a grid of pixels, and the linear maps on it: blur, upsampling from a coarse grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from visuotactile.errors import SimulationError
from visuotactile.sim.scene import PAD_HALF

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

SHAPE = (120, 160)
"""Rows and columns of a tactile picture by default."""

STRIDE = 4
"""Pixels between the nodes of the coarse grid."""


class Grid:
    """Square pixels over the window, row 0 at the top (+v) and column 0 at the left (−u).

    Attributes:
        shape, half: as given.
        pixel: metres.
        u: float64 [W], metres of each column's centre from the window's centre, to the right.
        v: float64 [H], metres of each row's centre from the window's centre, upward.
        coarse_u: float64 [W / STRIDE], of each coarse cell's centre.
        coarse_v: float64 [H / STRIDE].

    Args:
        shape: (H, W).
        half: metres, half the width and half the height of the gel's window.

    Raises:
        SimulationError: the shape has not the window's proportions, or its sides are no multiples of
            `STRIDE`.
    """

    def __init__(self, shape: tuple[int, int], half: tuple[float, float] = PAD_HALF) -> None:
        height, width = shape
        square = abs(height * half[0] - width * half[1]) < 1e-9
        if height < 8 * STRIDE or height % STRIDE or width % STRIDE or not square:
            raise SimulationError(
                f"a tactile picture of {height} × {width}; expected height : width = "
                f"{half[1] * 1e3:g} : {half[0] * 1e3:g}, as the gel's window, both multiples of {STRIDE}, at "
                f"least {8 * STRIDE} high, such as 120 × 160 for the gripper's"
            )
        self.shape, self.half = shape, half
        self.pixel = 2 * half[0] / width
        self.u: Array = (np.arange(width).astype(np.float64) - (width - 1) / 2) * self.pixel
        self.v: Array = ((height - 1) / 2 - np.arange(height).astype(np.float64)) * self.pixel
        self.coarse_u = self.u.reshape(-1, STRIDE).mean(axis=1)
        self.coarse_v = self.v.reshape(-1, STRIDE).mean(axis=1)
        self._up_rows, self._up_columns = _linear(height), _linear(width).T.copy()
        self._blurs: dict[float, tuple[Image, Image]] = {}

    def blur(self, image: Image, sigma: float) -> Image:
        """Gaussian blur of [..., H, W] by `sigma` pixels; the border continues as it ends.

        As two dense products: at this size, BLAS is faster than any filter, and as fast for a wide kernel.
        """
        if sigma not in self._blurs:
            self._blurs[sigma] = _gauss(self.shape[0], sigma), _gauss(self.shape[1], sigma).T.copy()
        rows, columns = self._blurs[sigma]
        return np.asarray(rows @ image @ columns, np.float32)

    def coarse(self, image: npt.NDArray[np.floating]) -> Array:
        """Mean of each STRIDE × STRIDE cell, float64 [H / STRIDE, W / STRIDE]."""
        height, width = self.shape
        cells = image.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE)
        return cells.mean(axis=(1, 3), dtype=np.float64)

    def upsample(self, coarse: Array) -> Image:
        """From cells [H / STRIDE, W / STRIDE] to pixels, bilinear."""
        return np.asarray(self._up_rows @ (coarse.astype(np.float32) @ self._up_columns), np.float32)


def _gauss(count: int, sigma: float) -> Image:
    """The matrix [count, count] of a blur along one axis."""
    at = np.arange(count)
    near = np.arange(-int(4 * sigma + 1), count + int(4 * sigma + 1))
    kernel = np.exp(-0.5 * ((at[:, None] - near) / sigma) ** 2)
    kernel[kernel < 1e-4] = 0  # invisible, and numbers too small for float32's normal range are slow
    matrix = np.zeros((count, count))
    np.add.at(matrix.T, np.clip(near, 0, count - 1), kernel.T)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), np.float32)


def _linear(count: int) -> Image:
    """The matrix [count, count / STRIDE] that interpolates between cells' centres."""
    cells = count // STRIDE
    at = np.clip((np.arange(count) + 0.5) / STRIDE - 0.5, 0, cells - 1)
    return np.maximum(0.0, 1 - abs(at[:, None] - np.arange(cells))).astype(np.float32)

"""The gel's surface around and under an imprint, and how far its points move sideways.

Depth: the surface hugs the object where it is in contact and rises from its rim as a skin under tension.
Blurring from wide to narrow while the contact is kept is Taxim's pyramid of Gaussians (Si and Yuan 2022).

Sideways: the columns of the foundation resist with their shear stiffness and pull on their neighbours through
the skin: (1 − λ² ∇²) d = t / kₛ, for a traction t that follows the pressure. Volume that is pressed down goes
sideways: near the contact ∇·d is the share of the thickness that was pressed away.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn, idctn

from visuotactile.sim.scene import PAD_THICKNESS
from visuotactile.sim.tactile.grid import STRIDE, Grid
from visuotactile.sim.tactile.units import Gel

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

# Width of a skirt in metres, and the share of the wider surface that it keeps: wide ones are faint.
_SKIRTS = ((1.3e-3, 0.7), (0.5e-3, 0.9))
_SKIN = 0.18e-3  # metres: the coating's own stiffness rounds every edge

_REACH = 2.2e-3  # λ, metres
_SQUEEZE = 0.6  # the share of the pressed-down volume that shows as sideways motion


class Membrane:
    """The surface of one gel on one grid of pixels."""

    def __init__(self, gel: Gel, grid: Grid) -> None:
        self._gel, self._grid = gel, grid
        cell = STRIDE * grid.pixel
        rows, columns = (n // STRIDE for n in grid.shape)
        wave = [(2 - 2 * np.cos(np.pi * np.arange(n) / n)) / cell**2 for n in (rows, columns)]
        # A cosine transform: nothing pulls at the window's edge, beyond which the gel goes on a little.
        self._spread = 1 / (1 + _REACH**2 * (wave[0][:, None] + wave[1][None, :]))

    def surface(self, indentation: Array) -> Image:
        """Displacement of the skin towards the camera, [H, W], in pixels, for an imprint [H, W] in metres."""
        grid = self._grid
        contact = (indentation / grid.pixel).astype(np.float32)
        surface = contact
        for width, share in _SKIRTS:
            surface = np.maximum(contact, np.float32(share) * grid.blur(surface, width / grid.pixel))
        return grid.blur(surface, _SKIN / grid.pixel)

    def motion(
        self, indentation: Array, shear: Array, torsion: float, center: Array | None
    ) -> tuple[Image, Image]:
        """Displacement of the skin's points along (u, v), in pixels, two of [H, W].

        `shear` [2] in newtons along (u, v) and `torsion` in newton metres about n, both on the gel, act
        through `center` [2], metres along (u, v), or through the imprint's own centre.
        """
        grid, gel = self._grid, self._gel
        depth = grid.coarse(indentation)
        weight, u, v = self._leaned(depth, center)
        cell = (STRIDE * grid.pixel) ** 2
        polar = float((weight * (u**2 + v**2)).sum()) + cell / 6  # a cell is no point
        twist = torsion / polar
        along_u = self._smooth(weight * (shear[0] - twist * v) / (cell * gel.shear_stiffness))
        along_v = self._smooth(weight * (shear[1] + twist * u) / (cell * gel.shear_stiffness))
        bulge = _SQUEEZE * _REACH**2 / PAD_THICKNESS * self._smooth(depth)
        down, right = np.gradient(bulge, STRIDE * grid.pixel)
        along_u, along_v = along_u - right, along_v + down
        return grid.upsample(along_u / grid.pixel), grid.upsample(along_v / grid.pixel)

    def _leaned(self, depth: Array, center: Array | None) -> tuple[Array, Array, Array]:
        """Weights that sum to 1, like the pressure, leaned until their centre is `center`; places from there.

        The imprint shows where the pressure can be, the measured centre on which side of it there is more.
        """
        weight = depth / depth.sum()
        u, v = np.broadcast_arrays(self._grid.coarse_u[None, :], self._grid.coarse_v[:, None])
        mean = np.array([(weight * u).sum(), (weight * v).sum()])
        if center is not None:
            du, dv = u - mean[0], v - mean[1]
            mixed = (weight * du * dv).sum()
            spread = np.array([[(weight * du * du).sum(), mixed], [mixed, (weight * dv * dv).sum()]])
            spread += (STRIDE * self._grid.pixel) ** 2 / 12 * np.eye(2)  # a cell is no point
            lean = np.linalg.solve(spread, center - mean)
            weight = weight * np.maximum(1 + lean[0] * du + lean[1] * dv, 0.0)
            weight = weight / weight.sum()
            mean = np.array([(weight * u).sum(), (weight * v).sum()])
        return weight, u - mean[0], v - mean[1]

    def _smooth(self, field: Array) -> Array:
        return np.asarray(idctn(self._spread * dctn(field)))

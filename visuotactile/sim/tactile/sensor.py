"""A tactile sensor: from a pad's contact to its camera image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import mujoco
import numpy as np
import numpy.typing as npt

from visuotactile.errors import SimulationError
from visuotactile.sim.contact import PadState
from visuotactile.sim.scene import PAD_HALF
from visuotactile.sim.tactile.calibration import CalibratedShading
from visuotactile.sim.tactile.coating import Coating
from visuotactile.sim.tactile.exposure import expose
from visuotactile.sim.tactile.foundation import gel_share, press
from visuotactile.sim.tactile.grid import SHAPE, Grid
from visuotactile.sim.tactile.indentation import TALLEST, GapCamera, HasHeight
from visuotactile.sim.tactile.membrane import Membrane
from visuotactile.sim.tactile.shading import Lamps, Shading
from visuotactile.sim.tactile.units import SensorUnit

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]

WEAR_STEPS = 100
"""Steps of wear that are distinguished, so that a coating is drawn once and not at every frame."""
_KEPT = 4  # coatings of the latest wears


class TactileSensor:
    """One unit behind one pad.

    Args:
        unit: which physical sensor it is.
        shape: (H, W) of its pictures, of the window's proportions.
        half: metres, half the width and half the height of its window.
    """

    def __init__(
        self, unit: SensorUnit, shape: tuple[int, int] = SHAPE, half: tuple[float, float] = PAD_HALF
    ) -> None:
        self.unit, self.shape = unit, shape
        self.grid = Grid(shape, half)
        self._membrane = Membrane(unit.gel, self.grid)
        shading: Shading
        if unit.calibration is not None:
            shading = CalibratedShading(unit.calibration, self.grid)
        else:
            shading = Lamps(unit, self.grid)
        self._shading = shading
        self._coating = Coating(unit, self.grid, shading)
        across, up = (self.grid.u / self.grid.u[-1]) ** 2, (self.grid.v / self.grid.v[0]) ** 2
        self._camera = GapCamera(self.grid, unit.gel.dome * (across[None, :] + up[:, None]) / 2)
        self._coatings: OrderedDict[int, Image] = OrderedDict()

    def indentation(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        pad: PadState,
        relief: HasHeight | None,
        object_body: int,
        stiffness: float | None,
    ) -> Array:
        """Depth of the object in the gel, float64 [H, W], metres; 0 where it does not touch.

        The depth is the one at which the gel's reaction is the measured normal force. Geoms stand where
        `data` has them; only group 3 is looked at. `relief` stands out from it, in the frame of
        `object_body`; a surface of `stiffness` N/m gives way itself.
        """
        if pad.normal <= 0:
            return np.zeros(self.shape)
        gel, area, share = self.unit.gel, self.grid.pixel**2, gel_share(self.unit.gel, stiffness)
        gap = self._camera.gap(model, data, pad, gel, share, TALLEST if relief is not None else 0.0)
        chosen = np.flatnonzero(np.isfinite(gap))
        if relief is not None and len(chosen):
            # Hills only bring the surface nearer: what they cannot bring into contact stays out of it.
            points = self._camera.points(pad, gap, chosen)
            frame = data.xmat[object_body].reshape(3, 3)
            gap.ravel()[chosen] -= relief.height((points - data.xpos[object_body]) @ frame)
        return press(gel, gap, area, pad.normal, share)

    def render(
        self,
        indentation: Array,
        *,
        shear: Sequence[float] | Array = (0.0, 0.0),
        torsion: float = 0.0,
        center: Sequence[float] | Array | None = None,
        wear: float,
        rng: np.random.Generator,
    ) -> npt.NDArray[np.uint8]:
        """One frame, uint8 [H, W, 3], RGB.

        Args:
            indentation: float64 [H, W], metres.
            shear: [2], newtons along (u, v), of the object on the gel.
            torsion: newton metres about n, on the gel.
            center: [2], metres along (u, v): the centre of pressure from the window's centre; the imprint's
                own if None.
            wear: 0, a new gel, to 1, one to throw away.
            rng: draws the noise.

        Raises:
            SimulationError: the imprint's shape is not the sensor's, or the wear is not between 0 and 1.
        """
        light = self.light(indentation, shear=shear, torsion=torsion, center=center, wear=wear)
        return expose(light, self.unit.noise, self.unit.flicker, rng)

    def light(
        self,
        indentation: Array,
        *,
        shear: Sequence[float] | Array = (0.0, 0.0),
        torsion: float = 0.0,
        center: Sequence[float] | Array | None = None,
        wear: float,
    ) -> Image:
        """Light of a frame before the camera's noise, float32 [3, H, W], 1 for full scale; see `render`."""
        if indentation.shape != self.shape:
            raise SimulationError(
                f"an imprint of shape {indentation.shape} on a sensor of shape {self.shape}"
            )
        if not 0 <= wear <= 1:
            raise SimulationError(f"wear is {wear!r}; expected 0 (new) to 1 (to be thrown away)")
        light, texture = self._shading.light, self._texture(wear)
        if indentation.any():
            light = light + self._shading.shade(self._membrane.surface(indentation))
            middle = None if center is None else np.asarray(center, np.float64)
            motion = self._membrane.motion(indentation, np.asarray(shear, np.float64), torsion, middle)
            texture = _carried(texture, *motion)
        return np.asarray(light * texture, np.float32)

    def _texture(self, wear: float) -> Image:
        step = round(wear * WEAR_STEPS)
        if step not in self._coatings:
            self._coatings[step] = self._coating.texture(step / WEAR_STEPS)
            if len(self._coatings) > _KEPT:
                self._coatings.popitem(last=False)
        self._coatings.move_to_end(step)
        return self._coatings[step]


def _carried(texture: Image, along_u: Image, along_v: Image) -> Image:
    """The texture [3, H, W] after its points have moved by (along_u, along_v) pixels, bilinear."""
    _, height, width = texture.shape
    x = np.clip(np.arange(width, dtype=np.float32) - along_u, 0, width - 1.001)
    y = np.clip(np.arange(height, dtype=np.float32)[:, None] + along_v, 0, height - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    x -= column
    y -= row
    at = row * width + column
    corners = [at + step for step in (0, width, 1, width + 1)]
    flat = texture.reshape(3, -1)
    carried = np.empty_like(texture)
    for source, out in zip(flat, carried, strict=True):
        # "clip" clips nothing here, but spares NumPy a copy in which to find what is out of range
        top, bottom, right, below = (source.take(corner, mode="clip") for corner in corners)
        right -= top
        right *= x
        top += right
        below -= bottom
        below *= x
        bottom += below
        bottom -= top
        bottom *= y
        np.add(top, bottom, out=out)
    return carried

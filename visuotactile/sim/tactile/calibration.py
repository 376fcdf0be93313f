"""A real sensor's calibration, read from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from visuotactile.datasets.image_file import read_image
from visuotactile.errors import DataError
from visuotactile.sim.tactile.grid import Grid

Image = npt.NDArray[np.float32]

TERMS = 6
CHANNELS = ("red", "green", "blue")
_SMALLEST, _LARGEST = 32, 4096
_SMOOTH = 1 / 6  # of the height: what is finer is printed on the gel and moves with it


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """A real sensor's picture of a bare gel, and the change that each slope makes.

    Attributes:
        background: uint8 [H, W, 3], RGB, the bare gel.
        table: float64 [3, M, D, 6], for each channel, slope and direction the coefficients of
            x², y², xy, x, y and 1 (pixels of `background`), which give grey levels of 255 over the bare gel.
            Slopes are arctan |∇h|, floor(slope / (π/2) · (M − 1)); directions are arctan2(∂h/∂y, ∂h/∂x),
            floor((direction + π) / 2π · (D − 1)); h is the depth of the imprint, x to the right, y down.
    """

    background: npt.NDArray[np.uint8]
    table: npt.NDArray[np.float64]


def read_calibration(folder: Path | str) -> Calibration:
    """Read `background.png`, a frame of the bare gel, and `table.npz` from a folder.

    The table is that of Taxim (Si and Yuan 2022): arrays `red`, `green` and `blue` of shape [M, D, 6], see
    `Calibration.table`. Taxim itself writes them as `grad_r`, `grad_g` and `grad_b`, in the channels' order
    of the frames that it was given: BGR when OpenCV read them, so that its `grad_r` is then our `blue`.

    Raises `DataError` when a file is missing, damaged, of another shape, or holds NaN.
    """
    folder = Path(folder)
    return Calibration(
        background=_read_background(folder / "background.png"), table=_read_table(folder / "table.npz")
    )


def _read_background(path: Path) -> npt.NDArray[np.uint8]:
    _check_exists(path, "a frame of the bare gel")
    frame = read_image(path, str(path.parent))
    height, width = frame.shape[:2]
    if not (_SMALLEST <= height <= _LARGEST and 4 * height == 3 * width):
        raise DataError(
            f"{path} is {width} × {height} pixels; expected width : height = 4 : 3 and a height of "
            f"{_SMALLEST} to {_LARGEST}, such as 320 × 240; crop it to the gel's window"
        )
    return frame


def _read_table(path: Path) -> npt.NDArray[np.float64]:
    _check_exists(path, f"arrays {', '.join(CHANNELS)}")
    channels = []
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in CHANNELS if name not in arrays.files]
            if missing:
                raise DataError(
                    f"{path} has no {', '.join(missing)}; it holds {', '.join(arrays.files) or 'nothing'}, "
                    f"expected arrays {', '.join(CHANNELS)}"
                )
            channels = [arrays[name] for name in CHANNELS]
    except DataError:
        raise
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as NumPy's npz ({error}); write it with numpy.savez"
        ) from error
    for name, array in zip(CHANNELS, channels, strict=True):
        if array.ndim != 3 or array.shape[2] != TERMS or min(array.shape[:2]) < 2:
            raise DataError(
                f"{path}: {name} has shape {array.shape}, expected [slopes, directions, {TERMS}] with at "
                "least 2 slopes and 2 directions"
            )
        if array.shape != channels[0].shape:
            raise DataError(
                f"{path}: {name} has shape {array.shape} but {CHANNELS[0]} {channels[0].shape}; "
                "expected equal ones"
            )
        if not np.issubdtype(array.dtype, np.floating):
            raise DataError(f"{path}: {name} has dtype {array.dtype}, expected floating point")
        broken = np.argwhere(~np.isfinite(array))
        if len(broken):
            at = ", ".join(map(str, broken[0]))
            raise DataError(
                f"{path}: {name}[{at}] is not finite, and {len(broken) - 1} more; fill the bins that no "
                "press has met from their neighbours"
            )
    return np.stack(channels).astype(np.float64)


def _check_exists(path: Path, what: str) -> None:
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; a calibration folder holds background.png and table.npz, here {what}"
        )


class CalibratedShading:
    """Shading by a calibration's table; see `Calibration.table` for how a slope finds its place in it."""

    def __init__(self, calibration: Calibration, grid: Grid) -> None:
        height, width = grid.shape
        frame = PillowImage.fromarray(calibration.background).resize(
            (width, height), PillowImage.Resampling.BOX
        )
        bare: Image = np.maximum(np.asarray(frame, np.float32).transpose(2, 0, 1) / 255, 0.01)
        self.light: Image = grid.blur(bare, height * _SMOOTH)
        self.texture: Image = np.asarray(bare / self.light, np.float32)
        scale = calibration.background.shape[1] / width
        x = (np.arange(width)[None, :] + 0.5) * scale - 0.5 + np.zeros((height, 1))
        y = (np.arange(height)[:, None] + 0.5) * scale - 0.5 + np.zeros((1, width))
        self._terms: Image = np.stack([x * x, y * y, x * y, x, y, np.ones_like(x)]).astype(np.float32)
        _, slopes, directions, _ = calibration.table.shape
        self._bins = slopes - 1, directions - 1
        by_bin = calibration.table.transpose(0, 3, 1, 2).reshape(3, TERMS, -1) / 255
        self._table: Image = by_bin.astype(np.float32)
        self._flat = self._look_up(np.zeros(grid.shape, np.float32))

    def shade(self, surface: Image) -> Image:
        """The light that a surface [H, W], in pixels toward the camera, gains or loses, float32 [3, H, W].

        A table is fitted to presses and need not be 0 where there is no slope; there it is taken as 0.
        """
        return self._look_up(surface) - self._flat

    def _look_up(self, surface: Image) -> Image:
        down, right = np.gradient(surface)
        slope = np.arctan(np.hypot(right, down)) * (self._bins[0] / (np.pi / 2))
        direction = (np.arctan2(down, right) + np.pi) * (self._bins[1] / (2 * np.pi))
        at = slope.astype(np.intp) * (self._bins[1] + 1) + direction.astype(np.intp)
        shaded = np.empty((3, *surface.shape), np.float32)
        for table, out in zip(self._table, shaded, strict=True):
            out[:] = sum(
                term * coefficient.take(at) for term, coefficient in zip(self._terms, table, strict=True)
            )
        return shaded

"""Statistics of a store: mean and standard deviation of each stream's images, and of differences of phases.

They are integer sums, exact and the same for any number of workers, interruptions and joins. They do not
depend on labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import PHASES, Access
from visuotactile.errors import StoreError, brief

GRID = 48
"""Minimum number of evenly spaced rows and columns that are counted in each image; neighbours are alike."""

CHANNELS = 3
_BYTE = 255


@dataclass(frozen=True)
class Moments:
    """Sums over the counted pixels, for each colour.

    Attributes:
        pixels: number of pixels.
        total: sum of their values [3], in grey levels.
        squares: sum of their squared values [3].
    """

    pixels: int
    total: tuple[int, ...]
    squares: tuple[int, ...]

    def __add__(self, other: Moments) -> Moments:
        """Sums over the pixels of both."""
        return Moments(
            self.pixels + other.pixels,
            tuple(a + b for a, b in zip(self.total, other.total, strict=True)),
            tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
        )

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each colour, in units of 255 grey levels."""
        return tuple(total / self.pixels / _BYTE for total in self.total)

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each colour, in units of 255 grey levels."""
        spreads = []
        for total, squares in zip(self.total, self.squares, strict=True):
            # In integers, since the difference of two large squares would lose its digits.
            spreads.append((self.pixels * squares - total * total) ** 0.5 / self.pixels / _BYTE)
        return tuple(spreads)


Statistics = dict[str, Moments]
"""STREAM/PHASE, or STREAM/PHASE-REFERENCE for a difference → its moments."""


def name_of(stream: str, phase: str, reference: str | None = None) -> str:
    """Name of an image, or of its difference from another phase's, in `Statistics`."""
    return f"{stream}/{phase}" if reference is None else f"{stream}/{phase}-{reference}"


def trial_statistics(
    streams: Mapping[str, Mapping[str, npt.NDArray[Any]]], phases: Mapping[str, Access] = PHASES
) -> Statistics:
    """Statistics of one trial.

    Differences are between a later phase and the first frame of an earlier one, both permitted as inputs. An
    image that is zero everywhere was not recorded, and is not counted.

    Args:
        streams: stream → phase → array; RGB images uint8 [H, W, 3] and clips [T, H, W, 3] are counted.
        phases: in the order of time.
    """
    found: Statistics = {}
    for stream, arrays in streams.items():
        clips = {
            phase: _counted(arrays[phase])
            for phase, access in phases.items()
            if access != "outcome" and phase in arrays and _is_image(arrays[phase])
        }
        clips = {phase: clip for phase, clip in clips.items() if clip.any()}
        for later, (phase, clip) in enumerate(clips.items()):
            found[name_of(stream, phase)] = _moments(clip)
            for reference, before in list(clips.items())[:later]:
                if before.shape[1:] == clip.shape[1:]:
                    found[name_of(stream, phase, reference)] = _moments(clip - before[:1])
    return found


def add(parts: Iterable[Statistics]) -> Statistics:
    """Statistics of all parts together."""
    whole: Statistics = {}
    for part in parts:
        for name, moments in part.items():
            whole[name] = whole[name] + moments if name in whole else moments
    return whole


def to_json(statistics: Statistics) -> dict[str, Any]:
    """Statistics as in store.json: exact sums, mean and standard deviation."""
    return {
        name: {
            "mean": [round(value, 6) for value in each.mean],
            "std": [round(value, 6) for value in each.std],
            "pixels": each.pixels,
            "sum": list(each.total),
            "sum_of_squares": list(each.squares),
        }
        for name, each in sorted(statistics.items())
    }


def from_json(values: Any, where: str) -> Statistics:
    """Inverse of `to_json`; raises `StoreError` for anything else."""
    try:
        found = {
            str(name): Moments(each["pixels"], tuple(each["sum"]), tuple(each["sum_of_squares"]))
            for name, each in values.items()
        }
        for moments in found.values():
            numbers = (moments.pixels, *moments.total, *moments.squares)
            if not all(type(number) is int for number in numbers) or moments.pixels < 1:
                raise ValueError("sums are whole numbers")
            for total, squares in zip(moments.total, moments.squares, strict=True):
                if moments.pixels * squares < total * total:
                    raise ValueError("no such numbers have these sums")
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise StoreError(f"{where}: its statistics are damaged ({brief(why)}); convert again") from None
    return found


def _is_image(array: npt.NDArray[Any]) -> bool:
    return array.dtype == np.uint8 and array.ndim in (3, 4) and array.shape[-1] == CHANNELS


def _counted(array: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """The counted pixels, int16 [T, H', W', 3]."""
    clip = array.reshape(-1, *array.shape[-3:])
    down, right = (max(1, side // GRID) for side in clip.shape[1:3])
    return clip[:, ::down, ::right].astype(np.int16)


def _moments(clip: npt.NDArray[np.int16]) -> Moments:
    values = clip.reshape(-1, CHANNELS).astype(np.float64)
    # Matrix products are fast, and integer sums below 2^53 are exact in any order.
    total, squares = np.ones(len(values)) @ values, np.diag(values.T @ values)
    return Moments(len(values), tuple(map(int, total)), tuple(map(int, squares)))

"""Background images of gels without contact, estimated where none was recorded.

Where frames come from many gels, a gel is recognised by its lights, markers and wear in an image too coarse
for any imprint. The most similar frames at that scale, taken while other objects were held, come from the
same gel; their median removes the imprints, which differ in place (`Backgrounds`). Where the gel is known,
the median is over many frames of all other objects (`KnownGel`), since the most similar ones may show one
imprint. No label is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from visuotactile.datasets.video_file import Picture
from visuotactile.errors import DataError

NEIGHBOURS = 5
"""Frames in a median: odd, and few, because the gel shifts slightly between recordings."""

COARSE = (8, 8)
"""Size in pixels of the images in which gels are compared."""


class Backgrounds:
    """Estimator of backgrounds from frames of known objects."""

    def __init__(self, frames: Sequence[Picture], objects: Sequence[str]) -> None:
        """
        Args:
            frames: RGB uint8 [H, W, 3], all of one shape.
            objects: object held in each frame.

        Raises:
            DataError: the frames differ in shape.
        """
        shapes = {frame.shape for frame in frames}
        if len(shapes) != 1:
            raise DataError(f"frames for a background have the shapes {sorted(shapes)}; expected one")
        self._frames = np.stack(frames)  # one array, which joblib shares among processes
        self._objects = np.array(objects)
        self._coarse = np.stack([_coarse(frame) for frame in frames])

    def estimate(self, image: Picture, held: str) -> Picture:
        """The gel of `image` [H, W, 3] without contact, from frames of objects other than `held`.

        Raises:
            DataError: fewer than `NEIGHBOURS` frames show another object, or they are of another shape.
        """
        others = np.flatnonzero(self._objects != held)
        if len(others) < NEIGHBOURS:
            raise DataError(
                f"{len(others)} training frames of other objects than {held!r}; the gel's background takes "
                f"{NEIGHBOURS}"
            )
        if image.shape != self._frames.shape[1:]:
            raise DataError(f"a frame is {image.shape}, the training frames are {self._frames.shape[1:]}")
        distance = ((self._coarse[others] - _coarse(image)) ** 2).sum(axis=1)
        nearest = others[np.argsort(distance, kind="stable")[:NEIGHBOURS]]
        median = np.median(self._frames[nearest], axis=0)
        return median.astype(np.uint8)


class KnownGel:
    """Estimator of the background of one gel: one sensor, or one session."""

    def __init__(self, frames: Sequence[Picture], objects: Sequence[str]) -> None:
        """
        Args:
            frames: RGB uint8 [H, W, 3], all of one shape, of each object about equally many.
            objects: object held in each frame.
        """
        self._frames, self._objects = np.stack(frames), np.array(objects)
        self._known: dict[str, Picture] = {}

    def estimate(self, held: str) -> Picture:
        """The gel without contact, uint8 [H, W, 3], for frames of `held`: the median of other objects'."""
        if held not in self._known:
            others = self._frames[self._objects != held]
            self._known[held] = np.median(others, axis=0).astype(np.uint8)
        return self._known[held]


def _coarse(image: Picture) -> npt.NDArray[np.float64]:
    small = Image.fromarray(image).resize(COARSE[::-1], Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()

"""Background images of gels without contact, estimated where none was recorded.

A gel is recognised by its lights, markers and wear in an image too coarse for any imprint. The most similar
frames at that scale, taken while other objects were held, come from the same gel; their median removes the
imprints, which differ in place. No label is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from visuotactile.errors import DataError

Picture = npt.NDArray[np.uint8]

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
        self._frames = list(frames)
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
                f"{NEIGHBOURS}: fetch all recordings, or take the early frame with --options before=early"
            )
        if image.shape != self._frames[0].shape:
            raise DataError(f"a frame is {image.shape}, the training frames are {self._frames[0].shape}")
        distance = ((self._coarse[others] - _coarse(image)) ** 2).sum(axis=1)
        nearest = others[np.argsort(distance, kind="stable")[:NEIGHBOURS]]
        median = np.median(np.stack([self._frames[i] for i in nearest]), axis=0)
        return median.astype(np.uint8)


def _coarse(image: Picture) -> npt.NDArray[np.float64]:
    small = Image.fromarray(image).resize(COARSE[::-1], Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()

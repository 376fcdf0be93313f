"""Decoding of a user's image file to 8-bit RGB, or an error about its format."""

from __future__ import annotations

import contextlib
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from visuotactile.errors import DataError, brief

LARGEST_IMAGE = 64_000_000
"""Pixels. A file that claims more is a decompression bomb or a mistake."""

EXPANSION = 1100
"""Times. A byte of PNG makes at most 1,032 bytes of pixels, and one of JPEG some 1,000."""

_ON_THEIR_SIDE = (5, 6, 7, 8)
"""EXIF orientations of photographs whose width is the height of what they show."""


def read_image(path: Path, where: str) -> npt.NDArray[np.uint8]:
    """The RGB image at `path`, PNG or JPEG, uint8 [H, W, 3], rotated by its EXIF orientation.

    Raises:
        DataError: the file is damaged or of another kind, has other than three channels of 8 bits, or holds
            transparent pixels or several frames; the message begins with `where`.
    """
    with _opened(path, where) as image:
        return np.array(ImageOps.exif_transpose(image))


def image_size(path: Path, where: str) -> tuple[int, int]:
    """Height and width of the array that `read_image` gives, from the file's header; raises the same errors.

    Damage behind the header is not found.
    """
    with _opened(path, where) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation) in _ON_THEIR_SIDE
        return (image.width, image.height) if turned else (image.height, image.width)


@contextlib.contextmanager
def _opened(path: Path, where: str) -> Iterator[Image.Image]:
    """The image file, its format and size checked; errors on decoding it become `DataError`s, too."""
    if path.exists() and not path.is_file():  # reading a pipe would never end
        raise DataError(f"{where}: {path.name} is no file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit here is stricter, and damaged EXIF is ignored
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if image.width * image.height > LARGEST_IMAGE:
                    raise DataError(
                        f"{where}: {path.name} claims {image.width}×{image.height} pixels, at most "
                        f"{LARGEST_IMAGE} are read"
                    )
                stored = _stored(image)
                if stored != "RGB":
                    raise DataError(
                        f"{where}: {path.name} has {stored}; expected RGB, 3 × 8 bits: save it as such"
                    )
                held = path.stat().st_size
                if image.width * image.height * 3 > held * EXPANSION:
                    raise DataError(
                        f"{where}: {path.name} claims {image.width}×{image.height} pixels, for which its "
                        f"{held} bytes are too few; it is damaged"
                    )
                yield image
    except DataError:
        raise
    except (
        *(OSError, ValueError, SyntaxError, EOFError, MemoryError, struct.error),
        *(KeyError, TypeError, Image.DecompressionBombError),
    ) as why:
        raise DataError(f"{where}: {path.name} is not a whole PNG or JPEG ({brief(why)})") from None


def _stored(image: Any) -> str:
    """Pixel format of the file: "RGB", or its difference from RGB."""
    if image.mode != "RGB":
        return f"mode {image.mode}"
    raw = image.tile[0].args if image.tile else "RGB"
    raw = raw if isinstance(raw, str) else raw[0]
    if raw.endswith("16B"):  # Pillow drops the low byte of each value
        return "16 bits a channel"
    if "transparency" in image.info:
        return "a transparent colour"
    # A phone's JPEG may hold a preview behind the photograph; a PNG's further frames are an animation.
    frames = getattr(image, "n_frames", 1) if image.format == "PNG" else 1
    return f"{frames} frames" if frames > 1 else "RGB"

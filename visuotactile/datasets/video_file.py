"""Decoding of a video file to 8-bit RGB, frame by frame, or an error about the file."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type

from visuotactile.errors import DataError, brief

Picture = npt.NDArray[np.uint8]

WIDEST_VIDEO = 8192
"""Pixels. A file that claims more is damaged, or no tactile sensor's."""
FORMATS = "avi,mov,matroska,webm,mpeg,mpegts"
"""FFmpeg's names of the formats that are read. None names other files, as a playlist does."""


MOST_PIXELS = 2 * 10**10
"""Pixels of all frames of a video: 80 s in 4K at 30 Hz. A damaged file could claim to go on for ever."""

_QUARTERS = {(1, 0, 0, 1): 0, (0, -1, 1, 0): 1, (-1, 0, 0, -1): 2, (0, 1, -1, 0): 3}
"""Display matrix of a video → counterclockwise quarter turns that show it upright."""


def video_frames(
    path: Path,
    *,
    named: str = "",
    remedy: str = "record it again",
    widest: int = WIDEST_VIDEO,
    formats: str = FORMATS,
) -> Generator[Picture]:
    """Frames of the first video stream in a file, RGB uint8 [H, W, 3], all of one size and upright.

    Args:
        path: the file.
        named: name of the file in errors; by default its path.
        remedy: end of every error message.
        widest: largest width or height, in pixels.
        formats: FFmpeg's names of the formats to expect, joined by commas.

    Raises:
        DataError: the file is damaged, of another format, too large, to be shown mirrored, or changes its
            size on the way.
    """
    shape: tuple[int, ...] = ()
    for frame in decoded(path, named=named, remedy=remedy, widest=widest, formats=formats):
        picture = upright(frame, named or str(path))
        if shape and picture.shape != shape:
            raise DataError(f"{named or path} changes its picture size on the way; {remedy}")
        shape = picture.shape
        yield picture


def decoded(
    path: Path,
    *,
    named: str = "",
    remedy: str = "record it again",
    widest: int = WIDEST_VIDEO,
    formats: str = FORMATS,
) -> Generator[Any]:
    """Frames as PyAV decodes them; `upright` makes images of those that are needed. See `video_frames`."""
    named, pixels = named or str(path), 0
    if path.exists() and not path.is_file():  # reading a pipe would never end
        raise DataError(f"{named} is no file; {remedy}")
    try:
        # No protocol of FFmpeg's but files.
        options = {"format_whitelist": formats, "protocol_whitelist": "file"}
        with av.open(f"file:{path}", options=options) as container:
            if not container.streams.video:
                raise DataError(f"{named} holds no video; {remedy}")
            stream = container.streams.video[0]
            codec = stream.codec_context
            if codec is None:
                raise DataError(f"{named} is in a video format that is not known here; {remedy}")
            if max(codec.width, codec.height) > widest:
                raise DataError(f"{named} claims {codec.width}×{codec.height} pixels; it is damaged")
            codec.options = {"err_detect": "explode"}  # or FFmpeg paints over the damage
            for frame in container.decode(stream):
                if max(frame.width, frame.height) > widest:
                    raise DataError(f"{named} shows {frame.width}×{frame.height} pixels; it is damaged")
                pixels += frame.width * frame.height
                if pixels > MOST_PIXELS:
                    raise DataError(f"{named} has more than {MOST_PIXELS:,} pixels in all its frames; cut it")
                yield frame
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as why:
        if isinstance(why, DataError):
            raise
        raise DataError(f"{named} cannot be decoded ({brief(why)}); {remedy}") from None
    if not pixels:
        raise DataError(f"{named} holds no frame; {remedy}")


def upright(frame: Any, named: str) -> Picture:
    """The image of a decoded frame, RGB uint8 [H, W, 3], turned as the file asks."""
    image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(image, quarters(frame, named)))


def quarters(frame: Any, named: str) -> int:
    """Counterclockwise quarter turns that show a decoded frame upright, from its display matrix."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return 0
    turn = np.frombuffer(bytes(matrix), np.int32)[[0, 1, 3, 4]] / 2**16
    found = _QUARTERS.get(tuple(turn.tolist()))
    if found is None:
        raise DataError(f"{named} is to be shown mirrored or tilted; save it as it should be seen")
    return found

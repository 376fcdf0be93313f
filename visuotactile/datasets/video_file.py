"""Decoding of a video file to 8-bit RGB, frame by frame, or an error about the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError

Picture = npt.NDArray[np.uint8]

WIDEST_VIDEO = 4096
"""Pixels. A file that claims more is damaged, or no tactile sensor's."""
FORMATS = "avi,mov,matroska,webm,mpeg,mpegts"
"""FFmpeg's names of the formats that are read. None names other files, as a playlist does."""


def video_frames(
    path: Path, *, remedy: str = "record it again", widest: int = WIDEST_VIDEO, formats: str = FORMATS
) -> Iterator[Picture]:
    """Frames of the first video stream in a file, RGB uint8 [H, W, 3], all of one size.

    Args:
        path: the file.
        remedy: end of every error message.
        widest: largest width or height, in pixels.
        formats: FFmpeg's names of the formats to expect, joined by commas.

    Raises:
        DataError: the file is damaged, of another format, too large, or changes its size on the way.
    """
    if path.exists() and not path.is_file():  # reading a pipe would never end
        raise DataError(f"{path} is no file; {remedy}")
    shape: tuple[int, ...] = ()
    try:
        # No protocol of FFmpeg's but files.
        options = {"format_whitelist": formats, "protocol_whitelist": "file"}
        with av.open(f"file:{path}", options=options) as container:
            if not container.streams.video:
                raise DataError(f"{path} holds no video; {remedy}")
            stream = container.streams.video[0]
            codec = stream.codec_context
            if codec is None:
                raise DataError(f"{path} is in a video format that is not known here; {remedy}")
            if max(codec.width, codec.height) > widest:
                raise DataError(f"{path} claims {codec.width}×{codec.height} pixels; it is damaged")
            codec.options = {"err_detect": "explode"}  # or FFmpeg paints over the damage
            for frame in container.decode(stream):
                if max(frame.width, frame.height) > widest:
                    raise DataError(f"{path} shows {frame.width}×{frame.height} pixels; it is damaged")
                picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                if shape and picture.shape != shape:
                    raise DataError(f"{path} changes its picture size on the way; {remedy}")
                shape = picture.shape
                yield picture
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as why:
        if isinstance(why, DataError):
            raise
        raise DataError(f"{path} cannot be decoded ({why}); {remedy}") from None

"""Some frames of a clip that lies as a video or as images in a row, or an error about its files."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visuotactile.datasets.image_file import image_size, read_image
from visuotactile.datasets.video_file import Picture, decoded, quarters, upright
from visuotactile.errors import DataError
from visuotactile.files import by_number

VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4")
IMAGES = (".png", ".jpg", ".jpeg")
MOST_IMAGES = 100_000
"""Images of a folder or pattern: an hour at 25 Hz."""

REMEDY = "is it whole?"


def chosen_frames(count: int, frames: int, stride: int) -> list[int]:
    """Numbers of the frames to take of a clip of `count`: 0, stride, 2·stride …, or evenly spaced for 0."""
    if stride:
        return [stride * i for i in range(frames)]
    return np.linspace(0, count - 1, frames).round().astype(int).tolist()


def read_video(path: Path, where: str, frames: int, stride: int) -> Picture:
    """Some frames of a video, uint8 [frames, H, W, 3], turned as its rotation flag asks.

    Args:
        path: AVI, MOV or MP4 file.
        where: beginning of an error.
        frames: number of frames to take.
        stride: distance between them; 0 takes them evenly spaced, from the first to the last.

    Raises:
        DataError: the file is damaged, mirrored, changes its size, or has too few frames.
    """
    named = f"{where}: {path.name}"
    count = stride * (frames - 1) + 1
    if not stride:
        with contextlib.closing(decoded(path, named=named, remedy=REMEDY)) as every:
            count = sum(1 for _ in every)
        check_length(count, path, where, frames, stride)
    wanted = chosen_frames(count, frames, stride)
    found: list[Picture] = []
    with contextlib.closing(decoded(path, named=named, remedy=REMEDY)) as every:
        for number, frame in enumerate(every):
            if number in wanted:
                found.append(upright(frame, named))
            if number == wanted[-1]:
                break
    check_length(number + 1, path, where, frames, stride)
    if len({frame.shape for frame in found}) != 1:
        raise DataError(f"{named} changes its picture size on the way; {REMEDY}")
    return np.stack(found)


def check_length(count: int, path: Path, where: str, frames: int, stride: int) -> None:
    """Raise `DataError` unless a clip of `count` frames has those to be taken."""
    needed = stride * (frames - 1) + 1 if stride else frames
    if count < needed:
        how = f"{frames} frames, every {stride}th," if stride else f"{frames} frames"
        raise DataError(
            f"{where}: {path.name} has {count} frames; {how} take {needed} or more: give fewer, such as "
            f"--options frames={max(1, (count - 1) // stride + 1 if stride else count)}"
        )


def video_size(path: Path, where: str) -> tuple[int, int]:
    """Height and width of a video, upright; only its first frame is decoded."""
    named = f"{where}: {path.name}"
    with contextlib.closing(decoded(path, named=named, remedy=REMEDY)) as every:
        first = next(every)
        height, width = first.height, first.width
        return (width, height) if quarters(first, named) % 2 else (height, width)


def images_in(folder: Path, pattern: str = "*", most: int = MOST_IMAGES) -> list[Path]:
    """PNG and JPEG files in a folder, at most `most` + 1, in the order of the numbers in their names.

    Hidden files are left out: on a foreign disk, a Mac leaves a ._NAME.png beside each image.
    """
    named = (path for path in folder.glob(pattern) if path.suffix.lower() in IMAGES)
    shown = itertools.islice((path for path in named if not path.name.startswith(".")), most + 1)
    return sorted((path for path in shown if path.is_file()), key=lambda path: by_number(path.name))


def read_images(paths: Sequence[Path], where: str, frames: int, stride: int) -> Picture:
    """Some frames of a clip that lies as images in a row, uint8 [frames, H, W, 3]; see `read_video`."""
    check_length(len(paths), paths[0].parent, where, frames, stride)
    found = [read_image(paths[i], where) for i in chosen_frames(len(paths), frames, stride)]
    _check_alike([image.shape[:2] for image in found], paths, where)
    return np.stack(found)


def images_size(paths: Sequence[Path], where: str, frames: int, stride: int) -> tuple[int, int]:
    """Height and width of such a clip, from the headers of the frames to be taken."""
    check_length(len(paths), paths[0].parent, where, frames, stride)
    sizes = [image_size(paths[i], where) for i in chosen_frames(len(paths), frames, stride)]
    _check_alike(sizes, paths, where)
    return sizes[0]


def _check_alike(sizes: Sequence[tuple[int, ...]], paths: Sequence[Path], where: str) -> None:
    if len(set(sizes)) > 1:
        raise DataError(
            f"{where}: the frames in {paths[0].parent.name} have the sizes "
            f"{', '.join(f'{height}×{width}' for height, width in sorted(set(sizes)))}; expected one"
        )

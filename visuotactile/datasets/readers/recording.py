"""The recording that a cell of a table names: an image, a video, or images in a row."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from visuotactile.datasets.clip_file import (
    MOST_IMAGES,
    VIDEOS,
    images_in,
    images_size,
    read_images,
    read_video,
    video_size,
)
from visuotactile.datasets.image_file import image_size, read_image
from visuotactile.datasets.video_file import Picture
from visuotactile.errors import DataError, brief

Kind = Literal["image", "video", "images"]


@dataclass(frozen=True)
class Recording:
    """Recording of a stream at a phase.

    Attributes:
        path: of the image, the video or the folder.
        kind: "image", "video", or "images" in a row, which are a clip as a video is.
        pattern: pattern of the images' names in the folder `path`.
    """

    path: Path
    kind: Kind
    pattern: str = "*"

    @property
    def is_clip(self) -> bool:
        """True for several frames."""
        return self.kind != "image"

    @cached_property
    def images(self) -> list[Path]:
        """Images in a row, in the order of the numbers in their names."""
        return images_in(self.path, self.pattern)

    def size(self, where: str, frames: int, stride: int) -> tuple[int, ...]:
        """Shape of `read`'s array without its colours, from headers or a first frame; raises its errors."""
        if self.kind == "image":
            return image_size(self.path, where)
        if self.kind == "video":
            return frames, *video_size(self.path, where)
        return frames, *images_size(self._some(where), where, frames, stride)

    def read(self, where: str, frames: int, stride: int) -> Picture:
        """The image, uint8 [H, W, 3], or some frames of the clip, [frames, H, W, 3]; see `read_video`."""
        if self.kind == "image":
            return read_image(self.path, where)
        if self.kind == "video":
            return read_video(self.path, where, frames, stride)
        return read_images(self._some(where), where, frames, stride)

    def _some(self, where: str) -> list[Path]:
        what = self.path.name if self.pattern == "*" else f"{self.path.name}/{self.pattern}"
        if not self.images:
            raise DataError(f"{where}: there is no PNG or JPEG in {what}")
        if len(self.images) > MOST_IMAGES:
            raise DataError(f"{where}: {what} has more than {MOST_IMAGES:,} images; give a narrower pattern")
        if strange := next((path for path in self.images if not _inside(path, self.path)), None):
            raise DataError(
                f"{where}: {strange.name} in {what} leads out of its folder; copy the image there"
            )
        return self.images


def find_recording(root: Path, cell: str, where: str, *, hint: bool = True) -> Recording:
    """The recording that a cell names by a path relative to `root`.

    Args:
        root: folder of the recordings.
        cell: path of a file or a folder, or a folder with a pattern of images as its last part.
        where: beginning of an error.
        hint: look for a similar name where there is no such file, which takes time.

    Raises:
        DataError: there is none, or the path leads out of `root`.
    """
    posix, windows = PurePosixPath(cell), PureWindowsPath(cell)
    if not cell:
        raise DataError(
            f"{where}: '' names no recording, which every trial needs; delete the row, or name it"
        )
    if "\0" in cell or posix.is_absolute() or windows.drive or windows.root:
        raise DataError(f"{where}: {cell!r}; expected a path relative to {root}")
    if ".." in posix.parts:
        raise DataError(f"{where}: {cell!r} leads out of {root}; recordings must lie within it")
    pattern = posix.name if any(sign in posix.name for sign in "*?") else ""
    if any(sign in str(posix.parent) for sign in "*?") or "**" in pattern:
        raise DataError(f"{where}: {cell!r} has a pattern in a folder's name; expected it in the last part")
    try:
        path = _existing(root, posix.parent if pattern else posix)
        inside = _inside(path, root)
        file, folder = inside and path.is_file(), inside and path.is_dir()
        exists = inside and path.exists()
    except (OSError, RuntimeError) as why:
        raise DataError(f"{where}: {cell!r} cannot be followed ({brief(why)})") from None
    if not inside:
        raise DataError(f"{where}: {cell!r} leads out of {root}; recordings must lie within it")
    if folder:
        return Recording(path, "images", pattern or "*")
    if file and not pattern:
        return Recording(path, "video" if path.suffix.lower() in VIDEOS else "image")
    if exists and not pattern:
        raise DataError(f"{where}: {cell!r} is neither a file nor a folder, but a device or a pipe")
    raise DataError(f"{where}: there is no file {cell!r} in {root}{_hint(path, cell) if hint else ''}")


def _existing(root: Path, cell: PurePosixPath) -> Path:
    """The path; where only its letters are composed otherwise, as a Mac writes them, the one that exists."""
    path = root / cell
    if path.exists() or str(cell).isascii():
        return path
    for part in cell.parts:
        here = root / part
        if not here.exists() and root.is_dir():
            same = [each for each in root.iterdir() if _composed(each.name) == _composed(part)]
            here = same[0] if same else here
        root = here
    return root


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _hint(path: Path, cell: str) -> str:
    if "\\" in cell:
        return "; write / between folders, not \\"
    if not path.parent.is_dir():
        return ""
    names = {each.name.lower(): each.name for each in path.parent.iterdir()}
    close = difflib.get_close_matches(path.name.lower(), names, n=1)
    return f"; did you mean {names[close[0]]}?" if close else ""

"""Clips: tactile sequences of a press, and their frames chosen by the growth of the contact.

A clip is uint8 [T, H, W, 3] with a reference uint8 [H, W, 3], the bare gel. A hand presses slowly or fast, so
frames at equal times show different moments of the contact; frames at equal steps of its growth do not (Yuan,
Srinivasan and Adelson 2016, who threshold the displacement; Yuan et al. 2017, who take 5 frames).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.clip_file import IMAGES, images_in
from visuotactile.datasets.image_file import read_image
from visuotactile.datasets.samples import Index
from visuotactile.datasets.store import Store
from visuotactile.datasets.video_file import video_frames
from visuotactile.errors import DataError, StoreError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

FRAMES = 5
"""Frames that the 2017 paper takes of a press."""

MOST_FRAMES = 900
"""Frames read of one recording: half a minute of video. A press takes two seconds."""

ACROSS = 40
"""Blocks across the picture, over each of which a change is averaged, against the noise."""
STRONGEST = 8
"""Blocks whose change tells a contact: a touch is wider than a speck of dust."""
TOUCHED = 3.5
"""Change of the strongest blocks in a contact, over that of the median block, which is noise. Of sixteen bare
simulated gels, new and worn, it is 2.4 to 2.9; the softest of 300 presses, on 8 Shore 00, end at 4.3."""

ROUNDING = 0.25
"""Grey levels by which whole numbers alone change a block, in a recording without noise."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A recorded press.

    Attributes:
        name: of the trial, the folder or the file.
        frames: uint8 [T, H, W, 3].
        reference: uint8 [H, W, 3], the gel before contact.
    """

    name: str
    frames: Pixels
    reference: Pixels


class Clips(ABC):
    """Clips that are read one by one."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of clips."""

    @abstractmethod
    def __getitem__(self, i: int) -> Clip:
        """Read clip number `i`."""


class StoreClips(Clips):
    """Clips of some trials of a store.

    Args:
        store: holds the stream and both phases.
        rows: rows of the store; None for all.
        stream: name of the tactile stream; None for the only one that was recorded as a clip at `phase`.
        phase: phase of the clip.
        reference: phase of the bare gel.

    Raises:
        StoreError: a stream or phase is missing, several streams qualify, or shapes differ.
    """

    def __init__(
        self,
        store: Store,
        rows: npt.ArrayLike | None = None,
        stream: str | None = None,
        phase: str = "during",
        reference: str = "before",
    ) -> None:
        self.store, self.phase, self.reference = store, phase, reference
        self.stream = stream or _only_clip(store, phase)
        for moment in (phase, reference):
            if (self.stream, moment) not in store.specs:
                known = ", ".join("/".join(key) for key in store.specs)
                raise StoreError(f"{store.path} has no {self.stream}/{moment}; it has {known}")
        shapes = [store.specs[self.stream, moment].shape for moment in (phase, reference)]
        if len(shapes[0]) != 4 or shapes[0][-3:] != shapes[1][-3:]:
            raise StoreError(
                f"{store.path}: {self.stream}/{phase} is {list(shapes[0])} and {reference} "
                f"{list(shapes[1])}; expected a clip [T, H, W, 3] and frames of one shape"
            )
        self.rows = np.arange(len(store)) if rows is None else np.asarray(rows, np.int64)

    def part(self, chosen: npt.ArrayLike) -> StoreClips:
        """Some of the clips, by their numbers among these."""
        rows = self.rows[np.asarray(chosen, np.int64)]
        return StoreClips(self.store, rows, self.stream, self.phase, self.reference)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.rows)

    def __getitem__(self, i: int) -> Clip:
        """Read the clip of trial `rows[i]`."""
        row = self.rows[i : i + 1]
        return Clip(
            name=str(self.store.names[row[0]]),
            frames=self.store.read(self.stream, self.phase, row)[0],
            reference=self.store.read_first(self.stream, self.reference, row)[0],
        )


class ReadClips(Clips):
    """Clips in memory."""

    def __init__(self, clips: Iterable[Clip]) -> None:
        self._clips = tuple(clips)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._clips)

    def __getitem__(self, i: int) -> Clip:
        """Clip number `i`."""
        return self._clips[i]


def read_clip(path: str | os.PathLike[str], reference: str | os.PathLike[str] | None = None) -> Clip:
    """Read a recorded press: a folder of frames, in the order of their numbers, or a video.

    Args:
        path: folder of PNG or JPEG files of one size, or a video file.
        reference: image of the bare gel; by default the first frame, which is then left out of the clip.

    Raises:
        DataError: there are too few or too many frames, one is damaged, or their sizes differ.
    """
    path = Path(path)
    if path.is_dir():
        files = images_in(path, most=MOST_FRAMES)
        if not files:
            raise DataError(f"{path} holds no {', '.join(IMAGES)} files; expected the frames of a press")
        found: Iterable[Pixels] = (read_image(file, str(path)) for file in files)
    else:
        found = video_frames(path)
    frames: list[Pixels] = []
    for frame in found:
        if len(frames) == MOST_FRAMES:
            raise DataError(f"{path} has more than {MOST_FRAMES} frames; cut it to the press")
        if frames and frame.shape != frames[0].shape:
            raise DataError(
                f"{path}: frame {len(frames)} has {_size(frame)} pixels, the first "
                f"{_size(frames[0])}; expected one size"
            )
        frames.append(frame)
    if reference is not None:
        bare = read_image(Path(reference), str(reference))
        if frames and bare.shape != frames[0].shape:
            raise DataError(
                f"{reference} has {_size(bare)} pixels, {path} {_size(frames[0])}; expected the same sensor"
            )
    elif frames:
        bare = frames.pop(0)
    if len(frames) < 2:
        raise DataError(f"{path} shows {len(frames)} frames of a press; expected a bare gel and at least 2")
    return Clip(name=path.name, frames=np.stack(frames), reference=bare)


def contact_growth(clip: Clip) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Growth of the contact over a clip, and the frames that show one.

    The growth is the root of the mean squared change of brightness, in grey levels, over blocks of pixels;
    a change of the exposure as a whole does not count.

    Returns:
        float64 [T], and bool [T].
    """
    bare = _blocks(clip.reference.astype(np.float32))
    growth, touched = np.empty(len(clip.frames)), np.empty(len(clip.frames), np.bool_)
    for t, frame in enumerate(clip.frames):
        change = _blocks(frame.astype(np.float32) - clip.reference)
        # In proportion to the bare gel's light, as a lamp that flickers does.
        change -= np.median(change / np.maximum(bare, 1), axis=(0, 1)) * bare
        size = np.sqrt((change**2).mean(axis=2))
        noise = max(np.median(size), ROUNDING)
        growth[t] = np.sqrt((size**2).mean())
        touched[t] = np.partition(size.ravel(), -STRONGEST)[-STRONGEST] > TOUCHED * noise
    return growth, touched


def chosen_frames(
    growth: Floats,
    touched: npt.NDArray[np.bool_],
    count: int = FRAMES,
    rng: np.random.Generator | None = None,
) -> Index:
    """Frames at which the contact has grown by equal steps, from its start to its peak.

    Args:
        growth: [T], from `contact_growth`.
        touched: [T], frames that show a contact; where none does, the whole clip counts as one.
        count: frames to choose; a short clip gives some of them twice.
        rng: shifts each step but the last by up to half of one, in training; None shifts none.

    Returns:
        int64 [count], ascending.
    """
    places = np.flatnonzero(touched) if touched.any() else np.arange(len(growth))
    first, peak = int(places[0]), int(places[np.argmax(growth[places])])
    highest = np.maximum.accumulate(growth[first : peak + 1])
    share = np.linspace(0, 1, count) if count > 1 else np.ones(1)
    if rng is not None:
        share[:-1] += rng.uniform(-0.5, 0.5, count - 1) / max(count - 1, 1)
    wanted = highest[0] + (highest[-1] - highest[0]) * np.clip(np.sort(share), 0, 1)
    return (first + np.searchsorted(highest, wanted - 1e-9)).astype(np.int64)


def numbers(store: Store, column: str) -> Floats:
    """A recorded column of numbers [trials].

    Raises:
        StoreError: there is no such column.
        ContractError: it is hidden truth of a simulator.
        DataError: it holds text.
    """
    values = store.recorded(column)
    if values.dtype.kind == "U":
        raise DataError(f"{column} of {store.path} holds text, such as {values[0]!r}; expected numbers")
    return values.astype(np.float64)


def _only_clip(store: Store, phase: str) -> str:
    found = [
        stream for (stream, moment), spec in store.specs.items() if moment == phase and len(spec.shape) == 4
    ]
    if len(found) != 1:
        raise StoreError(
            f"{store.path} has {', '.join(found) or 'no'} clips at phase {phase!r}; name one stream"
        )
    return found[0]


def _blocks(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Means over square blocks of an image [H, W, 3], without the margin that fills no block."""
    side = max(1, image.shape[1] // ACROSS)
    down, across = (length // side for length in image.shape[:2])
    cells = image[: down * side, : across * side].reshape(down, side, across, side, 3)
    return np.asarray(cells.mean(axis=(1, 3)), np.float32)


def _size(frame: Pixels) -> str:
    return f"{frame.shape[1]}×{frame.shape[0]}"

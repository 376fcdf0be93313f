"""Incipient slip: real recordings of two GelSight Minis while a held object is lifted and shaken.

Layout (github.com/amitparag/Incipient-Slip-Detection, docs/franka-servo/datasets/base_data):

    base_data_for_{training,validation}/<object>/exp_num_<k>/camera_{0,2}.avi   320×240, 25 fps
                                                             slip.txt           present = it slipped
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from visuotactile.datasets.embodiment import Embodiment, streams_of
from visuotactile.datasets.readers.background import Backgrounds
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.video_file import Picture, video_frames
from visuotactile.errors import DataError

CAMERAS = {"tactile_left": "camera_0.avi", "tactile_right": "camera_2.avi"}
VIDEO_RATE = FIRST_SECOND = 25
"""Frames. Later ones show the slip itself, and their number reveals the label (AUROC 0.985)."""

EARLY_FRAME = 2
"""Frame for `before=early`: exposure has settled, but the object is already in contact."""

MIDDLE_FRAME = 12
"""Frame by which gels are compared, and from which backgrounds are estimated."""

RIG_FRAME = 20
RIG_BORDER = 38.0
"""Pixels. Over all trials, the markers are 29–36 apart in one rig and 42–45 in the other."""

_SPLITS = {"base_data_for_training": "train", "base_data_for_validation": "test"}
_WIDEST_VIDEO = 640
"""Pixels; the recordings have 320. All frames of a trial, and one of each recording, are in memory."""


class IncipientSlip:
    """Reader of the incipient slip recordings: 198 trials of 37 objects.

    Streams tactile_left (camera_0) and tactile_right (camera_2). `during` is the clip [T, 240, 320, 3] of
    frames stride, 2·stride … of the first second, without the dark frame 0. No frame without contact was
    recorded: `before` is the gel's background, estimated from training recordings of other objects, or, with
    `before="early"`, frame 2 of the same clip (from which a held object hardly differs). Outcome `slip`;
    columns `official_split` (train, test) and `experiment`. The session is the recording rig, identified by
    the spacing of the gel's markers: the rigs differ in their rate of slip (22% and 65%), so report results
    within them.
    """

    name: ClassVar[str] = "incipient-slip"
    description: ClassVar[str] = "real GelSight Mini clips of held objects, some of which slip (198 trials)"

    def __init__(
        self,
        source: str | os.PathLike[str] | None,
        stride: int = 3,
        before: Literal["background", "early"] = "background",
    ) -> None:
        if source is None:
            raise DataError("incipient-slip needs the folder that holds base_data_for_training")
        if not isinstance(stride, int) or not 1 <= stride < FIRST_SECOND:
            raise DataError(f"stride is {stride!r}, expected a whole number from 1 to {FIRST_SECOND - 1}")
        if before not in ("background", "early"):
            raise DataError(f"before is {before!r}, expected background or early")
        root = Path(source)
        self.settings: Mapping[str, Any] = {"stride": stride, "before": before}
        self._frames = list(range(stride, FIRST_SECOND, stride))
        self._folders = sorted(
            (f for split in _SPLITS for f in root.glob(f"{split}/*/exp_num_*") if f.is_dir()), key=_order
        )
        if not self._folders:
            raise DataError(f"{root} holds no base_data_for_{{training,validation}}/<object>/exp_num_<k>")
        self.names = tuple(
            f"{_SPLITS[f.parents[1].name]}/{f.parent.name}/{f.name.removeprefix('exp_num_')}"
            for f in self._folders
        )

    @cached_property
    def embodiment(self) -> Embodiment:
        """Two tactile fingers, whose motion was not recorded."""
        return Embodiment(
            name="two GelSight Minis",
            streams=streams_of(self.trial(0), VIDEO_RATE / self.settings["stride"]),
            outcomes=("slip",),
        )

    def __len__(self) -> int:
        """Number of trials."""
        return len(self._folders)

    def trial(self, i: int) -> Trial:
        """Decode the first second of both fingers."""
        folder = self._folders[i]
        wanted = sorted({EARLY_FRAME, MIDDLE_FRAME, RIG_FRAME, *self._frames})
        clips = {stream: first_second(folder / file, wanted) for stream, file in CAMERAS.items()}
        at = {frame: place for place, frame in enumerate(wanted)}
        pitch = marker_pitch([clip[at[RIG_FRAME]] for clip in clips.values()])
        during = [at[frame] for frame in self._frames]

        def before(clip: Picture) -> Picture:
            if self.settings["before"] == "early":
                return clip[at[EARLY_FRAME]]
            try:
                return self._backgrounds.estimate(clip[at[MIDDLE_FRAME]], folder.parent.name)
            except DataError as why:
                raise DataError(
                    f"{why}: fetch all recordings, or take the early frame with --options before=early"
                ) from None

        return Trial(
            name=self.names[i],
            streams={
                stream: {"before": before(clip), "during": clip[during]} for stream, clip in clips.items()
            },
            object=folder.parent.name,
            session="rig-32px" if pitch < RIG_BORDER else "rig-45px",
            sensor="GelSight Mini",
            outcomes={"slip": float((folder / "slip.txt").exists())},
            columns={
                "official_split": _SPLITS[folder.parents[1].name],
                "experiment": folder.name.removeprefix("exp_num_"),
            },
        )

    @cached_property
    def _backgrounds(self) -> Backgrounds:
        """Estimator from a frame of each finger of each training recording (69 MB), never of a test one."""
        folders = [f for f in self._folders if _SPLITS[f.parents[1].name] == "train"]
        files = [(folder, file) for folder in folders for file in CAMERAS.values()]
        frames = [first_second(folder / file, [MIDDLE_FRAME])[0] for folder, file in files]
        return Backgrounds(frames, [folder.parent.name for folder, _ in files])


def first_second(path: Path, wanted: Sequence[int]) -> Picture:
    """The `wanted` frames of a video's first second, RGB uint8 [n, H, W, 3].

    A video that is damaged or ends within its first second raises `DataError`.
    """
    frames: list[Picture] = []
    count = 0
    video = video_frames(path, remedy="fetch it again", widest=_WIDEST_VIDEO, formats="avi")
    for picture in itertools.islice(video, FIRST_SECOND):
        if count in wanted:
            frames.append(picture)
        count += 1
    if count < FIRST_SECOND:
        raise DataError(f"{path} ends after {count} frames, expected {FIRST_SECOND} or more; fetch it again")
    return np.stack(frames)


def marker_pitch(images: Sequence[Picture]) -> float:
    """Spacing of the gel's markers in pixels, between 24 and 60: the strongest horizontal period.

    `images` are [H, W, 3]; their spectra are added, since a deep imprint may hide the markers of one finger.
    """
    padded = 1024
    power = np.zeros(padded // 2 + 1)
    for image in images:
        grey = image.mean(2)
        rows = (grey - grey.mean()) * np.hanning(grey.shape[1])
        power += (np.abs(np.fft.rfft(rows, n=padded, axis=1)) ** 2).mean(0)
    period = padded / np.maximum(np.arange(power.size), 1)
    return float(period[np.argmax(np.where((period >= 24) & (period <= 60), power, 0))])


def _order(folder: Path) -> tuple[str, str, int, str]:
    number = folder.name.removeprefix("exp_num_")
    return folder.parents[1].name, folder.parent.name, int(number) if number.isdecimal() else -1, folder.name

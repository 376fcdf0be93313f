"""The Feeling of Success, as recorded: one HDF5 file for each grasp, with depth, force and pose.

The streams are sequences on one clock, `timestamp` [T] in seconds, on which four moments mark the phases:
`time_pre_grasping`, the fingers are open → before; `time_at_grasping`, closed, not lifted yet → during;
`time_post1_grasping`, the lift has begun → lift; `time_post2_grasping`, some seconds later, when the outcome
was judged → after. The frame nearest in time to each is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import POSE, Dimension, Embodiment, Vector, streams_of
from visuotactile.datasets.hdf5 import LARGEST_IMAGE, open_hdf5, plain_dataset, read_text, reading
from visuotactile.datasets.readers.calandra import crop_kinect, merge_truncated, plain_text, zero_or_one
from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError

STREAMS = {
    "rgb": "color_image_KinectA",
    "depth": "depth_image_KinectA",
    "tactile_left": "GelSightA_image",
    "tactile_right": "GelSightB_image",
}
MOMENTS = {
    "before": "time_pre_grasping",
    "during": "time_at_grasping",
    "lift": "time_post1_grasping",
    "after": "time_post2_grasping",
}
LARGEST_GAP = 1.0
"""Seconds. A frame farther from its moment may show another phase, and is refused."""

FORCES = (0.0, 80.0)
"""Newtons; the maximum of the gripper, a WSG 50."""

REACH = 1.5
"""Metres; the reach of the arm, a Sawyer, along an axis from its base."""

_SEQUENCE_BYTES = 2**36
_CLOCK_BYTES = 2**23  # a million frames


class CalandraRaw:
    """Reader of a folder of raw grasps, searched recursively.

    Streams rgb and depth (Kinect A), tactile_left and tactile_right (GelSight A, B) at all four phases;
    action `force` (set_gripping_force) and the end effector's `pose` at the grasp: x, y, z (metres) and yaw
    (angle_of_EE_at_grasping, radians), as recorded; outcome `success`. `crop_rgb` crops the Kinect images as
    the authors did.
    """

    name: ClassVar[str] = "calandra2017-raw"
    description: ClassVar[str] = "The Feeling of Success as recorded, with depth, force and pose"

    def __init__(self, source: str | os.PathLike[str] | None, crop_rgb: bool = False) -> None:
        if source is None:
            raise DataError("calandra2017-raw needs the folder that holds the recorded *.h5 or *.hdf5 files")
        if not isinstance(crop_rgb, bool):
            raise DataError(f"crop_rgb is {crop_rgb!r}, expected true or false")
        root = Path(source)
        self.settings: Mapping[str, Any] = {"crop_rgb": crop_rgb}
        self._files = sorted(file for ending in ("h5", "hdf5") for file in root.rglob(f"*.{ending}"))
        if not self._files:
            raise DataError(f"{root} holds no *.h5 or *.hdf5 file; expected one for each grasp")
        self.names = tuple(str(file.relative_to(root).with_suffix("").as_posix()) for file in self._files)
        self._recorded = [_object(file) for file in self._files]
        self._objects = merge_truncated(self._recorded)

    @cached_property
    def embodiment(self) -> Embodiment:
        """The authors' robot, with the force and the pose that the files hold."""
        return Embodiment(
            name="parallel gripper of The Feeling of Success",
            hand=(Dimension("force", "N", *FORCES),),
            vectors=(
                Vector(
                    POSE,
                    (
                        *(Dimension(axis, "m", -REACH, REACH) for axis in "xyz"),
                        Dimension("yaw", "rad", -2 * math.pi, 2 * math.pi),
                    ),
                ),
            ),
            streams=streams_of(self.trial(0)),
            outcomes=("success",),
        )

    def __len__(self) -> int:
        """Number of trials."""
        return len(self._files)

    def trial(self, i: int) -> Trial:
        """Read the four moments of one grasp."""
        path = self._files[i]
        where = str(path)
        with open_hdf5(path) as file:
            times = _times(file, where)
            frames = _nearest_frames(file, times, where)
            streams = {
                stream: _pick(file, name, len(times), frames, where, depth=stream == "depth")
                for stream, name in STREAMS.items()
            }
            force = _numbers(file, "set_gripping_force", 1, where)
            location = _numbers(file, "location_of_EE_at_grasping", 3, where)
            angle = _numbers(file, "angle_of_EE_at_grasping", 1, where)
            success = zero_or_one(_numbers(file, "is_gripping", 1, where), f"{where}: is_gripping")
        if self.settings["crop_rgb"]:
            for stream in ("rgb", "depth"):
                streams[stream] = {phase: crop_kinect(image) for phase, image in streams[stream].items()}
        return Trial(
            name=self.names[i],
            streams=streams,
            object=self._objects[self._recorded[i]],
            sensor="GelSight",
            outcomes={"success": success},
            action={"force": float(force[0])},
            vectors={POSE: {**dict(zip("xyz", map(float, location), strict=True)), "yaw": float(angle[0])}},
            columns={"recorded_object": self._recorded[i]},
        )


def _object(path: Path) -> str:
    with open_hdf5(path) as file:
        return plain_text(read_text(file, "object_name", str(path)), f"{path}: object_name")


def _times(file: h5py.File, where: str) -> npt.NDArray[np.float64]:
    """Time of each frame, seconds [T]."""
    clock = plain_dataset(file, "timestamp", where, largest=_CLOCK_BYTES)
    if clock.dtype.kind not in "uif":
        raise DataError(f"{where}: timestamp is {clock.dtype}; expected seconds, one for each frame")
    with reading(f"{where}: timestamp"):
        times = np.asarray(clock[()], dtype=np.float64).reshape(-1)
    if not times.size or not np.isfinite(times).all():
        raise DataError(f"{where}: timestamp is empty or holds NaN; expected seconds, one for each frame")
    return times


def _nearest_frames(file: h5py.File, times: npt.NDArray[np.float64], where: str) -> dict[str, int]:
    """Phase → index of the frame nearest in time."""
    frames = {}
    for phase, name in MOMENTS.items():
        moment = _numbers(file, name, 1, where)[0]
        frames[phase] = int(np.argmin(abs(times - moment)))
        gap = abs(times[frames[phase]] - moment)
        if gap > LARGEST_GAP:
            raise DataError(
                f"{where}: the frame nearest to {name} is {gap:.1f} s away, more than {LARGEST_GAP:.0f} s; "
                "the recording has a hole there, so leave this file out"
            )
    return frames


def _pick(
    file: h5py.File, name: str, count: int, frames: Mapping[str, int], where: str, *, depth: bool
) -> dict[str, npt.NDArray[Any]]:
    """One image for each phase from the sequence `name` [T, H, W, 3], or [T, H, W] for depth."""
    sequence = plain_dataset(file, name, where, largest=_SEQUENCE_BYTES)
    kinds = "uint16 or float [T, H, W]" if depth else "uint8 [T, H, W, 3]"
    if depth:
        fits = sequence.ndim == 3 and sequence.dtype in (np.uint16, np.float32, np.float64)
    else:
        fits = sequence.ndim == 4 and sequence.shape[3] == 3 and sequence.dtype == np.uint8
    if not fits:
        raise DataError(f"{where}: {name!r} is {sequence.dtype} {sequence.shape}, expected {kinds}")
    if len(sequence) != count:
        raise DataError(f"{where}: {name!r} has {len(sequence)} frames, but there are {count} time stamps")
    if sequence.nbytes // count > LARGEST_IMAGE:
        raise DataError(f"{where}: {name!r} claims images of {sequence.shape[1:]}; it is damaged")
    with reading(f"{where}: {name!r}"):
        images = {phase: np.asarray(sequence[frame]) for phase, frame in frames.items()}
    if depth and sequence.dtype != np.uint16:
        images = {phase: image.astype(np.float32) for phase, image in images.items()}
    return images


def _numbers(file: h5py.File, name: str, count: int, where: str) -> npt.NDArray[np.float64]:
    dataset = plain_dataset(file, name, where)
    if dataset.size != count or dataset.dtype.kind not in "uifb":
        raise DataError(f"{where}: {name!r} is {dataset.dtype} {dataset.shape}, expected {count} numbers")
    with reading(f"{where}: {name!r}"):
        values = np.asarray(dataset[()], dtype=np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {name!r} holds NaN or infinity")
    return values

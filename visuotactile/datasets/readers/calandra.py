"""The Feeling of Success: grasps with two GelSights and a Kinect, in the shards of the public release.

Calandra et al. 2017, "The Feeling of Success: Does Touch Sensing Help Predict Grasp Outcomes?" (CoRL),
DOI 10.25532/OPARA-700. Layout, written by deepdish: `calandra_corl2017_*.h5`, in each a group /data with
children i0 … iN; a child holds gzipped images uint8 [H, W, 3] and, as attributes, `is_gripping` and
`object_name`. Older loaders fail here: they look for these two among the datasets, or unpickle.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import Embodiment, streams_of
from visuotactile.datasets.hdf5 import child, open_hdf5, read_image, reading
from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError

STREAMS = {"rgb": "kinectA_rgb", "tactile_left": "gelsightA", "tactile_right": "gelsightB"}
PHASES = ("before", "during", "after")

KINECT_CROP = ((0.0644, 0.6056), (0.1348, 0.9755))
"""Rows and columns of the authors' crop of the Kinect image, as fractions of its height and width."""

_CHILD = re.compile(r"i(\d{1,9})")


class Calandra:
    """Reader of the release's 38 shards: 9,296 trials of 106 objects.

    Streams rgb, tactile_left (GelSight A) and tactile_right (B) at before, during and after; outcome
    `success` (is_gripping 4 s after the lift). `crop_rgb` crops the Kinect image as the authors did.
    Truncated object names are completed (`merge_truncated`); the column `recorded_object` keeps the name in
    the file. These shards have no action, force or pose: see calandra2017-raw.
    """

    name: ClassVar[str] = "calandra2017"
    description: ClassVar[str] = (
        "The Feeling of Success: grasps with two GelSights and a Kinect (9,296 trials)"
    )

    def __init__(self, source: str | os.PathLike[str] | None, crop_rgb: bool = False) -> None:
        if source is None:
            raise DataError("calandra2017 needs the folder that holds calandra_corl2017_000.h5 …")
        if not isinstance(crop_rgb, bool):
            raise DataError(f"crop_rgb is {crop_rgb!r}, expected true or false")
        self.settings: Mapping[str, Any] = {"crop_rgb": crop_rgb}
        files = sorted(Path(source).glob("*.h5"))
        if not files:
            raise DataError(f"{source} holds no *.h5 file; expected calandra_corl2017_000.h5 …")
        self._trials = [(file, *found) for file in files for found in _scan(file)]
        self.names = tuple(f"{file.stem}/{key}" for file, key, _, _ in self._trials)
        self._objects = merge_truncated(recorded for _, _, recorded, _ in self._trials)

    @cached_property
    def embodiment(self) -> Embodiment:
        """The authors' robot, with the streams and the outcome that the shards hold."""
        return Embodiment(
            name="parallel gripper of The Feeling of Success",
            streams=streams_of(self.trial(0)),
            outcomes=("success",),
        )

    def __len__(self) -> int:
        """Number of trials."""
        return len(self._trials)

    def trial(self, i: int) -> Trial:
        """Read the nine images of one trial."""
        path, key, recorded, success = self._trials[i]
        with open_hdf5(path) as file:
            group = child(child(file, "data", h5py.Group, str(path)), key, h5py.Group, f"{path}: data")
            streams = {
                stream: {
                    phase: read_image(group, f"{prefix}_{phase}", f"{path}: data/{key}") for phase in PHASES
                }
                for stream, prefix in STREAMS.items()
            }
        if self.settings["crop_rgb"]:
            streams["rgb"] = {phase: crop_kinect(image) for phase, image in streams["rgb"].items()}
        return Trial(
            name=self.names[i],
            streams=streams,
            object=self._objects[recorded],
            sensor="GelSight",
            outcomes={"success": success},
            columns={"recorded_object": recorded},
        )


def merge_truncated(names: Iterable[str]) -> dict[str, str]:
    """Name → the only other name that begins with it, or itself where there is none, or several."""
    unique = sorted(set(names))
    merged = {}
    for i, name in enumerate(unique):
        # What begins with a name stands right behind it.
        longer = [other for other in unique[i + 1 : i + 3] if other.startswith(name)]
        merged[name] = longer[0] if len(longer) == 1 else name
    return merged


def crop_kinect(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The authors' crop of a Kinect image [H, W, 3]: the table top."""
    rows, columns = (
        slice(round(low * length), max(round(high * length), round(low * length) + 1))
        for (low, high), length in zip(KINECT_CROP, image.shape, strict=False)
    )
    return image[rows, columns]


def plain_text(value: Any, where: str) -> str:
    """A name as deepdish wrote it: bytes or text, never a pickled object."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "SU":
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{where} is {value[:20]!r}, expected a name in plain text") from None
    if not isinstance(value, str) or not value.strip() or not value.strip().isprintable():
        raise DataError(f"{where} is {str(value)[:40]!r}, expected a name in plain text")
    return value.strip()


def zero_or_one(value: Any, where: str) -> float:
    """A label, 0 or 1."""
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "uifb" or number.reshape(()) not in (0, 1):
        raise DataError(f"{where} is {str(value)[:40]!r}, expected 0 or 1")
    return float(number.reshape(()))


def _scan(path: Path) -> list[tuple[str, str, float]]:
    """Key, recorded object and success of each trial in a shard, by number: h5py lists i0, i1, i10."""
    with open_hdf5(path) as file:
        data = child(file, "data", h5py.Group, str(path))
        with reading(f"{path}: data"):
            keys = list(data)
        strange = [key for key in keys if not _CHILD.fullmatch(key)]
        if strange or not keys:
            found = f"a member {strange[0]!r}" if strange else "nothing"
            raise DataError(f"{path}: /data holds {found}; expected trials i0, i1 …")
        trials = []
        for key in sorted(keys, key=lambda key: (int(key[1:]), key)):
            where = f"{path}: data/{key}"
            group = child(data, key, h5py.Group, f"{path}: data")
            name = plain_text(_attribute(group, "object_name", where), f"{where}: object_name")
            success = zero_or_one(_attribute(group, "is_gripping", where), f"{where}: is_gripping")
            trials.append((key, name, success))
    return trials


def _attribute(group: h5py.Group, name: str, where: str) -> Any:
    with reading(f"{where}: attribute {name}"):
        if name not in group.attrs:
            raise DataError(f"{where} has no attribute {name!r}; it is not of the public release's layout")
        kind = group.attrs.get_id(name)
        # Text of variable length is refused unread: HDF5 never returns from a damaged heap.
        if kind.dtype.kind not in "uifbS" or kind.dtype.itemsize * math.prod(kind.shape) > 4096:
            raise DataError(
                f"{where}: attribute {name} is {kind.dtype} {kind.shape}, expected a number or short text of "
                "fixed length (np.bytes_)"
            )
        return group.attrs[name]

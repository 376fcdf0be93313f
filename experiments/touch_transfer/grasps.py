"""The real grasps of `wkoa/slip_detection` as a store: 67 grasps of 8 objects, one GelSight.

SOURCE/labels.csv names for each frame `tactile`, `rgb`, `object`, `grasp`, `stable` (1 held), `opening` and
`frame`; 0 is the key frame, where the fingers close upon the object.

`during` is the key frame, `lift` the last one (15). No bare gel was recorded: `before` is the median over
frames of grasps of the *other* objects, so that no image of the grasp's object is in it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.errors import DataError
from visuotactile.files import sha256_file

FIRST, LAST = 0, 15
BARE = (-5, 0, 5, 10, 15)
"""Frames of each grasp of another object that the bare gel is estimated from."""

SIZE = (128, 96)
"""Width and height in pixels."""

Picture = npt.NDArray[np.uint8]


def grasps_store(source: Path, path: Path) -> Store:
    """Write the store, or open it where it is finished.

    Raises:
        DataError: SOURCE/labels.csv is missing, or lacks a frame.
    """
    rows = _labels(source)
    names = list(dict.fromkeys(row["grasp"] for row in rows))
    frames = {(row["grasp"], int(row["frame"])): row for row in rows}
    objects = {row["grasp"]: row["object"] for row in rows}

    def read(name: str, frame: int) -> Picture:
        if (name, frame) not in frames:
            raise DataError(f"{source}/labels.csv has no frame {frame} of grasp {name!r}; copy the set again")
        with Image.open(source / frames[name, frame]["tactile"]) as image:
            return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BOX))

    bare: dict[str, Picture] = {}

    def trial(name: str) -> Trial:
        mine = objects[name]
        if mine not in bare:
            others = [read(each, frame) for each in names if objects[each] != mine for frame in BARE]
            bare[mine] = np.median(np.stack(others), axis=0).astype(np.uint8)
        row = frames[name, FIRST]
        return Trial(
            name=name,
            streams={
                "tactile": {"before": bare[mine], "during": read(name, FIRST), "lift": read(name, LAST)}
            },
            object=mine,
            sensor="GelSight",
            outcomes={"stable": float(row["stable"])},
            columns={"opening": float(row["opening"])},
        )

    def make(indices: Sequence[int]) -> Iterator[Trial]:
        return (trial(names[i]) for i in indices)

    return write_store(
        path,
        make,
        dataset="wkoa-grasps",
        source=str(source),
        settings={"size": SIZE, "frames": [FIRST, LAST], "labels": sha256_file(source / "labels.csv")},
        names=names,
        example=trial(names[0]),
    )


def _labels(source: Path) -> list[dict[str, str]]:
    path = source / "labels.csv"
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the folder with labels.csv, tactile/ and rgb/")
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

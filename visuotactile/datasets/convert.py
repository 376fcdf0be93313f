"""Conversion of a public dataset, or your own folder, to a store."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from visuotactile.datasets.fill import fill
from visuotactile.datasets.readers import open_reader
from visuotactile.datasets.readers.folder import Folder
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import check_text
from visuotactile.errors import DataError


def convert(
    dataset: str,
    source: str | os.PathLike[str] | None,
    store: str | os.PathLike[str],
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    estimate_before: Literal["sensor", "session"] | None = None,
    options: Mapping[str, Any] | None = None,
    shard_trials: int | None = None,
    jobs: int = 1,
    append: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Store:
    """Convert a public dataset, or your own folder of recordings, to a store.

    Args:
        dataset: name of the dataset: calandra2017, calandra2017-raw, incipient-slip, folder or shapes.
        source: folder of the recordings; shapes is built in and has none.
        store: folder to make, or to continue.
        name: name of your own dataset in reports; by default folder.
        size: height and width in pixels to which every image and clip is resized.
        estimate_before: estimate the missing frame without contact of your own recordings from those of
            other objects by the same sensor, or in the same session, without labels.
        options: options of the dataset's reader, such as crop_rgb=true; of your own clips frames=8, evenly
            spaced, or frames=8 stride=3 for every third from the first on.
        shard_trials: trials in each file of the store; by default as many as make a file of about 128 MB.
        jobs: trials to read at once.
        append: add the recordings that a finished store of the same settings lacks.
        overwrite: replace a finished store.
        progress: show a progress bar.

    Raises:
        DataError: the recordings are not in the dataset's format; of your own, everything that is wrong is
            listed before the first is converted.
        OutputExistsError: a finished store was made with other settings; to append needs the same.
    """
    if size is not None and (len(size) != 2 or not all(isinstance(n, int) and 1 <= n <= 8192 for n in size)):
        raise DataError(f"size is {size!r}, expected height and width in pixels, such as (224, 224)")
    own = dataset == Folder.name
    if not own and (name is not None or estimate_before is not None):
        given = "name" if name is not None else "estimate_before"
        raise DataError(f"{given} is for your own recordings (dataset folder), and {dataset} is not")
    if append and overwrite:
        raise DataError("append adds to a store, and overwrite replaces it; give one of them")
    if name is not None:
        check_text(name, "the name of a dataset", empty=False)
    given_options = {**(options or {}), **({"estimate_before": estimate_before} if estimate_before else {})}
    reader = open_reader(dataset, source, given_options)
    if isinstance(reader, Folder):
        for note in reader.notes:
            print(f"note: {note}", file=sys.stderr)
        reader.check(size, progress=progress)
    return fill(
        reader,
        store,
        name=name,
        source="" if source is None else str(Path(source).resolve()),
        size=size,
        shard_trials=shard_trials,
        jobs=jobs,
        append=append,
        overwrite=overwrite,
        progress=progress,
    )

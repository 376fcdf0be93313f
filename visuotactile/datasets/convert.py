"""Conversion of a public dataset, or your own folder, to a store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visuotactile.datasets.fill import fill
from visuotactile.datasets.readers import open_reader
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError


def convert(
    dataset: str,
    source: str | os.PathLike[str] | None,
    store: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    options: Mapping[str, Any] | None = None,
    shard_trials: int | None = None,
    jobs: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> Store:
    """Convert a public dataset, or your own folder of recordings, to a store.

    Args:
        dataset: name of the dataset: calandra2017, calandra2017-raw, incipient-slip, folder or shapes.
        source: folder of the recordings; shapes is built in and has none.
        store: folder to make, or to continue.
        size: height and width in pixels to which every image and clip is resized.
        options: options of the dataset's reader, such as crop_rgb=true.
        shard_trials: trials in each file of the store; by default as many as make a file of about 128 MB.
        jobs: trials to read at once.
        overwrite: replace a finished store.
        progress: show a progress bar.

    Raises:
        DataError: the recordings are not in the dataset's format.
    """
    if size is not None and (len(size) != 2 or not all(isinstance(n, int) and 1 <= n <= 8192 for n in size)):
        raise DataError(f"size is {size!r}, expected height and width in pixels, such as (224, 224)")
    return fill(
        open_reader(dataset, source, options),
        store,
        source="" if source is None else str(Path(source).resolve()),
        size=size,
        shard_trials=shard_trials,
        jobs=jobs,
        overwrite=overwrite,
        progress=progress,
    )

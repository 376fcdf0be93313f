"""From a public dataset, or your own folder, to a store."""

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
    """Read all trials of `dataset` at `source` into a store, and open it.

    `size` (H, W) resizes every uint8 image and clip, antialiased; `options` go to the reader; the rest is
    as `fill` has it. Raises `DataError` over the recordings.
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

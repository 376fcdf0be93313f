"""From a public dataset, or your own folder, to a store."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from visuotactile.datasets.readers import Reader, open_reader
from visuotactile.datasets.shard import Layout
from visuotactile.datasets.store import INDEX, Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import SHARD_TRIALS, write_store
from visuotactile.errors import DataError

SHARD_BYTES = 128 * 2**20
"""A killed conversion loses at most one shard, so trials that hold clips get fewer to a shard."""


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

    `size` (H, W) resizes every uint8 image and clip, antialiased; `options` go to the reader; `jobs`
    trials are read at once, through joblib's current backend. Killed at any moment and started again it
    continues, and the result has the same bytes. One trial a job is in memory. Raises `DataError` over the
    recordings, `StoreError` over an unfinished store begun with other settings, `OutputExistsError` over
    a finished one; a finished store with these very settings is opened as it is.
    """
    if size is not None and (len(size) != 2 or not all(isinstance(n, int) and 1 <= n <= 8192 for n in size)):
        raise DataError(f"size is {size!r}, expected height and width in pixels, such as (224, 224)")
    reader = open_reader(dataset, source, options)
    example = _read(reader, 0, size)
    if shard_trials is None:
        nbytes = sum(spec.nbytes for spec in Layout.of(example).arrays.values())
        shard_trials = max(1, min(SHARD_TRIALS, SHARD_BYTES // nbytes))
    console = Console(stderr=True, quiet=not progress)
    finished = (Path(store) / INDEX).exists() and not overwrite
    with _bar(console) as bar:
        task = bar.add_task(dataset, total=len(reader), rate="", visible=not finished)
        began, made = time.perf_counter(), 0

        def make(indices: range) -> Iterator[Trial]:
            nonlocal made
            for i, trial in zip(indices, _read_many(reader, indices, size, jobs), strict=True):
                yield trial
                made += 1
                rate = made / (time.perf_counter() - began)
                bar.update(task, completed=i + 1, rate=f"{rate:.1f} trials/s")

        result = write_store(
            store,
            make,
            dataset=dataset,
            source="" if source is None else str(Path(source).resolve()),
            settings={"size": size and list(size), **reader.settings},
            names=reader.names,
            example=example,
            shard_trials=shard_trials,
            overwrite=overwrite,
        )
        bar.update(task, completed=len(reader))
    if finished:
        console.print(f"{store} is finished already: {len(result)} trials of {dataset}")
    return result


def _bar(console: Console) -> Progress:
    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=console.quiet)


def _read_many(reader: Reader, indices: range, size: tuple[int, int] | None, jobs: int) -> Iterator[Trial]:
    if jobs == 1:
        yield from (_read(reader, i, size) for i in indices)
        return
    # joblib reads on while the writer is busy; given a few trials at a time, its memory stays flat.
    with joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1) as parallel:
        step = 4 * joblib.effective_n_jobs(jobs)
        for start in range(indices.start, indices.stop, step):
            some = range(start, min(start + step, indices.stop))
            yield from parallel(joblib.delayed(_read)(reader, i, size) for i in some)


def _read(reader: Reader, i: int, size: tuple[int, int] | None) -> Trial:
    trial = reader.trial(i)
    if size is None:
        return trial
    streams = {
        stream: {phase: resize(array, size) for phase, array in phases.items()}
        for stream, phases in trial.streams.items()
    }
    return dataclasses.replace(trial, streams=streams)


def resize(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """A uint8 image [H, W, C] or clip [T, H, W, C] at `size` (H, W), antialiased; others as they are."""
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-3:-1] == size:
        return array
    images = array.reshape(-1, *array.shape[-3:])
    out = np.empty((len(images), *size, array.shape[-1]), np.uint8)
    for image, resized in zip(images, out, strict=True):
        if image.shape[-1] == 3:
            resized[:] = _pillow(image, size)
            continue
        for channel in range(image.shape[-1]):
            resized[..., channel] = _pillow(image[..., channel], size)
    return out.reshape(*array.shape[:-3], *size, array.shape[-1])


def _pillow(image: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))

"""Filling of a store with the trials of a reader: recordings, or a simulation."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.readers import Reader
from visuotactile.datasets.shard import Layout, Placed, Slot
from visuotactile.datasets.store import INDEX, Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import SHARD_TRIALS, place_store
from visuotactile.parallel import parallel
from visuotactile.progress import ProgressBar

SHARD_BYTES = 128 * 2**20
"""Bytes. A killed run loses at most one shard, so trials with clips get smaller shards."""

AHEAD_TRIALS = 100
"""Trials that workers may run ahead of the first unfinished one."""

AHEAD_SHARDS = 8
"""Shards, for the same."""


def fill(
    reader: Reader,
    store: str | os.PathLike[str],
    *,
    source: str = "",
    name: str | None = None,
    size: tuple[int, int] | None = None,
    shard_trials: int | None = None,
    together: int = 1,
    jobs: int = 1,
    overwrite: bool = False,
    append: bool = False,
    progress: bool = True,
) -> Store:
    """Write all trials of `reader` into a store, and open it.

    Memory use is constant. A killed run continues when started again, and the result has the same bytes for
    any number of workers. A finished store with the same settings is opened as it is.

    Args:
        reader: reader of the trials, whose errors pass through.
        store: folder to make, or to continue.
        source: path of the recordings, for store.json.
        name: name of the dataset; by default the reader's, or that of the store to append to.
        size: (H, W) to which every uint8 image and clip is resized, antialiased.
        shard_trials: trials in each file; by default `SHARD_TRIALS`, or as many as make `SHARD_BYTES`.
        together: neighbouring trials that one worker makes more cheaply than several.
        jobs: number of workers, through joblib's current backend.
        overwrite: replace a store with other settings.
        append: add the trials that a finished store of the same settings lacks, behind its own.
        progress: show a progress bar.

    Raises:
        StoreError: an unfinished store was begun with other settings.
        OutputExistsError: a finished store was made with other settings, or of other trials.
        ContractError: a trial does not match the reader's embodiment.
    """
    if append:
        existing = Store(store)
        name, reader = name or existing.name, Lacking(reader, existing)
        if not len(reader):
            print(f"{store} has all {len(existing)} trials already; nothing is appended", file=sys.stderr)
            return existing
    example = _read(reader, 0, size)
    nbytes = sum(spec.nbytes for spec in Layout.of(example).arrays.values())
    if shard_trials is None:
        shard_trials = min(SHARD_TRIALS, SHARD_BYTES // nbytes)
        shard_trials = max(together, shard_trials - shard_trials % together)
    begun_at_once = AHEAD_SHARDS * shard_trials
    finished = (Path(store) / INDEX).exists() and not overwrite and not append
    with ProgressBar("{task.fields[rate]}", show=progress) as bar:
        task = bar.add_task(name or reader.name, total=len(reader), rate="", visible=not finished)
        began, made = time.perf_counter(), 0

        def place(slots: Iterator[Slot], indices: Sequence[int]) -> Iterator[Placed]:
            nonlocal made
            # Each shard that is begun is an open file.
            ahead = max(4 * jobs, min(AHEAD_TRIALS, begun_at_once) // together)
            for i, row in zip(indices, _place_all(reader, slots, size, together, jobs, ahead), strict=True):
                yield row
                made += 1
                rate = made / (time.perf_counter() - began)
                bar.update(task, completed=i + 1, rate=f"{rate:.1f} trials/s")

        result = place_store(
            store,
            place,
            dataset=name or reader.name,
            source=source,
            settings={"size": size and list(size), **reader.settings},
            names=reader.names,
            example=example,
            embodiment=_resized_declaration(reader.embodiment, size),
            shard_trials=shard_trials,
            overwrite=overwrite,
            append=append,
        )
        bar.update(task, completed=len(reader))
    if finished:
        bar.line(f"{store} is finished already: {len(result)} trials of {result.name}")
    return result


class Lacking:
    """Reader of the trials of another reader that a store lacks."""

    name: ClassVar[str] = "lacking"
    description: ClassVar[str] = "trials that a store lacks"

    def __init__(self, reader: Reader, store: Store) -> None:
        known = set(store.names.tolist())
        self._reader = reader
        self._rows = [i for i, name in enumerate(reader.names) if name not in known]
        self.names = tuple(reader.names[i] for i in self._rows)
        self.settings, self.embodiment = reader.settings, reader.embodiment

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.names)

    def trial(self, i: int) -> Trial:
        """Read trial `i` of those that are lacking."""
        return self._reader.trial(self._rows[i])


def _place_all(
    reader: Reader, slots: Iterator[Slot], size: tuple[int, int] | None, together: int, jobs: int, ahead: int
) -> Iterator[Placed]:
    if jobs == 1:
        while some := [*itertools.islice(slots, together)]:
            yield from _place(reader, some, size)
        return
    # Two windows of jobs at a time: few shards are open, and workers do not wait for the end of a window.
    windows: deque[Iterator[list[Placed]]] = deque()
    while window := [some for _ in range(ahead) if (some := [*itertools.islice(slots, together)])]:
        windows.append(parallel(jobs, _place, [(reader, some, size) for some in window]))
        if len(windows) == 2:
            yield from itertools.chain.from_iterable(windows.popleft())
    for rest in windows:
        yield from itertools.chain.from_iterable(rest)


def _place(reader: Reader, slots: list[Slot], size: tuple[int, int] | None) -> list[Placed]:
    return [slot.put(_read(reader, slot.index, size)) for slot in slots]


def _read(reader: Reader, i: int, size: tuple[int, int] | None) -> Trial:
    trial = reader.trial(i)
    return trial if size is None else _resized(trial, size)


def _resized(trial: Trial, size: tuple[int, int]) -> Trial:
    streams = {
        stream: {phase: resize(array, size) for phase, array in phases.items()}
        for stream, phases in trial.streams.items()
    }
    return dataclasses.replace(trial, streams=streams)


def _resized_declaration(embodiment: Embodiment | None, size: tuple[int, int] | None) -> Embodiment | None:
    if embodiment is None or size is None:
        return embodiment
    streams = [
        dataclasses.replace(
            stream,
            shapes={phase: (*shape[:-3], *size, shape[-1]) for phase, shape in stream.shapes.items()},
        )
        if stream.kind == "image"
        else stream
        for stream in embodiment.streams
    ]
    return dataclasses.replace(embodiment, streams=tuple(streams))


def resize(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize a uint8 image [H, W, C] or clip [T, H, W, C] to `size` (H, W), antialiased; others unchanged."""
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

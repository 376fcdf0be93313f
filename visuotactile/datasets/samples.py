"""The images and sounds of a store as training samples: each frame of each sensor of each trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, StoreError

Index = npt.NDArray[np.int64]
UNLABELLED = -1


@dataclass(frozen=True)
class Samples:
    """Index of the samples, without their pixels. All arrays are int64 `[N]`.

    Attributes:
        store: store of the images.
        streams: names of the sensors.
        phase: phase of the images.
        reference: phase that is subtracted, or None.
        trial: row of the store.
        stream: index into `streams`.
        frame: frame of the clip, 0 for a single image.
        contact: number of the (trial, sensor) pair: one touch by one sensor, all frames.
        recording: group of near-duplicates, which would be false negatives of one another.
        label: class of the trial, `UNLABELLED` where there is none.
    """

    store: Store
    streams: tuple[str, ...]
    phase: str
    reference: str | None
    trial: Index
    stream: Index
    frame: Index
    contact: Index
    recording: Index
    label: Index

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.trial)

    def read(self, chosen: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Images uint8 `[n, H, W, 3]` of the chosen samples and, if any, their references alike; sounds int16
        `[n, samples, microphones]`."""
        rows = np.asarray(chosen)
        images = self._gather(self.phase, rows, self.frame)
        if self.reference is None:
            return images, None
        return images, self._gather(self.reference, rows, np.zeros_like(self.frame))

    def _gather(self, phase: str, rows: Index, frames: Index) -> npt.NDArray[Any]:
        first = self.store.specs[self.streams[0], phase]
        is_clip = len(first.shape) == 4
        images = np.empty((len(rows), *first.shape[-3:]), first.dtype)
        for number, name in enumerate(self.streams):
            places = np.flatnonzero(self.stream[rows] == number)
            if len(places):
                picked = frames[rows[places]] if is_clip else None
                images[places] = self.store.read(name, phase, self.trial[rows[places]], picked)
        return images


def find_samples(
    store: Store,
    streams: Sequence[str],
    phase: str,
    reference: str | None,
    trials: npt.ArrayLike | None = None,
    *,
    recording: str = "trial",
    label: str | None = None,
) -> Samples:
    """Index of every image or sound of `streams` at `phase` in `trials` (all by default).

    Args:
        store: store of the images.
        streams: sensors whose images have one shape, so that they can share a batch.
        phase: phase of a single image or a clip, each frame of which becomes a sample.
        reference: phase whose first image is subtracted from every frame, or None.
        trials: rows of the store `[n]`.
        recording: unit whose samples are near-duplicates: "trial", or a column such as "object".
        label: column whose values become classes 0, 1, … in sorted order, or None.

    Raises:
        StoreError: a stream, phase or column is missing, or the shapes differ.
        ContractError: `recording` or `label` is hidden truth of a simulator.
        DataError: nothing is left, or a recording is neither an RGB image nor a sound.
    """
    shapes = set()
    for name in streams:
        for moment in (phase, *([reference] if reference else [])):
            spec = store.spec(name, moment)
            image = spec.dtype == np.uint8 and len(spec.shape) in (3, 4) and spec.shape[-1] == 3
            sound = spec.dtype == np.int16 and len(spec.shape) == 2 and reference is None
            if not (image or sound):
                raise DataError(
                    f"{name}/{moment} of {store.path} is {spec.dtype} {spec.shape}; "
                    "expected RGB images, uint8 [H, W, 3], or sound, int16 [samples, microphones], alone"
                )
            shapes.add(spec.shape[-3:])
    if len(shapes) > 1:
        raise StoreError(
            f"{store.path}: the images of {', '.join(streams)} have the shapes {sorted(shapes)}; "
            "expected one shape: convert with --size, or take one stream"
        )
    rows = np.arange(len(store)) if trials is None else np.asarray(trials, dtype=np.int64)
    if not len(rows) or not len(streams):
        raise DataError(
            f"no samples: {len(rows)} trials of {store.path} and {len(streams)} streams were chosen"
        )
    lengths = {
        store.specs[name, phase].shape[0] if len(store.specs[name, phase].shape) == 4 else 1
        for name in streams
    }
    if len(lengths) > 1:
        raise StoreError(f"{store.path}: the clips of {', '.join(streams)} differ in length; take one stream")
    trial, stream, frame = (
        grid.ravel()
        for grid in np.meshgrid(rows, np.arange(len(streams)), np.arange(lengths.pop()), indexing="ij")
    )
    numbers = np.arange(len(store)) if recording == "trial" else _codes(store.recorded(recording))
    labels = np.full(len(store), UNLABELLED) if label is None else class_labels(store, label)[0]
    return Samples(
        store=store,
        streams=tuple(streams),
        phase=phase,
        reference=reference,
        trial=trial,
        stream=stream,
        frame=frame,
        contact=trial * len(streams) + stream,
        recording=numbers[trial],
        label=labels[trial],
    )


def class_labels(store: Store, column: str) -> tuple[Index, npt.NDArray[Any]]:
    """Class numbers `[trials]` of a column, and the sorted values of the classes.

    A trial without a value (an empty text, NaN) is `UNLABELLED`.

    Raises:
        ContractError: the column is hidden truth of a simulator.
    """
    found = store.recorded(column)
    known = has_value(found)
    values, codes = np.unique(found[known], return_inverse=True)
    labels = np.full(len(store), UNLABELLED, np.int64)
    labels[known] = codes
    return labels, values


def has_value(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """True where a column's value is neither an empty text nor NaN, which stand for "not recorded"."""
    return np.asarray(values != "" if values.dtype.kind == "U" else ~np.isnan(values), np.bool_)


def group_numbers(store: Store, group: str | None) -> Index:
    """Group number of each trial [trials]: trials agree in the columns that `group` joins by +.

    Raises:
        StoreError: there is no such column.
        ContractError: a column is hidden truth of a simulator.
    """
    if group is None:
        return np.arange(len(store))
    columns = [np.unique(store.recorded(name), return_inverse=True)[1] for name in group.split("+")]
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].astype(np.int64)


def _codes(values: npt.NDArray[Any]) -> Index:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)

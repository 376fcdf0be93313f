"""One file of a store: some hundred trials, written row by row, and checked in full before it is read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.hdf5 import child, open_hdf5, plain_dataset, reading
from visuotactile.datasets.trial import DTYPES, Trial
from visuotactile.errors import StoreError
from visuotactile.files import atomic_path

Key = tuple[str, str]
"""A stream and a phase."""

TEXT_COLUMNS = ("name", "object", "session", "sensor")


@dataclass(frozen=True)
class ArraySpec:
    """What one trial holds for one stream and phase."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of one trial."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """What all trials of a store have in common: arrays, and the names and kinds of their table columns."""

    arrays: Mapping[Key, ArraySpec]
    columns: Mapping[str, str]
    """Column path, such as 'outcome/success' → 'text' or 'number'."""

    @classmethod
    def of(cls, trial: Trial) -> Layout:
        """The layout that `trial` has."""
        arrays = {
            (stream, phase): ArraySpec(array.shape, array.dtype.newbyteorder("<"))
            for stream, phases in sorted(trial.streams.items())
            for phase, array in sorted(phases.items())
        }
        columns = {
            f"{group}/{key}": "text" if isinstance(value, str) else "number"
            for group, values in trial.table().items()
            for key, value in sorted(values.items())
        }
        return cls(arrays, dict.fromkeys(TEXT_COLUMNS, "text") | columns)

    def to_json(self) -> dict[str, Any]:
        """As it stands in store.json."""
        arrays = [
            {"stream": stream, "phase": phase, "shape": list(spec.shape), "dtype": spec.dtype.name}
            for (stream, phase), spec in self.arrays.items()
        ]
        return {"arrays": arrays, "columns": dict(self.columns)}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Layout:
        """Read back what `to_json` wrote; anything else raises `StoreError`."""
        try:
            arrays = {}
            for item in value["arrays"]:
                shape, dtype = tuple(item["shape"]), item["dtype"]
                named = [known for known in DTYPES if known.name == dtype]
                if not named or not shape or not all(type(n) is int and n > 0 for n in shape):
                    raise ValueError(f"array {item!r}")
                arrays[(str(item["stream"]), str(item["phase"]))] = ArraySpec(shape, named[0])
            columns = {str(name): str(kind) for name, kind in value["columns"].items()}
            if not arrays or set(columns.values()) - {"text", "number"} or set(TEXT_COLUMNS) - set(columns):
                raise ValueError("arrays or columns missing")
        except (KeyError, TypeError, ValueError, AttributeError) as why:
            raise StoreError(f"{where}: its layout is damaged ({why!r}); convert again") from None
        return cls(arrays, columns)

    def check(self, trial: Trial) -> None:
        """Raise `StoreError`, naming `trial` and the first difference, unless it has this very layout."""
        other = Layout.of(trial)
        if other == self:
            return
        mine, theirs = self._parts(), other._parts()
        part = next(part for part in [*mine, *theirs] if mine.get(part) != theirs.get(part))
        raise StoreError(
            f"trial {trial.name!r}: {part} is {theirs.get(part, 'absent')}, but "
            f"{mine.get(part, 'absent')} in the first trial; all trials of a store must agree"
        )

    def _parts(self) -> dict[str, str]:
        arrays = {"/".join(key): f"{spec.dtype} {spec.shape}" for key, spec in self.arrays.items()}
        return arrays | {f"column {name}": kind for name, kind in self.columns.items()}


@dataclass(frozen=True)
class Shard:
    """A checked shard: where each array starts in the file, and its table."""

    path: Path
    count: int
    size: int
    offsets: Mapping[Key, int]
    table: Mapping[str, npt.NDArray[Any]]


def write_shard(path: Path, layout: Layout, names: list[str], trials: Iterable[Trial]) -> None:
    """Write exactly the trials `names`, in that order, to `path`, which appears only when it is whole.

    One trial at a time is in memory. The bytes depend on the trials alone: no time stamps, one library
    format. That format (HDF5 1.10) also has checksums over everything but the pixels.
    """
    count = len(names)
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver=("v110", "v110")) as file:
        arrays = {key: _create(file, "/".join(key), count, spec) for key, spec in layout.arrays.items()}
        rows: dict[str, list[Any]] = {name: [] for name in layout.columns}
        done = 0
        for done, trial in enumerate(trials, start=1):
            layout.check(trial)
            if done > count or trial.name != names[done - 1]:
                expected = names[done - 1] if done <= count else "no more trials"
                raise StoreError(f"trial {trial.name!r} came where {expected!r} was announced")
            for (stream, phase), dataset in arrays.items():
                dataset[done - 1] = trial.streams[stream][phase]
            values = {name: getattr(trial, name) for name in TEXT_COLUMNS}
            for group, items in trial.table().items():
                values.update({f"{group}/{key}": value for key, value in items.items()})
            for name, value in values.items():
                rows[name].append(value)
        if done != count:
            raise StoreError(f"{path.name} was given {done} trials, {count} were announced")
        for name, kind in layout.columns.items():
            if kind == "text":
                column = np.char.encode(np.array(rows[name], dtype=str), "utf-8")
                column = column.astype(f"S{max(column.dtype.itemsize, 1)}")
            else:
                column = np.array(rows[name], dtype="<f8")
            file.create_dataset(f"table/{name}", data=column, track_times=False)


def _create(file: h5py.File, name: str, count: int, spec: ArraySpec) -> h5py.Dataset:
    return file.create_dataset(
        name, (count, *spec.shape), spec.dtype, chunks=None, track_times=False, fill_time="never"
    )


def read_shard(path: Path, layout: Layout, count: int) -> Shard:
    """Open and check a shard of `count` trials; a truncated, altered or foreign one raises `StoreError`.

    Every array must lie, whole, between the start and the end of the file: only then may it be mapped
    into memory, where reading past the end would kill the process.
    """
    where = str(path)
    with open_hdf5(path, StoreError) as file:
        size = os.path.getsize(path)
        offsets = {}
        for (stream, phase), spec in layout.arrays.items():
            dataset = plain_dataset(
                child(file, stream, h5py.Group, where, StoreError), phase, where, StoreError, largest=None
            )
            offsets[(stream, phase)] = _offset(dataset, (count, *spec.shape), spec.dtype, size, where)
        group = child(file, "table", h5py.Group, where, StoreError)
        table = {name: _column(group, name, kind, count, where) for name, kind in layout.columns.items()}
    return Shard(path, count, size, offsets, table)


def _offset(
    dataset: h5py.Dataset, shape: tuple[int, ...], dtype: np.dtype[Any], size: int, where: str
) -> int:
    if dataset.shape != shape or dataset.dtype != dtype:
        raise StoreError(
            f"{where}: {dataset.name} is {dataset.dtype} {dataset.shape}, but store.json says {dtype} "
            f"{shape}; convert again"
        )
    with reading(where, StoreError):
        contiguous = dataset.id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS
        offset = dataset.id.get_offset() if contiguous else None
    if offset is None or offset < 0 or offset + dataset.nbytes > size:
        raise StoreError(
            f"{where}: {dataset.name} does not lie whole in the file ({size} bytes); the shard is truncated "
            "or was not written by this program; delete it and convert again"
        )
    return int(offset)


def _column(group: h5py.Group, path: str, kind: str, count: int, where: str) -> npt.NDArray[Any]:
    *parents, leaf = path.split("/")
    for parent in parents:
        group = child(group, parent, h5py.Group, where, StoreError)
    dataset = plain_dataset(group, leaf, f"{where}: table/{path}", StoreError)
    if dataset.shape != (count,) or (dataset.dtype.kind == "S") != (kind == "text"):
        raise StoreError(
            f"{where}: table/{path} is {dataset.dtype} {dataset.shape}, expected {kind} "
            f"({count},); convert again"
        )
    with reading(f"{where}: table/{path}", StoreError):
        values = np.asarray(dataset[()])
        if kind == "text":
            return np.array([text.decode("utf-8") for text in values.tolist()], dtype=str)
        return values.astype(np.float64)

"""Shards: files of a store with some hundred trials each, fully checked before they are read."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import h5py
import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import Access
from visuotactile.datasets.hdf5 import child, open_hdf5, plain_dataset, reading
from visuotactile.datasets.mapping import map_file
from visuotactile.datasets.statistics import Statistics, add, trial_statistics
from visuotactile.datasets.trial import DTYPES, TEXT_COLUMNS, Trial
from visuotactile.errors import ResourceError, StoreError, brief, explain
from visuotactile.files import atomic_path

Key = tuple[str, str]
"""A stream and a phase."""


@dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype of one stream at one phase of a trial."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of one trial."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """Layout that all trials of a store share: arrays, and the names and kinds of their table columns."""

    arrays: Mapping[Key, ArraySpec]
    columns: Mapping[str, str]
    """Column path, such as 'outcome/success' → 'text' or 'number'."""

    @classmethod
    def of(cls, trial: Trial) -> Layout:
        """The layout of `trial`."""
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
        """The layout as in store.json."""
        arrays = [
            {"stream": stream, "phase": phase, "shape": list(spec.shape), "dtype": spec.dtype.name}
            for (stream, phase), spec in self.arrays.items()
        ]
        return {"arrays": arrays, "columns": dict(self.columns)}

    @classmethod
    def from_json(cls, value: Any, where: str) -> Layout:
        """Inverse of `to_json`; raises `StoreError` for anything else."""
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
            raise StoreError(f"{where}: its layout is damaged ({brief(why)}); convert again") from None
        return cls(arrays, columns)

    def check(self, trial: Trial) -> None:
        """Raise `StoreError`, naming `trial` and the first difference, unless it has this layout."""
        other = Layout.of(trial)
        if other == self:
            return
        mine, theirs = self.parts(), other.parts()
        part = next(part for part in [*mine, *theirs] if mine.get(part) != theirs.get(part))
        raise StoreError(
            f"trial {trial.name!r}: {part} is {theirs.get(part, 'absent')}, but "
            f"{mine.get(part, 'absent')} in the first trial; all trials of a store must agree"
        )

    def parts(self) -> dict[str, str]:
        """Name of each array and column → its type, in words."""
        arrays = {"/".join(key): f"{spec.dtype} {spec.shape}" for key, spec in self.arrays.items()}
        return arrays | {f"column {name}": kind for name, kind in self.columns.items()}


class Stamp(NamedTuple):
    """Size and time of a file, by which one that was replaced is told."""

    size: int
    inode: int
    modified: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """That of a file."""
        return cls(found.st_size, found.st_ino, found.st_mtime_ns)


@dataclass(frozen=True)
class Shard:
    """A checked shard: the offset of each array in the file, and the table."""

    path: Path
    count: int
    stamp: Stamp
    offsets: Mapping[Key, int]
    table: Mapping[str, npt.NDArray[Any]]

    def mapped(self) -> npt.NDArray[np.uint8]:
        """The bytes of the file, mapped into memory, read-only.

        Raises:
            StoreError: the file has changed since the shard was checked.
        """
        try:
            with open(self.path, "rb") as file:
                if Stamp.of(os.fstat(file.fileno())) != self.stamp:
                    raise StoreError(
                        f"{self.path} has changed while the store was open; open it again, or convert again"
                    )
                return map_file(file.fileno(), self.stamp.size)
        except OSError as why:
            raise StoreError(f"{self.path} cannot be read any more ({brief(why)})") from None

    def statistics(self, layout: Layout, phases: Mapping[str, Access]) -> Statistics:
        """Statistics of the shard's trials, from their pixels; `phases` are those of the store."""
        mapped = self.mapped()
        arrays: dict[str, dict[str, npt.NDArray[Any]]] = {}
        for (stream, phase), spec in layout.arrays.items():
            start = self.offsets[(stream, phase)]
            piece = mapped[start : start + self.count * spec.nbytes].view(spec.dtype)
            arrays.setdefault(stream, {})[phase] = piece.reshape(self.count, *spec.shape)
        return add(
            trial_statistics(
                {
                    stream: {phase: every[row] for phase, every in these.items()}
                    for stream, these in arrays.items()
                },
                phases,
            )
            for row in range(self.count)
        )


Row = dict[str, str | float]
"""A trial's columns by their path in the table."""


class Placed(NamedTuple):
    """Table row and statistics of a trial whose arrays have been written."""

    row: Row
    statistics: Statistics


@dataclass(frozen=True)
class Slot:
    """Place of one trial in an unfinished shard; any process may fill it.

    Attributes:
        index: the trial's number in the store.
        name: name of the expected trial.
        row: row of the trial in the shard.
        path: file of the unfinished shard.
        layout: layout of the store.
        phases: phases of the store, in the order of time.
        offsets: offset of each array in the file, in bytes.
    """

    index: int
    name: str
    row: int
    path: Path
    layout: Layout
    phases: Mapping[str, Access]
    offsets: Mapping[Key, int]

    def put(self, trial: Trial) -> Placed:
        """Write the trial's arrays, and return its table row and statistics."""
        self.layout.check(trial)
        if trial.name != self.name:
            raise StoreError(f"trial {trial.name!r} came where {self.name!r} was announced")
        with open(self.path, "r+b", buffering=0) as file:
            for (stream, phase), spec in self.layout.arrays.items():
                file.seek(self.offsets[(stream, phase)] + self.row * spec.nbytes)
                left = np.ascontiguousarray(trial.streams[stream][phase], spec.dtype).data.cast("B")
                while left:
                    left = left[file.write(left) :]
        values: Row = {name: getattr(trial, name) for name in TEXT_COLUMNS}
        for group, items in trial.table().items():
            values |= {f"{group}/{key}": value for key, value in items.items()}
        return Placed(values, trial_statistics(trial.streams, self.phases))


class NewShard:
    """An unfinished shard, which `finish` moves to `path`; an error leaves nothing.

    The bytes depend on the trials alone: no time stamps, one library format. That format (HDF5 1.10) also has
    checksums over everything but the pixels.
    """

    def __init__(
        self, path: Path, layout: Layout, phases: Mapping[str, Access], names: Mapping[int, str]
    ) -> None:
        """Start a shard for the trials `names`, number in the store → name."""
        self._layout, self._phases, self._names = layout, phases, names
        self._open = contextlib.ExitStack()
        self._path = self._open.enter_context(atomic_path(path))
        self._file = self._open.enter_context(
            h5py.File(self._path, "w", libver=("v110", "v110"), locking=False)
        )
        self._rows: list[Row] = []
        with _writing(path):
            self._offsets = {
                key: _create(self._file, "/".join(key), len(names), spec)
                for key, spec in layout.arrays.items()
            }
            self._file.flush()
        with open(self._path, "r+b") as file:
            # A full disk is met here, by name, and not within HDF5, which does not recover from it.
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(self._path))

    def __enter__(self) -> Self:
        """Enter the context of writing."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Remove the unfinished file after an error."""
        self._open.__exit__(*error)

    def slots(self) -> Iterator[Slot]:
        """Slots of the shard's trials."""
        for row, (index, name) in enumerate(self._names.items()):
            yield Slot(index, name, row, self._path, self._layout, self._phases, self._offsets)

    def add(self, row: Row) -> bool:
        """Add the next trial's columns; True if it was the last."""
        self._rows.append(row)
        return len(self._rows) == len(self._names)

    def finish(self) -> None:
        """Write the table, and move the file to its place."""
        with _writing(self._path):
            for name, kind in self._layout.columns.items():
                values = [row[name] for row in self._rows]
                if kind == "text":
                    column = np.char.encode(np.array(values, dtype=str), "utf-8")
                    column = column.astype(f"S{max(column.dtype.itemsize, 1)}")
                else:
                    column = np.array(values, dtype="<f8")
                self._file.create_dataset(f"table/{name}", data=column, track_times=False)
            self._file.close()
        self._open.close()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn HDF5's errors on a full disk into `ResourceError`."""
    try:
        yield
    except (RuntimeError, OSError) as why:
        if isinstance(why, OSError) and why.errno:
            raise
        raise ResourceError(f"{path}: {explain(OSError(str(why)))}") from None


def _create(file: h5py.File, name: str, count: int, spec: ArraySpec) -> int:
    """Allocate the array of `count` trials; returns its offset in the file."""
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    dataset = file.create_dataset(
        name, (count, *spec.shape), spec.dtype, dcpl=created, track_times=False, fill_time="never"
    )
    return int(dataset.id.get_offset())


def read_shard(path: Path, layout: Layout, count: int) -> Shard:
    """Open and check a shard of `count` trials; raises `StoreError` if truncated, altered or foreign.

    Every array must be entirely within the file before it is mapped into memory, where reading past the end
    would kill the process.
    """
    where = str(path)
    with open_hdf5(path, StoreError) as file:
        stamp = Stamp.of(os.stat(path))
        offsets = {}
        for (stream, phase), spec in layout.arrays.items():
            dataset = plain_dataset(
                child(file, stream, h5py.Group, where, StoreError), phase, where, StoreError, largest=None
            )
            offsets[(stream, phase)] = _offset(dataset, (count, *spec.shape), spec.dtype, stamp.size, where)
        group = child(file, "table", h5py.Group, where, StoreError)
        table = {name: _column(group, name, kind, count, where) for name, kind in layout.columns.items()}
    return Shard(path, count, stamp, offsets, table)


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

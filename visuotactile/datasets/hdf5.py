"""Safe reading of untrusted HDF5 files.

HDF5 can point outside itself (external links, external storage, virtual datasets), hold pickled Python
objects, and claim any shape. Anything but plain data in the file is refused.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError, VisuotactileError, brief

LARGEST_ARRAY = 2**31
"""Bytes. No image, clip or sound of a trial is as large; a file that claims more is damaged or hostile."""

LARGEST_IMAGE = 2**25
"""Bytes, 11 megapixels: more than any Kinect or GelSight has. A trial holds up to sixteen."""

LARGEST_CHUNK = 2**28
"""Bytes. A compressed chunk is read as a whole, even for a single frame of it."""

EXPANSION = 1100
"""Times. Deflate makes at most 1,032 bytes of one, LZF fewer: what claims more is not in the file."""

_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF)
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, UnicodeError)


@contextlib.contextmanager
def reading(what: str, error: type[VisuotactileError] = DataError) -> Iterator[None]:
    """Turn h5py's exceptions on a damaged file into an `error` that names `what` was being read."""
    try:
        yield
    except VisuotactileError:
        raise
    except _HDF5_ERRORS as why:
        raise error(f"{what} is damaged or not HDF5 ({brief(why)}); fetch or make it again") from None


@contextlib.contextmanager
def open_hdf5(
    path: str | os.PathLike[str], error: type[VisuotactileError] = DataError
) -> Iterator[h5py.File]:
    """Open `path` for reading; a missing or damaged file raises `error`."""
    if not Path(path).is_file():
        raise error(f"{path} is missing, or is not a file")
    with reading(str(path), error), h5py.File(path, "r", locking=False) as file:
        yield file


def child(
    group: h5py.Group, name: str, kind: type[Any], where: str, error: type[VisuotactileError] = DataError
) -> Any:
    """The member `name` of `group`, which must be a `kind` stored in this file."""
    with reading(f"{where}: {name}", error):
        link = group.get(name, getlink=True)
        if link is None:
            raise error(f"{where} has no {name!r}; it is not of this format, or is damaged")
        if not isinstance(link, h5py.HardLink):
            raise error(f"{where}: {name!r} is a link to elsewhere; expected the data themselves")
        member = group[name]
    if not isinstance(member, kind):
        raise error(f"{where}: {name!r} is a {type(member).__name__}, expected a {kind.__name__}")
    return member


def plain_dataset(
    group: h5py.Group,
    name: str,
    where: str,
    error: type[VisuotactileError] = DataError,
    largest: int | None = LARGEST_ARRAY,
) -> h5py.Dataset:
    """The dataset `name` of `group`: numbers or fixed-length text, stored in this file.

    `largest` bounds its size in bytes; None if it is never read as a whole.
    """
    dataset = child(group, name, h5py.Dataset, where, error)
    where = f"{where}: {name!r}"
    with reading(where, error):
        properties = _own_storage(dataset, where, error)
        if dataset.dtype.kind not in "uifbS" or dataset.dtype.itemsize > 4096:
            raise error(f"{where} has dtype {dataset.dtype}, expected plain numbers or text")
        if dataset.shape is None:
            raise error(f"{where} is empty")
        whole, chunk = (
            math.prod(map(int, shape)) * dataset.dtype.itemsize
            for shape in (dataset.shape, dataset.chunks or ())
        )
        if (largest is not None and whole > largest) or chunk > LARGEST_CHUNK:
            raise error(f"{where} claims {dataset.shape}, {whole} bytes; at most {largest} are read")
        held = min(dataset.id.get_storage_size(), os.path.getsize(dataset.file.filename))
        if whole and max(whole, chunk) > held * (EXPANSION if properties.get_nfilters() else 1):
            raise error(
                f"{where} claims {dataset.shape}, {whole} bytes, but the file holds {held}; it is damaged"
            )
        if any(properties.get_filter(i)[0] not in _FILTERS for i in range(properties.get_nfilters())):
            raise error(f"{where} is compressed with an unknown filter; expected gzip or none")
    return dataset


def read_image(group: h5py.Group, name: str, where: str) -> npt.NDArray[np.uint8]:
    """The RGB image `name` of `group`, uint8 [H, W, 3]."""
    dataset = plain_dataset(group, name, where, largest=LARGEST_IMAGE)
    if dataset.dtype != np.uint8 or dataset.ndim != 3 or dataset.shape[2] != 3:
        raise DataError(
            f"{where}: {name!r} is {dataset.dtype} {dataset.shape}, expected an RGB image, uint8 [H, W, 3]"
        )
    with reading(f"{where}: {name!r}"):
        return np.asarray(dataset[()])


def read_text(group: h5py.Group, name: str, where: str) -> str:
    """The single text `name` of `group`, of fixed or variable length."""
    dataset = child(group, name, h5py.Dataset, where)
    where = f"{where}: {name!r}"
    with reading(where):
        kind = h5py.check_string_dtype(dataset.dtype)
        if kind is None or dataset.size != 1 or dataset.dtype.itemsize > 4096:
            raise DataError(f"{where} is {dataset.dtype} {dataset.shape}, expected one text")
        layout = _own_storage(dataset, where, DataError).get_layout()
        if kind.length is not None:
            return str(np.asarray(dataset[()]).reshape(-1)[0].decode("utf-8"))
        offset = dataset.id.get_offset() if layout == h5py.h5d.CONTIGUOUS else None
        sizes = group.file.id.get_create_plist().get_sizes()
        if offset is None or sizes != (8, 8) or group.file.userblock_size:
            raise DataError(f"{where} is stored in a way that is not read here; expected fixed-length text")
        return _heap_text(group.file.filename, offset, where)


def _heap_text(path: str, offset: int, where: str) -> str:
    """Follow the reference at `offset` (length, address, index) into the global heap, in plain Python.

    HDF5 itself (2.0.0) never returns from a damaged heap whose free space has size 0.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        length, address, wanted = struct.unpack("<IQI", _exactly(file, 16, where))
        file.seek(min(address, 2**62))
        signature, version, total = struct.unpack("<4sB3xQ", _exactly(file, 16, where))
        if signature != b"GCOL" or version != 1 or length > 4096 or total > 2**20:
            raise DataError(f"{where}: its text is damaged; fetch the file again")
        used = 16
        while used + 16 <= total:
            index, size = struct.unpack("<H6xQ", _exactly(file, 16, where))
            if index == wanted and index:
                return _exactly(file, min(length, size), where).decode("utf-8")
            step = size + -size % 8 if index else max(size - 16, 0)
            used += 16 + step
            file.seek(min(address + used, 2**62))
        raise DataError(f"{where}: its text is damaged; fetch the file again")


def _exactly(file: BinaryIO, count: int, where: str) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise DataError(f"{where}: the file ends within its text; fetch it again")
    return data


def _own_storage(dataset: h5py.Dataset, where: str, error: type[VisuotactileError]) -> h5py.h5p.PropDCID:
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
        raise error(f"{where} is stored in another file; expected the data themselves")
    return properties

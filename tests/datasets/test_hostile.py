"""Reading is bounded by the real content of a file, and cheap checks come first.

`tests/mutated_files.py` damages all files at random; here are the kinds that it is not left to find.
"""

from __future__ import annotations

import contextlib
import csv
import os
import resource
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from visuotactile.datasets.readers import open_reader
from visuotactile.datasets.readers.calandra import merge_truncated
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, SplitError, StoreError, VisuotactileError
from visuotactile.files import parse_json, read_json

MAGNITUDE = 64 * 2**20
"""Bytes. The files below are a few kilobytes, and claim gigabytes."""


@pytest.fixture
def frugal() -> Iterator[None]:
    """The test takes little memory and time."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert max(peak, grown) < MAGNITUDE
    assert time.process_time() - began < 3


def bomb(file: Any, name: str, shape: tuple[int, ...], dtype: str = "u1", **how: Any) -> None:
    """A dataset that claims `shape` and holds nothing, unless `how` says what."""
    del file[name]
    file.create_dataset(name, shape, dtype, **how)


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((20_000, 30_000, 3), {"chunks": (200, 300, 3), "compression": "gzip"}),
        ((20_000, 30_000, 3), {"chunks": (200, 300, 3)}),
        ((3000, 3000, 3), {"chunks": (3000, 3000, 3), "compression": "gzip"}),
        ((20_000, 30_000, 3), {}),
    ],
    ids=["unwritten gzip", "unwritten chunks", "an image in a huge chunk", "unwritten"],
)
def test_an_image_of_a_shard_that_is_not_in_the_file_is_refused(
    shape: tuple[int, ...],
    how: dict[str, Any],
    frugal: None,
    write_calandra: Callable[..., None],
    tmp_path: Path,
) -> None:
    write_calandra(tmp_path / "a.h5", ["mug"])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for name in list(file["data/i0"]):
            bomb(file, f"data/i0/{name}", shape, **how)
    with pytest.raises(DataError, match=r"claims|at most"):
        open_reader("calandra2017", tmp_path).trial(0)


def test_a_raw_grasp_that_claims_hours_of_film_is_refused(
    frugal: None, write_raw: Callable[..., None], tmp_path: Path
) -> None:
    write_raw(tmp_path / "a.h5")
    names = ("color_image_KinectA", "GelSightA_image", "GelSightB_image")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for name in names:
            bomb(file, name, (8, 5000, 5000, 3), chunks=(8, 500, 500, 3), compression="gzip")
    with pytest.raises(DataError, match="claims"):
        open_reader("calandra2017-raw", tmp_path).trial(0)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        bomb(file, "timestamp", (10**9,), "f8", chunks=(10**6,), compression="gzip")
    with pytest.raises(DataError, match=r"timestamp.* claims"):
        open_reader("calandra2017-raw", tmp_path).trial(0)


def test_a_column_of_a_store_that_is_not_in_its_shard_is_refused(
    frugal: None, make_store: Callable[..., Store]
) -> None:
    shard = make_store(4).path / "shard-00000.h5"
    size = shard.stat().st_size
    with h5py.File(shard, "r+") as file:
        bomb(file, "table/object", (4,), "S4000", chunks=(1,), compression="gzip")
    os.truncate(shard, max(size, shard.stat().st_size))
    index = shard.with_name("store.json")
    index.write_text(index.read_text().replace(str(size), str(shard.stat().st_size)))
    with pytest.raises(StoreError, match="claims"):
        Store(shard.parent)


def test_a_picture_that_claims_more_than_its_bytes_can_tell_is_refused(
    frugal: None, write_folder: Callable[..., None], tmp_path: Path
) -> None:
    write_folder(tmp_path, 1)
    path = tmp_path / "images/0-before.png"
    data = path.read_bytes()
    header = struct.pack(">II", 7000, 9000) + data[24:29]
    path.write_bytes(data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:])
    with pytest.raises(DataError, match="claims 7000×9000 pixels"):
        open_reader("folder", tmp_path).trial(0)


@pytest.mark.parametrize("columns", [1001, 20_000])
def test_a_table_of_thousands_of_columns_is_refused_at_once(
    columns: int, frugal: None, write_folder: Callable[..., None], tmp_path: Path
) -> None:
    write_folder(tmp_path, 1)
    path = tmp_path / "trials.csv"
    rows = list(csv.reader(path.open()))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(row + [f"c{i}" for i in range(columns - len(row))] for row in rows)
    with pytest.raises(DataError, match=f"row 1: {columns:,} cells"):
        open_reader("folder", tmp_path)


def test_names_that_begin_alike_are_compared_with_their_neighbours_alone(frugal: None) -> None:
    names = [f"thing {i:06d}" for i in range(100_000)]
    assert merge_truncated(["can", "can o", "mug", "mug a", "mug ab", *names])["can"] == "can o"


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_never_waited_for(
    make_store: Callable[..., Store],
    write_calandra: Callable[..., None],
    write_raw: Callable[..., None],
    write_slips: Callable[..., None],
    write_folder: Callable[..., None],
    write_gentle: Callable[..., Path],
    tmp_path: Path,
) -> None:
    write_calandra(tmp_path / "calandra/a.h5", ["mug"])
    write_raw(tmp_path / "raw/a.h5")
    write_slips(tmp_path / "slip", {"training/mug/1": 32})
    write_folder(tmp_path / "mine", 1)
    grasp = write_gentle(tmp_path / "gentle")
    store = make_store(4)
    readers: dict[str, tuple[str, Path, dict[str, Any]]] = {
        "calandra2017": ("calandra/a.h5", tmp_path / "calandra", {}),
        "calandra2017-raw": ("raw/a.h5", tmp_path / "raw", {}),
        "incipient-slip": (
            "slip/base_data_for_training/mug/exp_num_1/camera_0.avi",
            tmp_path / "slip",
            {"before": "early"},
        ),
        "folder": ("mine/images/0-before.png", tmp_path / "mine", {}),
    }
    for name, (place, root, options) in readers.items():
        pipe(tmp_path / place)
        with pytest.raises(DataError):
            open_reader(name, root, options).trial(0)
    for place in ("trials.csv", "embodiment.json"):
        pipe(tmp_path / "mine" / place)
        with pytest.raises(DataError):
            open_reader("folder", tmp_path / "mine")
    for file in sorted(grasp.iterdir()):
        whole = file.read_bytes()
        pipe(file)
        with contextlib.suppress(DataError):  # of some, nothing is read
            [open_reader("gentle-grasping", tmp_path / "gentle").trial(i) for i in range(3)]
        file.unlink()
        file.write_bytes(whole)
    pipe(tmp_path / "split.json")
    with pytest.raises(SplitError):
        Split.load(tmp_path / "split.json", store)
    for file in (store.path / "shard-00000.h5", store.path / "store.json"):
        pipe(file)
        with pytest.raises(StoreError):
            Store(store.path)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1e400}',
        b'{"a": NaN}',
        b'{"a": ' + b"7" * 5000 + b"}",
        b'{"a": ' + b"7" * 41 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe",
        b"{",
    ],
    ids=["beyond measure", "no number", "5,000 digits", "41 digits", "depth", "no text", "half"],
)
def test_json_that_python_would_take_or_stumble_over_is_one_short_error(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(VisuotactileError, match=r"a\.json is not readable JSON") as caught:
        read_json(tmp_path / "a.json", VisuotactileError)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
    assert parse_json(b'{"a": 1234567890123456789012345678901234567890}')


@pytest.mark.parametrize("part", ["layout", "settings", "dataset", "shards"])
def test_an_index_without_a_part_is_damaged(part: str, make_store: Callable[..., Store]) -> None:
    index = make_store(4).path / "store.json"
    index.write_text(index.read_text().replace(f'"{part}"', '"other"', 1))
    with pytest.raises(StoreError, match="damaged"):
        Store(index.parent)


def test_hundreds_of_shards_keep_no_file_open(make_store: Callable[..., Store]) -> None:
    store = make_store(60, shard_trials=1)
    before = len(os.listdir("/proc/self/fd"))
    opened = Store(store.path)
    opened.read("tactile_left", "before", np.arange(60))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_shard_that_was_replaced_by_one_of_the_same_size_is_an_error(
    make_store: Callable[..., Store],
) -> None:
    store = make_store(4)
    shard = store.path / "shard-00000.h5"
    content = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(content)
    with pytest.raises(StoreError, match="has changed while the store was open"):
        store.read("tactile_left", "before", [0])

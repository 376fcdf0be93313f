"""Random batches of 224×224 tactile images: this package's store, the Calandra release's layout, PNG files.

    python benchmarks/store.py

All three hold the same images, each read as its users would: `Store.read`; a gzipped dataset per image
through h5py, with the file kept open; a file per image through Pillow. The files are in the page cache, so
this measures decoding and copying. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table

from visuotactile.datasets.convert import convert
from visuotactile.datasets.store import Store

SIZE, PER_SHAPE, BATCH, REPEATS = 224, 25, 200, 5
STREAM, PHASE = "tactile_left", "during"

Rows = npt.NDArray[np.intp]


def main() -> None:
    """Write the images three times, read random batches in turns, and print medians."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        options = {"per_shape": PER_SHAPE}
        store = convert("shapes", None, root / "store", size=(SIZE, SIZE), options=options, progress=False)
        with h5py.File(_as_calandra(store, root / "calandra.h5"), "r") as release:
            pictures = _as_png(store, root / "png")
            ways: dict[str, Callable[[Rows], Any]] = {
                "this store": lambda rows: store.read(STREAM, PHASE, rows),
                "Calandra layout (gzip, h5py)": lambda rows: np.stack(
                    [release[f"data/i{i}/gelsightA_{PHASE}"][()] for i in rows]
                ),
                "PNG files (Pillow)": lambda rows: np.stack(
                    [np.asarray(Image.open(pictures[i])) for i in rows]
                ),
            }
            first = rng.integers(0, len(store), BATCH)
            expected = ways["this store"](first)
            for name, way in ways.items():
                if not np.array_equal(way(first), expected):
                    raise SystemExit(f"{name} read other pixels than the store")
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(REPEATS):
                rows = rng.integers(0, len(store), BATCH)
                for name, way in ways.items():
                    began = time.perf_counter()
                    way(rows)
                    seconds[name].append(time.perf_counter() - began)
    rates = [BATCH / statistics.median(seconds[name]) for name in ways]
    table = Table("how the images lie on disk", "images/s", "this store is")
    for name, rate in zip(ways, rates, strict=True):
        table.add_row(name, f"{rate:,.0f}", f"{rates[0] / rate:.1f}× as fast")
    Console().print(table)
    result = {
        "images_per_s": round(rates[0]),
        "ratio_vs_calandra_layout": round(rates[0] / rates[1], 1),
        "ratio_vs_png": round(rates[0] / rates[2], 1),
    }
    print(json.dumps(result))


def _as_calandra(store: Store, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for i in range(len(store)):
            image = store.read(STREAM, PHASE, [i])[0]
            file.create_dataset(f"data/i{i}/gelsightA_{PHASE}", data=image, compression="gzip")
    return path


def _as_png(store: Store, folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{i:05d}.png" for i in range(len(store))]
    for i, path in enumerate(paths):
        Image.fromarray(store.read(STREAM, PHASE, [i])[0]).save(path)
    return paths


if __name__ == "__main__":
    main()

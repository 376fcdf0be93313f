"""The store: a folder of HDF5 shards from which any batch of images is read with a single copy.

    STORE/store.json          index; written last, so that its presence means the store is finished
    STORE/shard-00000.h5      /<stream>/<phase> [n, ...] contiguous, and /table/<column> [n]

Arrays are neither compressed nor chunked: each is contiguous at a known offset, so that a reader maps the
file into memory and gathers a batch without going through HDF5 for each image.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import PHASES, Access, Embodiment
from visuotactile.datasets.shard import ArraySpec, Key, Layout, Shard, read_shard
from visuotactile.datasets.statistics import Statistics, add, from_json
from visuotactile.datasets.trial import GROUPS, TEXT_COLUMNS
from visuotactile.errors import ContractError, StoreError
from visuotactile.files import read_json, sha256_bytes

FORMAT = 2
OLDER_FORMATS = (1,)
"""Earlier formats that are still read: their embodiment is None, and their statistics are computed."""

INDEX, PLAN = "store.json", "store.part.json"


def shard_name(index: int) -> str:
    """File name of the shard with this number."""
    return f"shard-{index:05d}.h5"


class Store:
    """A finished store, open for reading.

    Opening it reads store.json and every table and checks every shard, so that a truncated, missing or
    altered one raises `StoreError` here instead of a crash later. Pixels are mapped into memory on first use,
    once in each process, without files that stay open; a store can be pickled and may cross a fork.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        index = read_index(self.path)
        self.name: str = index["dataset"]
        self.index: dict[str, Any] = index
        self.layout = Layout.from_json(index["layout"], str(self.path / INDEX))
        self.specs: dict[Key, ArraySpec] = dict(self.layout.arrays)
        self._shards = [self._open(i, entry) for i, entry in enumerate(index["shards"])]
        self._starts = np.cumsum([0, *(shard.count for shard in self._shards)])
        self._table = {
            name: np.concatenate([shard.table[name] for shard in self._shards])
            for name in self.layout.columns
        }
        self._maps: dict[int, npt.NDArray[np.uint8]] = {}
        self.names, self.objects, self.sessions, self.sensors = (self._table[name] for name in TEXT_COLUMNS)
        if len(set(self.names.tolist())) != len(self):
            raise StoreError(f"{self.path}: two trials have the same name; convert again")
        self.columns: tuple[str, ...] = tuple(self._table)
        self.embodiment = read_embodiment(index, self.path / INDEX)
        self.phases: Mapping[str, Access] = self.embodiment.phases if self.embodiment else PHASES
        self._statistics = (
            from_json(index["statistics"], str(self.path / INDEX)) if "statistics" in index else None
        )
        self.fingerprint = self._fingerprint()

    def __len__(self) -> int:
        """Number of trials."""
        return int(self._starts[-1])

    def __repr__(self) -> str:
        """Name, size and arrays of the store."""
        arrays = ", ".join(f"{s}/{p} {a.dtype}{list(a.shape)}" for (s, p), a in self.specs.items())
        return f"Store({str(self.path)!r}: {self.name}, {len(self)} trials of {arrays})"

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        """Pickle as the path alone: another process opens its own files."""
        return Store, (self.path,)

    @property
    def statistics(self) -> Statistics:
        """Mean and standard deviation of each stream's images at each phase, and of differences of phases.

        They are in store.json; for a store of an earlier format they are computed once from its pixels.
        """
        if self._statistics is None:
            self._statistics = add(shard.statistics(self.layout, self.phases) for shard in self._shards)
        return self._statistics

    @property
    def vectors(self) -> tuple[str, ...]:
        """Names of each trial's vectors; vector V has the columns V/…."""
        groups = dict.fromkeys(name.partition("/")[0] for name in self.columns if "/" in name)
        return tuple(group for group in groups if group not in GROUPS)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of the table [trials], text or float64.

        `name` is 'object', 'outcome/success' …, or the last part alone ('success') where only one column
        has it. A simulator's hidden truth needs its full name ('hidden/friction').
        """
        if name in self._table:
            return self._table[name]
        short = [c for c in self.columns if c.split("/")[-1] == name and not c.startswith("hidden/")]
        if len(short) == 1:
            return self._table[short[0]]
        if short:
            raise StoreError(
                f"{self.path}: column {name!r} could be any of {', '.join(short)}; give the full name"
            )
        raise StoreError(f"{self.path} has no column {name!r}; it has {', '.join(self.columns)}")

    def recorded(self, name: str) -> npt.NDArray[Any]:
        """A column, as `column` gives it, that may steer: as input, mask, filter, group, split or label.

        Raises:
            ContractError: it is hidden truth of a simulator, which may only be looked at.
        """
        if str(name).startswith("hidden/"):  # a damaged split may hold a name of any type
            raise ContractError(
                f"{name} is hidden truth of the simulator, which chooses no input, trial, group, split or "
                "label; choose a recorded column (a map may be coloured by it)"
            )
        return self.column(name)

    def read(
        self,
        stream: str,
        phase: str,
        trials: npt.ArrayLike,
        frames: npt.ArrayLike | None = None,
        *,
        labelling: bool = False,
    ) -> npt.NDArray[Any]:
        """Gather one stream and phase of some trials into a new array [n, ...].

        `trials` [n] are row numbers in any order, repeats allowed. For clips, `frames` [n] selects one frame
        [H, W, C] of each trial; None gives whole clips. A phase that shows the outcome, such as `after`,
        raises `ContractError` without `labelling=True`.
        """
        if self.phases.get(phase) == "outcome" and not labelling:
            others = ", ".join(name for name, access in self.phases.items() if access != "outcome")
            raise ContractError(
                f"phase {phase!r} shows the outcome, so no model may see it; choose one of {others} "
                "(only a task that makes labels may read it, with labelling=True)"
            )
        spec = self.spec(stream, phase)
        rows = self._rows(trials, len(self), "trial")
        if frames is None:
            out = np.empty((len(rows), *spec.shape), spec.dtype)
            self._gather((stream, phase), rows, None, out)
            return out
        if len(spec.shape) != 4:
            raise StoreError(f"{self.path}: {stream}/{phase} is not a clip; leave frames out")
        picked = self._rows(frames, spec.shape[0], "frame")
        if picked.shape != rows.shape:
            raise StoreError(f"{len(rows)} trials but {len(picked)} frames; give one frame for each trial")
        out = np.empty((len(rows), *spec.shape[1:]), spec.dtype)
        self._gather((stream, phase), rows, picked, out)
        return out

    def read_clips(self, stream: str, phase: str, trials: npt.ArrayLike) -> npt.NDArray[Any]:
        """Images of some trials as clips [n, T, H, W, C]; a single image is a clip of one frame."""
        images = self.read(stream, phase, trials)
        return images if images.ndim == 5 else images[:, None]

    def read_first(self, stream: str, phase: str, trials: npt.ArrayLike) -> npt.NDArray[Any]:
        """One image of each of some trials [n, H, W, C]; of a clip its first frame."""
        rows = np.asarray(trials)
        clips = len(self.spec(stream, phase).shape) == 4
        return self.read(stream, phase, rows, np.zeros(len(rows), np.int64) if clips else None)

    def _gather(
        self, key: Key, rows: npt.NDArray[np.intp], frames: npt.NDArray[np.intp] | None, out: npt.NDArray[Any]
    ) -> None:
        homes = np.searchsorted(self._starts, rows, side="right") - 1
        for home in np.unique(homes).tolist():
            source = self._view(home, key)
            places = np.flatnonzero(homes == home)
            local = rows[places] - self._starts[home]
            if frames is None and _is_run(local) and _is_run(places):
                out[places[0] : places[-1] + 1] = source[local[0] : local[-1] + 1]
                continue
            order = np.lexsort((frames[places], local) if frames is not None else (local,))
            places, local = places[order], local[order]
            if frames is None:
                for place, row in zip(places.tolist(), local.tolist(), strict=True):
                    out[place] = source[row]
            else:
                for place, row, frame in zip(
                    places.tolist(), local.tolist(), frames[places].tolist(), strict=True
                ):
                    out[place] = source[row, frame]

    def _view(self, home: int, key: Key) -> npt.NDArray[Any]:
        shard, spec = self._shards[home], self.specs[key]
        if home not in self._maps:
            self._maps[home] = shard.mapped()
        start = shard.offsets[key]
        piece = self._maps[home][start : start + shard.count * spec.nbytes]
        return piece.view(spec.dtype).reshape(shard.count, *spec.shape)

    def spec(self, stream: str, phase: str) -> ArraySpec:
        """Shape and dtype of a stream at a phase; raises `StoreError` if there is none."""
        if (stream, phase) not in self.specs:
            known = ", ".join("/".join(key) for key in self.specs)
            names = {name for name, _ in self.specs}
            hint = f" (if one of them is the same sensor, give --streams {stream}=NAME)"
            raise StoreError(
                f"{self.path} has no {stream}/{phase}; it has {known}{'' if stream in names else hint}"
            )
        return self.specs[(stream, phase)]

    def _rows(self, indices: npt.ArrayLike, length: int, what: str) -> npt.NDArray[np.intp]:
        rows = np.asarray(indices)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise StoreError(f"{what} indices are {rows.dtype} {rows.shape}, expected whole numbers [n]")
        rows = rows.astype(np.intp)
        if rows.size and (rows.min() < 0 or rows.max() >= length):
            raise StoreError(f"{what} indices reach from {rows.min()} to {rows.max()}; there are {length}")
        return rows

    def _open(self, i: int, entry: Mapping[str, int]) -> Shard:
        path = self.path / shard_name(i)
        if path.is_file() and path.stat().st_size != entry["bytes"]:
            raise StoreError(
                f"{path} has {path.stat().st_size} bytes, {entry['bytes']} were written; it is truncated or "
                f"damaged: delete it and {INDEX}, and convert again"
            )
        return read_shard(path, self.layout, entry["trials"])

    def _fingerprint(self) -> str:
        parts = [json.dumps(self.layout.to_json(), sort_keys=True).encode()]
        for name in sorted(self._table):
            values = self._table[name]
            text = values.dtype.kind == "U"
            parts += [name.encode(), json.dumps(values.tolist()).encode() if text else values.tobytes()]
        return sha256_bytes(*parts)


def _is_run(indices: npt.NDArray[np.intp]) -> bool:
    return bool((np.diff(indices) == 1).all())


def read_index(path: Path) -> dict[str, Any]:
    """The validated content of store.json; raises `StoreError` for an unfinished or damaged store."""
    where = path / INDEX
    if not where.exists() and (path / PLAN).exists():
        raise StoreError(f"{path} is not finished; run the command that makes it again, and it continues")
    index = read_json(where, StoreError)
    if index.get("format") not in (FORMAT, *OLDER_FORMATS) or index.get("finished") is not True:
        raise StoreError(f"{where}: format {index.get('format')!r}, expected a finished store, {FORMAT}")
    shards = index.get("shards")
    sane = isinstance(index.get("dataset"), str) and isinstance(index.get("source", ""), str)
    sane = sane and all(isinstance(index.get(name), dict) for name in ("layout", "settings"))
    if not sane or not isinstance(shards, list) or not shards or not all(map(_is_entry, shards)):
        raise StoreError(f"{where} is damaged: its dataset, settings or shards; convert again")
    return index


def read_embodiment(index: Mapping[str, Any], where: Path) -> Embodiment | None:
    """The embodiment in the content of store.json, if any; raises `StoreError` if damaged."""
    values = index.get("embodiment")
    try:
        return None if values is None else Embodiment.from_dict(values)
    except ContractError as why:
        raise StoreError(f"{where}: {why}") from None


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(
        type(entry.get(key)) is int and entry[key] > 0 for key in ("trials", "bytes")
    )

"""Splits of a store into training and test trials, by object by default; saved with a hash."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.samples import has_value
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, SplitError, VisuotactileError, brief
from visuotactile.files import by_number, read_json, refuse_overwrite, sha256_bytes, write_json

Rows = npt.NDArray[np.int64]

FORMAT = 1
DEFAULT_FOLDS = 5
GAP = 1
"""Trials on each side of a tested block that are in neither side of the fold."""


@dataclass(frozen=True)
class Fold:
    """Names of the training and of the test trials."""

    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Folds over one store, identified by its `fingerprint`.

    No fold has the same `unit` on both sides: 'object', 'session' or another column of the store. With
    'trial', trials of one object may be on both sides, which a report must state.
    """

    name: str
    unit: str
    folds: tuple[Fold, ...]
    fingerprint: str
    seed: int
    _rows: list[tuple[Rows, Rows]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the content, which identifies the split."""
        return _hash(self._content())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the split as JSON with the hash of its content."""
        content = self._content()
        write_json(path, {**content, "hash": _hash(content)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], store: Store) -> Split:
        """Read a split and check it against its hash and `store`; raises `SplitError` if it does not fit."""
        value = read_json(path, SplitError)
        content = {key: value[key] for key in value if key != "hash"}
        if value.get("format") != FORMAT or _hash(content) != value.get("hash"):
            raise SplitError(f"{path} was edited or damaged: its hash does not fit; make the split again")
        try:
            folds = tuple(Fold(tuple(fold["train"]), tuple(fold["test"])) for fold in content["folds"])
            split = cls(content["name"], content["unit"], folds, content["fingerprint"], content["seed"])
            if split._content() != content:
                raise ValueError("unknown keys or types")
            _check(split, store)
        except VisuotactileError as why:
            raise SplitError(f"{path}: {why}") from None
        except (KeyError, TypeError, ValueError) as why:
            raise SplitError(f"{path} is not a split ({brief(why)}); make it again") from None
        return split

    def indices(self, store: Store, fold: int) -> tuple[Rows, Rows]:
        """Rows of `store` for fold number `fold`: (train [n], test [m]), each in the store's order.

        They are computed once for all folds, and are read-only.
        """
        if not 0 <= fold < len(self.folds):
            raise SplitError(f"split {self.name} has folds 0 to {len(self.folds) - 1}, not {fold}")
        _check_store(self, store)
        if not self._rows:
            rows = {name: i for i, name in enumerate(store.names.tolist())}
            try:
                found = [(_sorted(rows, each.train), _sorted(rows, each.test)) for each in self.folds]
            except KeyError as missing:
                raise SplitError(f"trial {missing} is in split {self.name} but not in {store.path}") from None
            self._rows.extend(found)
        return self._rows[fold]

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "unit": self.unit,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            "folds": [{"train": list(fold.train), "test": list(fold.test)} for fold in self.folds],
        }


def find_split(store: Store, split: str | os.PathLike[str], seed: int = 0) -> Split:
    """The split in a file, or the one that `make_split` makes if no such file exists."""
    return Split.load(split, store) if Path(split).is_file() else make_split(store, str(split), seed)


def find_fold(store: Store, path: str | os.PathLike[str] | None, fold: int) -> tuple[Rows, Rows, str]:
    """Training rows, test rows, and the hash of the split in a file.

    Without a file all rows are for training, and the hash is empty.
    """
    if path is None:
        return np.arange(len(store)), np.arange(0), ""
    split = Split.load(path, store)
    return *split.indices(store, fold), split.hash


def make_split(store: Store, spec: str, seed: int = 0) -> Split:
    """A split of `store` by a specification, the same for the same seed.

    'object' or 'object:5'      every object is tested in exactly one of k folds (default 5), of similar size
    'session' or 'session:2'    the same by recording session
    'unit:grasp' or 'unit:grasp:5'   the same by any column, such as the number of the grasp that several
                                trials share
    'trial:5'                   the same by trial, so that trials of one object or grasp are on both sides
    'blocks:session' or 'blocks:session:5:column/time'   each session, or value of another column, in k blocks
                                of time, of which each fold tests one; trials next to a tested block are left
                                out, so that near-identical neighbours are not on both sides. Time is a
                                column, or the order of the trials' names
    'random:6000/3000'          that many training and test trials, regardless of object (the unit is the
                                trial, as in Yuan et al.'s and later papers on the Calandra data)
    'column:official_split'     one fold by the values 'train' and 'test' (or 'validation') of a column; no
                                object may be on both sides
    'column:split:trial'        the same with another unit: 'trial' where a dataset intends to test on other
                                poses of the same objects
    """
    kind, _, detail = spec.partition(":")
    if kind in ("object", "session", "trial"):
        folds, unit = _grouped(store, kind, detail, seed), kind
    elif kind == "unit" and detail:
        unit, _, count = detail.partition(":")
        folds = _grouped(store, unit, count, seed)
    elif kind == "blocks" and detail:
        folds, unit = _in_blocks(store, *detail.split(":", 2)), "trial"
    elif kind == "random":
        folds, unit = (_random(store, detail, seed),), "trial"
    elif kind == "column" and detail:
        name, _, other = detail.partition(":")
        folds, unit = (_by_column(store, name),), other or "object"
    else:
        raise SplitError(
            f"unknown split {spec!r}; give object[:k], session[:k], unit:COLUMN[:k], trial[:k], "
            "blocks:COLUMN[:k[:TIME]], random:N/M or column:NAME[:UNIT]"
        )
    split = Split(spec, unit, folds, store.fingerprint, seed)
    _check(split, store)
    return split


def write_split(
    store: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    by: str,
    seed: int = 0,
    overwrite: bool = False,
) -> Split:
    """Write a split of a store to a file.

    Args:
        store: folder of the store.
        out: file to write, such as split.json.
        by: specification: object[:FOLDS], session[:FOLDS], random:TRAIN/TEST, blocks:COLUMN[:FOLDS[:TIME]] or
            column:NAME[:UNIT].
        seed: seed of the shuffle.
        overwrite: replace an existing split.

    Raises:
        OutputExistsError: `out` exists.
        SplitError: `by` is no split of this store; see `make_split`.
    """
    refuse_overwrite(out, overwrite)
    split = make_split(Store(store), by, seed)
    split.save(out)
    print(f"by {split.unit}, hash {split.hash[:12]}")
    for number, fold in enumerate(split.folds):
        print(f"fold {number}: {len(fold.train)} trials to train, {len(fold.test)} to test")
    return split


def hold_out(
    units: npt.NDArray[Any],
    rows: npt.NDArray[np.int64],
    share: float,
    seed: int,
    what: str = "objects",
    balance: npt.NDArray[np.floating[Any]] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide `rows` into training and held-out rows; a `share` of the units, at least one, is held out.

    The order in which units are held out follows from (seed, name): the same ones are held out when more is
    recorded, and an added unit changes at most one of them. With `balance` the units are sorted by their mean
    of it and divided into as many strata as are held out, and the first of each in that order is taken: both
    sides then have nearly the same mean.

    Args:
        units: unit of every row of the store, such as the object, which may not be on both sides.
        rows: rows to divide [n].
        share: share of the units to hold out, 0 to 1; 0 holds out none.
        seed: seed of the draw.
        what: name of the units, for the error.
        balance: a number of every row of the store, such as its success; NaN if unknown.

    Raises:
        DataError: no training rows would be left.
    """
    names, of_row = np.unique(units[rows], return_inverse=True)
    count = 0 if share == 0 else max(1, round(share * len(names)))
    if count >= len(names):
        raise DataError(
            f"{count} of {len(names)} {what} would be held out; record more {what}, or give held_out=0"
        )
    place = np.argsort(np.argsort([sha256_bytes(f"{seed}/{name}".encode()) for name in names.tolist()]))
    if balance is None or count == 0:
        chosen = np.argsort(place)[:count]
    else:
        order = np.lexsort((place, _means(balance[rows], of_row, len(names))))
        chosen = np.array([part[np.argmin(place[part])] for part in np.array_split(order, count)])
    held = np.isin(of_row, chosen)
    return rows[~held], rows[held]


def _means(
    values: npt.NDArray[np.floating[Any]], group: npt.NDArray[np.intp], groups: int
) -> npt.NDArray[np.float64]:
    """Mean of the known values of each group; of all values where a group has none."""
    known = ~np.isnan(values)
    total = np.bincount(group[known], values[known], groups)
    number = np.bincount(group[known], minlength=groups)
    overall = total.sum() / max(1, number.sum())
    return np.where(number > 0, total / np.maximum(number, 1), overall)


def _grouped(store: Store, unit: str, detail: str, seed: int) -> tuple[Fold, ...]:
    count = _whole_number(detail, f"{unit}:{detail}") if detail else DEFAULT_FOLDS
    values, groups = np.unique(_units(store, unit), return_inverse=True)
    if not 2 <= count <= len(values):
        raise SplitError(f"{count} folds by {unit}: {store.path} has {len(values)}; give from 2 to that many")
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(values))
    # Large groups first, each into the currently smallest fold; the shuffle breaks ties.
    order = order[np.argsort(-sizes[order], kind="stable")]
    load, home = np.zeros(count, int), np.empty(len(values), int)
    for group in order:
        home[group] = np.argmin(load)
        load[home[group]] += sizes[group]
    return tuple(_fold(store, home[groups] == fold) for fold in range(count))


def _units(store: Store, unit: str) -> npt.NDArray[Any]:
    return store.names if unit == "trial" else store.recorded(unit)


def _in_blocks(store: Store, group: str, count: str = "", time: str = "") -> tuple[Fold, ...]:
    """Folds of which each tests one of k consecutive blocks of every group, without its neighbours."""
    k = _whole_number(count, f"blocks:{group}:{count}") if count else DEFAULT_FOLDS
    names, groups = np.unique(store.recorded(group), return_inverse=True)
    if not 2 <= k <= len(store):
        raise SplitError(f"{k} blocks: {store.path} has {len(store)} trials; give from 2 to that many")
    block, place = np.empty(len(store), int), np.empty(len(store), int)
    for number in range(len(names)):
        rows = np.flatnonzero(groups == number)
        rows = rows[_order_of_time(store, rows, time)]
        place[rows] = np.arange(len(rows))
        block[rows] = np.arange(len(rows)) * k // len(rows)
    folds = []
    for fold in range(k):
        test = block == fold
        if not test.any():
            raise SplitError(
                f"{k} blocks of {group}: every {group} of {store.path} has fewer trials than that; give fewer"
            )
        near = np.zeros(len(store), bool)
        for row in np.flatnonzero(test).tolist():
            near |= (groups == groups[row]) & (abs(place - place[row]) <= GAP)
        folds.append(_fold(store, test, ~near))
    return tuple(folds)


def _order_of_time(store: Store, rows: npt.NDArray[np.intp], time: str) -> npt.NDArray[np.intp]:
    """Order of some rows by a column of times, or by the numbers in their names."""
    if not time:
        names = [store.names[row] for row in rows]
        return np.array(sorted(range(len(rows)), key=lambda i: by_number(names[i])), np.intp)
    values = store.recorded(time)[rows]
    if not has_value(values).all():
        missing = store.names[rows[np.flatnonzero(~has_value(values))[0]]]
        raise SplitError(f"{time} of {missing} in {store.path} was not recorded; blocks need every trial's")
    if values.dtype.kind == "U":  # a table's text may be a number, or a date
        texts = values.tolist()
        return np.array(sorted(range(len(rows)), key=lambda i: by_number(texts[i])), np.intp)
    return np.argsort(values, kind="stable")


def _random(store: Store, detail: str, seed: int) -> Fold:
    train, slash, test = detail.partition("/")
    spec = f"random:{detail}"
    counts = [_whole_number(part, spec) for part in ((train, test) if slash else ("",))]
    if sum(counts) > len(store) or min(counts) < 1:
        raise SplitError(
            f"{spec}: {store.path} has {len(store)} trials; give at least 1 of each, fewer together"
        )
    order = np.random.default_rng(seed).permutation(len(store))
    rows = np.split(order, np.cumsum(counts))
    return Fold(*(tuple(store.names[np.sort(side)].tolist()) for side in rows[:2]))


def _by_column(store: Store, name: str) -> Fold:
    values = store.recorded(name)
    found = sorted(set(values.tolist()))
    if found not in (["test", "train"], ["train", "validation"]):
        shown = ", ".join(map(repr, found[:6]))
        raise SplitError(
            f"column {name} of {store.path} holds {shown}; expected 'train' and 'test', or 'train' and "
            "'validation'"
        )
    return _fold(store, values != "train")


def _fold(store: Store, test: npt.NDArray[np.bool_], train: npt.NDArray[np.bool_] | None = None) -> Fold:
    train = ~test if train is None else train
    return Fold(tuple(store.names[train].tolist()), tuple(store.names[test].tolist()))


def _sorted(rows: Mapping[str, int], names: tuple[str, ...]) -> Rows:
    found = np.sort(np.array([rows[name] for name in names], np.int64))
    found.flags.writeable = False
    return found


def _whole_number(text: str, spec: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise SplitError(f"{spec!r}: {text!r} is not a whole number; write object:5 or random:6000/3000")
    return int(text)


def _check_store(split: Split, store: Store) -> None:
    if split.fingerprint != store.fingerprint:
        raise SplitError(
            f"split {split.name} was made for another store (fingerprint {split.fingerprint[:12]}, "
            f"{store.path} has {store.fingerprint[:12]}); make it again for this one"
        )


def _check(split: Split, store: Store) -> None:
    _check_store(split, store)
    if not split.folds:
        raise SplitError(f"split {split.name} has no folds")
    kind, _, detail = str(split.name).partition(":")
    if kind == "column":
        store.recorded(detail.partition(":")[0])
    rows = {name: i for i, name in enumerate(store.names.tolist())}
    units = _units(store, split.unit)
    for number, fold in enumerate(split.folds):
        where = f"split {split.name}, fold {number}"
        for side in (fold.train, fold.test):
            if not side:
                raise SplitError(f"{where} has an empty side")
            unknown = next((name for name in side if name not in rows), None)
            if unknown is not None or len(set(side)) != len(side):
                what = f"{unknown!r}, which is not in {store.path}" if unknown else "a trial twice"
                raise SplitError(f"{where} names {what}")
        train, test = ({str(units[rows[name]]) for name in side} for side in (fold.train, fold.test))
        names = set(fold.train) & set(fold.test)
        shared = sorted(names or train & test)
        if shared:
            what = "trial" if names else split.unit
            meant = split.name.startswith("column:") and split.name.count(":") == 1
            hint = f"; where that is meant, split by {split.name}:trial" if meant else ""
            raise SplitError(f"{where}: {what} {shared[0]!r} is on both sides ({len(shared)} are){hint}")


def _hash(content: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(content, sort_keys=True).encode())

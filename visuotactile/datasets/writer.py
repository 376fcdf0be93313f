"""Atomic and resumable writing of a store."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.datasets.embodiment import PHASES, Access, Embodiment, check_phase
from visuotactile.datasets.shard import Layout, NewShard, Placed, Slot, read_shard
from visuotactile.datasets.statistics import Statistics, add, to_json
from visuotactile.datasets.store import FORMAT, INDEX, PLAN, Store, read_index, shard_name
from visuotactile.datasets.trial import Trial
from visuotactile.errors import OutputExistsError, StoreError
from visuotactile.files import differences, lock, read_json, write_json

SHARD_TRIALS = 200
"""Default number of trials in a shard: some 100 MB of 224×224 images."""

_OURS = re.compile(r"store(\.part)?\.json|shard-\d{5}\.h5|\.(store(\.part)?\.json|shard-\d{5}\.h5)\..*\.part")


def write_store(
    path: str | os.PathLike[str], make: Callable[[Sequence[int]], Iterable[Trial]], **plan: Any
) -> Store:
    """Write a store of trials made in this process, one after the other.

    `make(indices)` yields the trials that no finished shard holds; `plan` is passed to `place_store`.
    """

    def place(slots: Iterator[Slot], absent: Sequence[int]) -> Iterator[Placed]:
        for trial in make(absent):
            slot = next(slots, None)
            if slot is None:
                raise StoreError(f"trial {trial.name!r} came where no more trials were announced")
            yield slot.put(trial)

    return place_store(path, place, **plan)


def place_store(
    path: str | os.PathLike[str],
    place: Callable[[Iterator[Slot], Sequence[int]], Iterable[Placed]],
    *,
    dataset: str,
    source: str,
    settings: Mapping[str, Any],
    names: Sequence[str],
    example: Trial,
    embodiment: Embodiment | None = None,
    shard_trials: int = SHARD_TRIALS,
    overwrite: bool = False,
    append: bool = False,
) -> Store:
    """Fill the store at `path` with the trials `names`, all with the layout of `example`, and open it.

    The `embodiment` declares the content of a trial; without one, its phases are among `embodiment.PHASES`.

    `place(slots, indices)` is called once, for all trials that no finished shard holds: it puts each into its
    slot, in any process, and yields the results of `Slot.put` in order. It may run ahead. The plan is written
    first (store.part.json), so a killed run continues when started again, and ends with the same bytes as an
    uninterrupted one. A finished store with the same plan is opened as it is. `overwrite` clears the folder
    first. The folder is locked while it is written; the lock ends with the process.

    With `append`, the trials go to new shards of a finished store, which stays as it is until store.json
    names them, at the end, in one step.

    Raises:
        StoreError: an unfinished store has another plan, another process writes it, or the trials are wrong.
        OutputExistsError: a finished store has another plan.
    """
    path = Path(path)
    if not names or len(set(names)) != len(names):
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        raise StoreError(
            f"{path}: two trials are named {twice!r}" if twice else f"{path}: there are no trials to store"
        )
    if shard_trials < 1:
        raise StoreError(f"{path}: {shard_trials} trials a shard; expected at least 1")
    if embodiment is not None:
        embodiment.check_trial(example)
    else:
        for stream, phases in example.streams.items():
            for phase in phases:
                check_phase(phase, f"trial {example.name!r}, which no embodiment declares: {stream}")
    layout = Layout.of(example)
    plan = {
        "format": FORMAT,
        "dataset": dataset,
        "source": source,
        "settings": json.loads(json.dumps({**settings, "shard_trials": shard_trials}, allow_nan=False)),
        "embodiment": embodiment and embodiment.to_dict(),
        "layout": layout.to_json(),
        "names": list(names),
    }
    with _locked(path):
        if overwrite:
            _clear(path)
        before = _to_append_to(path, plan) if append else None
        if before is None and (path / INDEX).exists():
            return _finished(path, plan)
        first = len(before["shards"]) if before else 0
        _begin(path, plan, first)
        starts = range(0, len(names), shard_trials)
        shards = {
            path / shard_name(first + number): {
                i: names[i] for i in range(len(names))[start : start + shard_trials]
            }
            for number, start in enumerate(starts)
        }
        missing = {
            shard: some for shard, some in shards.items() if not _whole(shard, layout, [*some.values()])
        }
        access = embodiment.phases if embodiment else PHASES
        parts = [
            read_shard(shard, layout, len(some)).statistics(layout, access)
            for shard, some in shards.items()
            if shard not in missing
        ]
        if missing:
            parts.append(_write_shards(missing, layout, access, place))
        index = {key: value for key, value in plan.items() if key != "names"}
        sizes = [{"trials": len(some), "bytes": shard.stat().st_size} for shard, some in shards.items()]
        if before is not None:
            parts.insert(0, Store(path).statistics)
            sizes[:0] = before["shards"]
            index["source"] = before["source"]
            later = {"source": source, "trials": len(names)}
            index["appended"] = [*before.get("appended", ()), later]
        index |= {"statistics": to_json(add(parts)), "shards": sizes, "finished": True}
        write_json(path / INDEX, index)
        (path / PLAN).unlink()
    return Store(path)


def _write_shards(
    missing: Mapping[Path, Mapping[int, str]],
    layout: Layout,
    phases: Mapping[str, Access],
    place: Callable[[Iterator[Slot], Sequence[int]], Iterable[Placed]],
) -> Statistics:
    """Write the missing shards, and return their statistics."""
    begun: deque[NewShard] = deque()
    with contextlib.ExitStack() as unfinished:

        def slots() -> Iterator[Slot]:
            for shard, names in missing.items():
                begun.append(unfinished.enter_context(NewShard(shard, layout, phases, names)))
                yield from begun[-1].slots()

        given, found = 0, Statistics()
        for placed in place(slots(), [i for names in missing.values() for i in names]):
            given += 1
            found = add([found, placed.statistics])
            if begun[0].add(placed.row):
                begun.popleft().finish()
        announced = sum(map(len, missing.values()))
        if given != announced:
            raise StoreError(f"only {given} trials came where {announced} were announced")
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file; a store is a folder, so give another path")
    path.mkdir(parents=True, exist_ok=True)
    folder = os.open(path, os.O_RDONLY)
    try:
        try:
            alone = lock(folder)
        except BlockingIOError:
            raise StoreError(f"{path} is being written by another process; wait until it ends") from None
        if not alone:
            print(f"{path} cannot be locked; take care that no other process writes it", file=sys.stderr)
        yield
    finally:
        os.close(folder)


def _begin(path: Path, plan: dict[str, Any], first: int) -> None:
    """Write the plan, or find the same one and remove the half-written files of a killed run.

    Of a finished store of `first` shards, what another plan has left behind them is removed: store.json does
    not name it, and its recordings are still where they came from.
    """
    _refuse_others(path)
    for leftover in path.glob(".*.part"):
        leftover.unlink()
    found = read_json(path / PLAN, StoreError) if (path / PLAN).exists() else None
    if found is None and not first and list(path.iterdir()):
        raise StoreError(f"{path} holds shards but no {PLAN}; delete it, or convert with overwrite")
    different = "" if found is None else _differences(found, plan)
    if different and not first:
        raise StoreError(
            f"{path} was begun with other settings: {different}; continue with the same ones, or overwrite it"
        )
    if found is None or different:
        for shard in path.glob("shard-*.h5"):
            if shard.name >= shard_name(first):
                shard.unlink()
        write_json(path / PLAN, plan)


def _to_append_to(path: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The index of a finished store made with the settings of `plan`, to which its trials can be appended."""
    index = read_index(path)
    if different := _differences(index, plan, besides=("names", "source")):
        raise OutputExistsError(
            f"{path} was made with other settings: {different}; append with the same ones, or make another "
            "store and `join` them"
        )
    return index


def _differences(found: Mapping[str, Any], plan: Mapping[str, Any], besides: tuple[str, ...] = ()) -> str:
    wanted = {key: value for key, value in plan.items() if key not in besides}
    return differences({key: found.get(key) for key in wanted}, wanted)


def _whole(shard: Path, layout: Layout, names: list[str]) -> bool:
    """True if an earlier run finished this shard; a damaged one is made again."""
    if not shard.exists():
        return False
    try:
        found = read_shard(shard, layout, len(names)).table["name"].tolist()
    except StoreError:
        return False
    return bool(found == names)


def _finished(path: Path, plan: dict[str, Any]) -> Store:
    index = read_index(path)
    (path / PLAN).unlink(missing_ok=True)
    if different := _differences(index, plan, besides=("names",)):
        raise OutputExistsError(
            f"{path} is a finished store made with other settings: {different}; give another path, or "
            "overwrite it"
        )
    store = Store(path)
    known, wanted = set(store.names.tolist()), set(plan["names"])
    if known < wanted:
        raise OutputExistsError(
            f"{path} is finished and lacks {len(wanted - known)} of the {len(wanted)} trials; --append adds "
            "them, or overwrite it"
        )
    if known != wanted or (store.names.tolist() != plan["names"] and "appended" not in index):
        raise OutputExistsError(
            f"{path} is a finished store of other trials; give another path, or overwrite it"
        )
    return store


def _clear(path: Path) -> None:
    _refuse_others(path)
    (path / INDEX).unlink(missing_ok=True)  # first, so that the rest does not count as a finished store
    for file in path.iterdir():
        file.unlink()


def _refuse_others(path: Path) -> None:
    others = sorted(
        file.name for file in path.iterdir() if not _OURS.fullmatch(file.name) or not file.is_file()
    )
    if others:
        raise StoreError(f"{path} holds other files ({others[0]} …); give the store a folder of its own")

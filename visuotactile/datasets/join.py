"""`visuotactile join`: one store from several stores of a dataset collected in parts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visuotactile.datasets.embodiment import first_difference
from visuotactile.datasets.statistics import add, to_json
from visuotactile.datasets.store import FORMAT, INDEX, Store, shard_name
from visuotactile.errors import OutputExistsError, StoreError
from visuotactile.files import atomic_folder, write_json


def join(stores: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Store:
    """Join several stores of one dataset into one.

    Shards are hard links where the file system supports them: they take no space, and stay when a part is
    deleted or remade (shards are replaced, never modified). Elsewhere they are copies. The index holds the
    settings and the fingerprint of each part. An existing store of the same join is opened as it is.

    Args:
        stores: two or more finished stores of one dataset and robot, with the same layout and no trial in
            common.
        out: folder to make; shards are linked, not copied, where possible.

    Raises:
        StoreError: the stores do not fit together; the message names the first difference.
        OutputExistsError: `out` exists and is not this join.
    """
    parts, out = [Store(path) for path in stores], Path(out)
    _check(parts)
    index = {
        "format": FORMAT,
        "dataset": parts[0].name,
        "source": "",
        "settings": {"joined": [_described(part) for part in parts]},
        "embodiment": parts[0].index.get("embodiment"),
        "layout": parts[0].index["layout"],
        "statistics": to_json(add(part.statistics for part in parts)),
        "shards": [entry for part in parts for entry in part.index["shards"]],
        "finished": True,
    }
    if out.exists():
        return _finished(out, index)
    shards = [part.path / shard_name(i) for part in parts for i in range(len(part.index["shards"]))]
    with atomic_folder(out) as temporary:
        for number, shard in enumerate(shards):
            _link(shard, temporary / shard_name(number))
        write_json(temporary / INDEX, index)
        Store(temporary)  # detects a part that was remade meanwhile
    return Store(out)


def _check(parts: Sequence[Store]) -> None:
    if len(parts) < 2:
        raise StoreError(f"{len(parts)} store to join; give at least two")
    first, owners = parts[0], dict.fromkeys(parts[0].names.tolist(), parts[0].path)
    for part in parts[1:]:
        if part.name != first.name:
            raise StoreError(
                f"{part.path} holds {part.name}, {first.path} {first.name}; only stores of one dataset are "
                "joined, so that the whole is what its name says"
            )
        mine, theirs = first.layout.parts(), part.layout.parts()
        if key := first_difference(mine, theirs):
            raise StoreError(
                f"{key} is {theirs.get(key, 'absent')} in {part.path}, but {mine.get(key, 'absent')} in "
                f"{first.path}; make both with the same settings"
            )
        if first.embodiment and part.embodiment:
            different = first.embodiment.difference(part.embodiment)
        else:
            different = "" if first.embodiment == part.embodiment else "one of them declares no embodiment"
        if different:
            raise StoreError(
                f"{part.path} and {first.path} come of different embodiments: {different}; "
                "only trials of one robot are joined"
            )
        for name in part.names.tolist():
            if name in owners:
                raise StoreError(
                    f"trial {name!r} is in {owners[name]} and in {part.path}; a joined store has each once "
                    "(`collect grasp --first N` numbers the grasps of a second collection from N)"
                )
            owners[name] = part.path


def _described(part: Store) -> dict[str, Any]:
    kept = {key: part.index[key] for key in ("source", "settings")}
    return {"trials": len(part), "fingerprint": part.fingerprint, **kept}


def _finished(out: Path, index: dict[str, Any]) -> Store:
    if not (out / INDEX).is_file() or Store(out).index != index:
        raise OutputExistsError(f"{out} exists already and is not this join; give another OUT, or delete it")
    return Store(out)


def _link(shard: Path, to: Path) -> None:
    try:
        os.link(shard, to)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(shard, to)
        with open(to, "rb") as file:
            os.fsync(file.fileno())

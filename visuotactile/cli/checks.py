"""Checks of a command's paths and columns, before anything heavy is imported.

Parameters of the same name mean the same in every command, so that a check belongs to a name. The command
itself checks the rest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from visuotactile import configs
from visuotactile.cli.signatures import names_of, read
from visuotactile.errors import StoreError, UsageError, did_you_mean
from visuotactile.files import read_json

MADE = {("collect", "store"), ("convert", "store"), ("export", "folder")}
"""Parameters of folders that a command makes, besides `out`."""

FILES = {("look", "out"), ("split", "out"), ("estimate hardness", "out")}
"""Commands whose result is a file; the others make folders."""

SOURCES = ("encoder", "encoders", "spaces", "predictors", "classifier", "model", "models")
READERS = "visuotactile.datasets.readers"
TABLES = {
    "dataset": (READERS, "READERS"),
    "probes": ("visuotactile.probes.estimators", "PROBES"),
}
"""Parameter whose values are the keys of a table → module and name of the table."""

COLUMNS = ("target", "within", "group", "label", "order", "colors", "where", "radius")
SPLITS = ("object", "session", "unit", "trial", "blocks", "random", "column")


def check(command: str, arguments: Mapping[str, Any]) -> None:
    """Check every path and column among the arguments of a command.

    Raises:
        UsageError: a path does not exist, or a result cannot be written where it should.
        StoreError: a store is not finished or damaged, or has no such column.
    """
    for name, value in arguments.items():
        if value is None:
            continue
        if name == "out" or (command, name) in MADE:
            _writable(Path(value), (command, name) in FILES)
        elif name in SOURCES:
            for source in [value] if isinstance(value, str) else value:
                _source(source)
        elif name == "checkpoint":
            _checkpoint(existing(value))
        elif name == "config":
            configs.find(value)
        elif name in ("data", "source", "reference"):
            existing(value)
        elif name == "clips":
            for clip in value:
                existing(clip)
        elif name == "policy" and ":" not in value and not Path(value).is_dir():
            raise UsageError(
                f"policy is {value!r}; expected MODULE:NAME, such as my_lab:choose, or a predictor's folder"
            )
        elif name in TABLES:
            known = names_of(TABLES[name][0])[TABLES[name][1]]
            for each in [value] if isinstance(value, str) else value:
                _one_of(each, known, name.removesuffix("s"))
    if command == "convert":
        reader = names_of(READERS)["READERS"][arguments["dataset"]]
        options = [name for name in read(f"{READERS}.{reader}").parameters if name != "source"]
        for each in arguments.get("options", ()):
            _one_of(each, options, f"option of {arguments['dataset']}")
    stores = [arguments["store"]] if (command, "store") not in MADE and "store" in arguments else []
    for path in [*stores, *arguments.get("stores", ())]:
        _columns(path, arguments)


def _checkpoint(path: Path) -> None:
    if path.is_dir() and not any(path.glob("checkpoints/*.ckpt")):
        raise UsageError(
            f"{path} holds no checkpoint; give the folder of a run, which `visuotactile fit` makes"
        )


def _one_of(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        listed = ", ".join(known) or "none"
        raise UsageError(f"there is no {what} {name!r}{did_you_mean(name, known)} (known: {listed})")


def existing(path: str | os.PathLike[str], kind: str = "path") -> Path:
    """The path, if it exists; otherwise raises `UsageError` with the most similar name beside it."""
    if "://" in str(path):
        raise UsageError(f"{path} is a URL; only local files are read: download it first")
    found = Path(path)
    if {"file": found.is_file, "folder": found.is_dir}.get(kind, found.exists)():
        return found
    if found.exists():
        raise UsageError(f"{found} is no {kind}")
    parent = next((each for each in found.parents if each.is_dir()), Path())
    missing = found.relative_to(parent).parts[0] if parent in found.parents else found.name
    close = did_you_mean(missing, _listed(parent)).replace("mean ", f"mean {parent / '_'}"[:-1])
    raise UsageError(f"{found} does not exist{close}")


def finished_store(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The index of a finished store; raises `UsageError` or `StoreError` if there is none."""
    place = existing(path, "folder")
    if not (place / "store.json").is_file() and not (place / "store.part.json").exists():
        raise StoreError(f"{place} is not a store: it has no store.json; give a folder that `convert` made")
    return read_json(place / "store.json", StoreError) if (place / "store.json").is_file() else {}


def _columns(path: str, arguments: Mapping[str, Any]) -> None:
    layout = finished_store(path).get("layout")
    known = layout.get("columns") if isinstance(layout, Mapping) else None
    if not isinstance(known, Mapping):
        return  # an unfinished or damaged store is for the command to explain
    for name in COLUMNS:
        value = arguments.get(name)
        for given in [value] if isinstance(value, str) else value or ():
            column = given if isinstance(given, str) else given[0]
            for part in column.split("+") if name == "group" else [column]:
                _column(path, part, known)
    split = arguments.get("split")
    if split is None:
        return
    kind, _, detail = str(split).partition(":")
    if kind not in SPLITS:
        existing(split, "file")
    elif kind in ("column", "unit", "blocks") and detail:
        for name in detail.split(":")[:: 2 if kind == "blocks" else 3]:
            _column(path, name, known)


def _column(path: str, name: str, known: Iterable[str]) -> None:
    last = {each.split("/")[-1]: each for each in known if not each.startswith("hidden/")}
    if name not in {*known, *last, "trial"}:
        hint = did_you_mean(name, [*last, *known])
        raise StoreError(f"{path} has no column {name!r}{hint} (it has {', '.join(known)})")


def _source(text: str) -> None:
    """A folder, or [LABEL=]FOLDER[+FOLDER…] or [LABEL=]FOLDER[,FOLDER…]."""
    if Path(text).exists():
        return
    label, separator, places = text.partition("=")
    places = places if separator else label
    for place in [places] if Path(places).exists() else places.replace("+", ",").split(","):
        existing(place, "folder")


def _writable(path: Path, is_file: bool) -> None:
    if path.exists() and path.is_dir() == is_file:
        raise UsageError(f"{path} is a {'folder' if is_file else 'file'}; expected another place to write to")
    nearest = next((each for each in (path, *path.absolute().parents) if each.exists()), Path("/"))
    if nearest != path and not nearest.is_dir():
        raise UsageError(f"{path} cannot be written: {nearest} is a file")
    if not os.access(nearest, os.W_OK):
        raise UsageError(f"{path} cannot be written: there is no permission to write to {nearest}")


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []

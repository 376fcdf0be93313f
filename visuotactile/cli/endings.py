"""The last lines of a command: where its result lies, and the command that usually comes next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from visuotactile.cli.kinds import kind_of
from visuotactile.errors import EncoderError, StoreError, VisuotactileError
from visuotactile.files import read_json

Arguments = Mapping[str, Any]
Ending = tuple[str, list[str]]
"""Line about the result, and the words of the next command; either may be empty."""


def ending(name: str, arguments: Arguments) -> list[str]:
    """The closing lines of a command that has succeeded, in the words in which it was given."""
    result, then = ENDINGS[name](arguments)
    return [*([result] if result else []), *([next_line(then)] if then else [])]


def next_line(words: list[str]) -> str:
    """The line that names the next command; words in capitals are for the user to replace."""
    return f"Next: {shlex.join(['visuotactile', *words])}"


def after_fit(run: Path) -> list[str]:
    """The closing lines of `fit` and `validate`: the run's folder, and its export."""
    return [f"Run: {run}", next_line(["export", str(run), str(Path("exported") / run.name)])]


def after_export(arguments: Arguments) -> Ending:
    """An exported folder, and the command that puts it to use, on the store of its run if known."""
    folder, run = str(arguments["folder"]), Path(arguments["checkpoint"])
    found = kind_of(folder) or "folder"
    data = _data_of(run if run.is_dir() else run.parent.parent)
    store, split = str(data.get("store") or "STORE"), data.get("split")
    reports = str(Path("reports") / Path(folder).name)
    on = ["--store", store]
    # Without a split of their own, these are measured on another store than they learnt from.
    unseen = [*on, "--split", str(split)] if split else ["--store", "STORE"]
    fold = ["--fold", str(data.get("fold") or 0)] if split else ["--split", "object:5"]
    then = {
        "encoder": ["probe", folder, *on, "--target", _target(store), "--split", "object:5"],
        "joint space": ["retrieve", folder, *unseen, *fold],
        "classifier": ["classify", folder, *unseen],
        "estimator": ["estimate", "evaluate", folder, *unseen],
        "predictor": ["regrasp", folder, *_played(folder)],
    }.get(found, [])
    return f"{found.capitalize()}: {folder}", [*then, "--out", reports] if then else []


def _data_of(run: Path) -> Mapping[str, Any]:
    """Settings of a run's data, from its configuration."""
    import yaml

    try:
        content = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        return dict(content["data"]["init_args"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return {}


def _played(folder: str) -> list[str]:
    """The environment of a predictor: the simulated lab, if it learnt there."""
    try:
        learnt = read_json(Path(folder) / "predictor.json", EncoderError)["meta"]["data"]["store"]
    except (VisuotactileError, KeyError, TypeError):
        learnt = ""
    lab = ["visuotactile/Grasp-v0", "easy"] if learnt == "simulated-grasps" else ["ENV", "OBJECTS"]
    return ["--env", lab[0], "--objects", lab[1]]


def _target(store: str) -> str:
    """The first outcome of a store."""
    try:
        columns = read_json(Path(store) / "store.json", StoreError)["layout"]["columns"]
    except (VisuotactileError, KeyError, TypeError):
        return "OUTCOME"
    return next((each.partition("/")[2] for each in columns if each.startswith("outcome/")), "OUTCOME")


def _streams(store: str) -> list[str]:
    """The mapping that a shipped configuration needs for a store whose fingers are called otherwise."""
    try:
        arrays = read_json(Path(store) / "store.json", StoreError)["layout"]["arrays"]
        touched = [each["stream"] for each in arrays if each["phase"] == "during"]
    except (VisuotactileError, KeyError, TypeError):
        return []
    known = not touched or any(name.startswith("tactile_") for name in touched)
    return [] if known else ["--streams", f"tactile_left={touched[0]}"]


def _made_store(name: str) -> Callable[[Arguments], Ending]:
    return lambda given: (f"Store: {given[name]}", ["look", str(given[name])])


def _after_split(given: Arguments) -> Ending:
    store, out = str(given["store"]), str(given["out"])
    fold = ["--data.split", out, "--data.fold", "0"]
    return f"Split: {out}", ["fit", "--config", "laptop/moco", "--data.store", store, *fold, *_streams(store)]


def _after_look(given: Arguments) -> Ending:
    store = str(given["store"])
    sheet = given.get("out") or f"{Path(store).resolve().name}-look.html"
    return f"Sheet: {sheet}", ["fit", "--config", "laptop/moco", "--data.store", store, *_streams(store)]


def _after_rounds(given: Arguments) -> Ending:
    out = Path(given["out"])
    predictor = str(out / f"round-{given.get('rounds', 1)}" / "predictor")
    played = ["--env", "visuotactile/Grasp-v0", "--objects", "easy", "--out", str(out / "regrasping")]
    return f"Report: {out / 'rounds.md'}", ["regrasp", predictor, *played]


def _after_probe(given: Arguments) -> Ending:
    out = Path(given["out"])
    one = [each for each in map(str, given["encoders"]) if "+" not in each]
    drawn = ["--store", str(given["store"]), "--colors", str(given["target"]), "--out", str(out / "map")]
    return f"Report: {out / 'report.html'}", ["map", *one, *drawn] if one else []


def _after_retrieve(given: Arguments) -> Ending:
    out, store = Path(given["out"]), str(given["store"])
    drawn = ["--store", store, "--colors", "object", "--out", str(out / "map")]
    return f"Report: {out / 'retrieval.html'}", ["map", *map(str, given["spaces"]), *drawn]


def _after_adapt(given: Arguments) -> Ending:
    folder = str(given["out"])
    return f"Encoder: {folder}", ["info", folder]


def _after_estimate_fit(given: Arguments) -> Ending:
    folder, store = str(given["out"]), str(given["store"])
    if given.get("split") is None:
        return f"Estimator: {folder}", ["estimate", "hardness", folder, "CLIP"]
    on = ["--store", store, "--split", str(given["split"])]
    report = str(Path("reports") / Path(folder).name)
    return f"Estimator: {folder}", ["estimate", "evaluate", folder, *on, "--out", report]


def _after_estimate(given: Arguments) -> Ending:
    out = given.get("out")
    return f"Page: {out} (open it in a browser)" if out else "", []


def _after_map(given: Arguments) -> Ending:
    return f"Map: {Path(given['out']) / 'map.html'} (open it in a browser)", []


def _after_report(page: str) -> Callable[[Arguments], Ending]:
    return lambda given: (f"Report: {Path(given['out']) / page}", [])


def _nothing(given: Arguments) -> Ending:
    return "", []


ENDINGS: dict[str, Callable[[Arguments], Ending]] = {
    "demo": _nothing,
    "collect": _made_store("store"),
    "convert": _made_store("store"),
    "join": _made_store("out"),
    "split": _after_split,
    "look": _after_look,
    "rounds": _after_rounds,
    "export": after_export,
    "info": _nothing,
    "probe": _after_probe,
    "classify": _after_report("report.md"),
    "estimate fit": _after_estimate_fit,
    "estimate evaluate": _after_report("report.html"),
    "estimate hardness": _after_estimate,
    "retrieve": _after_retrieve,
    "map": _after_map,
    "regrasp": _after_report("report.html"),
    "completion": _nothing,
    "adapt": _after_adapt,
}
"""Command → its ending; `fit` and `validate` say theirs themselves, since they read YAML."""

"""`info`: a screen about a store, an encoder, another artefact or a run, without importing PyTorch."""

from __future__ import annotations

import contextlib
import csv
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.cli.checks import existing
from visuotactile.cli.kinds import KINDS, kind_of
from visuotactile.errors import EncoderError, StoreError, UsageError
from visuotactile.files import read_json, sha256_file

Lines = Iterator[tuple[str, str]]
"""Heading and text; an empty heading continues the one above."""

WIDTH = 110
SEEN = {
    "pretraining_objects": "pretrained on",
    "training_objects": "trained on",
    "held_out_objects": "held out",
}
LISTED = 6
"""Names that are listed before the rest is counted."""


def info(path: str | os.PathLike[str]) -> None:
    """Describe a store, an encoder, a joint space, a predictor, a classifier, an estimator or a run.

    Args:
        path: folder that a command has made.

    Raises:
        UsageError: it is none of them.
        StoreError, EncoderError: it is damaged.
    """
    folder = existing(path, "folder")
    kind = kind_of(folder)
    if kind is None:
        raise UsageError(
            f"{folder} is no folder that a command has made: it has none of {', '.join(KINDS)}; "
            "give a store, an encoder, a joint space, a predictor, a classifier, an estimator or a run"
        )
    describe, error = DESCRIBED[kind]
    try:
        lines = list(describe(folder))
    except (KeyError, TypeError, AttributeError, IndexError) as why:
        raise error(f"{folder} is damaged: its description lacks {why}; make it again") from None
    _print(lines)


def _print(lines: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        # Text from files is printed literally; only its control characters are shown as such.
        clean = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
        wrapped = textwrap.wrap(clean, WIDTH - width, break_on_hyphens=False) or [""]
        for number, line in enumerate(wrapped):
            print(f"{'' if number else name:<{width}}{line}")


def _store(folder: Path) -> Lines:
    from visuotactile.datasets.store import Store

    store = Store(folder)
    index, trials = store.index, len(store)
    simulated = ", simulated" if any(name.startswith("hidden/") for name in store.columns) else ""
    objects, sessions = len(set(store.objects)), len(set(store.sessions))
    source = f", from {index['source']}" if index.get("source") else ""
    yield "store", str(folder)
    yield "dataset", f"{store.name}{simulated}{source}"
    yield "trials", f"{trials:,} of {_counted(objects, 'object')} in {_counted(sessions, 'session')}"
    yield "sensors", _some(sorted(set(store.sensors.tolist())))
    yield from _embodiment(index.get("embodiment"))
    statistics = index.get("statistics", {})
    for (stream, phase), spec in store.specs.items():
        found = statistics.get(f"{stream}/{phase}")
        shape = " × ".join(map(str, spec.shape))
        measured = f", mean {_numbers(found['mean'])}, deviation {_numbers(found['std'])}" if found else ""
        yield f"{stream}/{phase}", f"{spec.dtype} {shape}{measured}, {_size(spec.nbytes * trials)}"
    for name in store.columns:
        if name.startswith("outcome/"):
            yield name, _values(store.column(name))
    others = [name for name in store.columns if "/" in name and not name.startswith("outcome/")]
    if others:
        yield "columns", ", ".join(others)
    yield "settings", _settings(index.get("settings", {}))
    size = _size(sum(each["bytes"] for each in index["shards"]))
    yield "files", f"{_counted(len(index['shards']), 'shard')}, {size}"
    yield "format", str(index["format"])
    yield "fingerprint", store.fingerprint


def _unfinished(folder: Path) -> Lines:
    plan = read_json(folder / "store.part.json", StoreError)
    yield "store", f"{folder}, not finished: run the command that makes it again, and it continues"
    yield "dataset", str(plan.get("dataset"))
    yield "settings", _settings(plan.get("settings", {}))


def _embodiment(described: Mapping[str, Any] | None) -> Lines:
    if described is None:
        yield "embodiment", "none is declared"
        return
    dimensions = [*described["motion"], *described["hand"]]
    action = [f"{each['name']} {each['low']:.4g} to {each['high']:.4g} {each['unit']}" for each in dimensions]
    vectors = [
        f"{each['name']} ({', '.join(entry['name'] for entry in each['entries'])})"
        for each in described["vectors"]
    ]
    yield "embodiment", str(described["name"])
    yield "action", "; ".join(action) or "none"
    yield "vectors", "; ".join(vectors) or "none"
    yield "phases", ", ".join(f"{phase} ({access})" for phase, access in described["phases"].items())


def _artefact(
    name: str, kind: str, describe: Callable[[Path, Mapping[str, Any]], Lines]
) -> Callable[[Path], Lines]:
    """Lines about an artefact folder: its own, and those that all kinds share."""

    def lines(folder: Path) -> Lines:
        described = read_json(folder / f"{name}.json", EncoderError)
        weights, onnx = folder / f"{name}.safetensors", folder / "encoder.onnx"
        if not weights.is_file():
            raise EncoderError(f"{weights} is missing; export the checkpoint again")
        if sha256_file(weights) != described["weights_sha256"]:
            raise EncoderError(f"{weights} is damaged: it is not the file that was written; export it again")
        yield kind, str(folder)
        yield from describe(folder, described)
        yield from _seen(described["meta"])
        if onnx.is_file():
            yield "ONNX", f"{onnx.name}, {_size(onnx.stat().st_size)}"
        versions = described["meta"].get("versions", {})
        yield "made with", ", ".join(f"{package} {version}" for package, version in versions.items())
        yield "weights", f"{_size(weights.stat().st_size)}, intact"
        yield "format", str(described["format"])
        yield "hash", str(described["hash"])

    return lines


def _encoder(_: Path, described: Mapping[str, Any]) -> Lines:
    yield "architecture", f"{described['architecture']}, {described['width']} features"
    yield "input", _contract(described["contract"])


def _joint(folder: Path, described: Mapping[str, Any]) -> Lines:
    yield "space", f"{described['dimension']} dimensions, temperature {described['temperature']:.3g}"
    for name, entry in described["modalities"].items():
        encoder = read_json(folder / "encoders" / name / "encoder.json", EncoderError)
        yield name, f"{entry['architecture']}, {_contract(encoder['contract'])}"


def _branches(network: Mapping[str, Any]) -> Lines:
    for name, entry in network["branches"].items():
        origin = entry.get("origin")
        how = "from images"
        if origin:
            how = f"{'frozen' if entry['frozen'] else 'tuned'} encoder {origin['hash'][:12]}"
            method = origin["meta"].get("method")
            how += f" ({method})" if method else ""
        yield f"branch {name}", f"{entry['architecture']}, {how}, {_contract(entry['contract'])}"


def _classifier(_: Path, described: Mapping[str, Any]) -> Lines:
    network = described["network"]
    yield "classes", _some(network["classes"])
    yield from _branches(network)
    yield "attention", "cross-modal" if network.get("attention") else "none"


def _predictor(_: Path, described: Mapping[str, Any]) -> Lines:
    network, calibration = described["network"], described["calibration"]
    yield "outcomes", ", ".join(network["outcomes"])
    yield from _embodiment(network.get("embodiment"))
    yield from _branches(network)
    yield "vectors read", ", ".join(network.get("vectors", ())) or "none"
    examples = ", ".join(map(str, calibration.get("examples", ())))
    of = f" on {examples} examples of {calibration.get('objects')} objects" if examples else ""
    yield "calibration", f"{calibration['method']}{of}"


def _estimator(_: Path, described: Mapping[str, Any]) -> Lines:
    data = described["meta"].get("data", {})
    low, high = described["span"]
    yield "estimates", f"{data.get('target', 'a number')}, fitted to {low:.4g} to {high:.4g}"
    yield "by", described["estimator"]
    yield "radius", data.get("radius") or "unknown"
    settings = described["settings"]
    if "network" in settings:
        yield from _branches({"branches": {"touch": settings["network"]["branch"]}})
    else:
        yield "settings", ", ".join(f"{name} {value}" for name, value in settings.items())
    units = described["fitted"].get("sensors")
    if units:
        yield "sensors", _some(units)


def _contract(contract: Mapping[str, Any]) -> str:
    """An input contract in a line."""
    kind, reference = contract.get("kind", "image"), contract.get("reference")
    mode = "minus" if contract.get("reference_mode", "subtract") == "subtract" else "beside"
    seen = f"{contract['phase']}{f' {mode} {reference}' if reference else ''}"
    scaled = contract.get("normalisation", "image")
    numbers = f" {_numbers(contract['mean'])} ± {_numbers(contract['std'])}" if contract.get("std") else ""
    size = contract["size"]
    shape = f"{size} × {size} {kind}" if kind != "sound" else f"sound of {size} frames"
    return f"{' or '.join(contract['streams'])}, {seen}, {shape}, normalised by {scaled}{numbers}"


def _seen(meta: Mapping[str, Any]) -> Lines:
    """Lines about the data of the training."""
    data = {**meta, **(meta.get("data") or {})}
    if data.get("method"):
        yield "method", str(data["method"])
    trained = ", ".join(f"{name} {data[name]}" for name in ("seed", "step") if data.get(name) is not None)
    yield "training", trained or "not recorded"
    if data.get("store"):
        cut = str(data.get("split_hash") or "")[:12]
        split = f"split {cut} fold {data.get('fold')}" if cut else "no split"
        yield "data", f"{data['store']}, fingerprint {str(data.get('fingerprint'))[:12]}, {split}"
    for name, what in SEEN.items():
        if data.get(name) is not None:
            yield what, f"{_counted(len(data[name]), 'object')}: {_some(data[name])}"


def _run(folder: Path) -> Lines:
    settings = read_json(folder / "run.json", EncoderError)
    split, fold = settings.get("data.split"), settings.get("data.fold")
    used = f"split {split} fold {fold}" if split else "no split"
    checkpoints = sorted((folder / "checkpoints").glob("*.ckpt"))
    sizes = [f"{each.name} {_size(each.stat().st_size)}" for each in checkpoints]
    yield "run", str(folder)
    yield "method", str(settings.get("model.class_path", "made in Python"))
    yield "data", f"store {settings.get('data.store')}, {used}"
    yield "checkpoints", ", ".join(sizes) or "none yet"
    last = _last_metrics(folder)
    if last:
        epoch, step = (int(float(last.pop(name, "0"))) + 1 for name in ("epoch", "step"))
        yield "reached", f"epoch {epoch}, step {step:,}"
        yield "metrics", ", ".join(f"{name} {float(value):.4g}" for name, value in last.items())
    given = {name: value for name, value in settings.items() if value not in (None, [])}
    yield "settings", ", ".join(f"{name} {value}" for name, value in given.items())


def _last_metrics(folder: Path) -> dict[str, str]:
    """The last value of each metric of a run."""
    last: dict[str, str] = {}
    with (
        contextlib.suppress(OSError, csv.Error, UnicodeDecodeError),
        open(folder / "metrics.csv", newline="", encoding="utf-8") as file,
    ):
        for row in csv.DictReader(file):
            last |= {name: value for name, value in row.items() if name and value}
    return last


def _settings(settings: Mapping[str, Any]) -> str:
    if "joined" in settings:
        return f"joined of {len(settings['joined'])} stores"
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None) or "none"


def _values(column: Any) -> str:
    """The values of an outcome: counts of a few, or the range of many."""
    import numpy as np

    number = column.dtype.kind == "f"
    known = column[np.isfinite(column)] if number else column
    missing = f", {len(column) - len(known):,} missing" if len(known) < len(column) else ""
    values, counts = np.unique(known, return_counts=True)
    if len(values) > LISTED:
        span = f"{known.min():.4g} to {known.max():.4g}, mean {known.mean():.4g}"
        return (span if number else f"{len(values):,} values") + missing
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    shown = [f"{value:g}: {count:,}" if number else f"{value}: {count:,}" for value, count in pairs]
    return ", ".join(shown) + missing


def _numbers(values: Sequence[float]) -> str:
    """A number for each channel, or one for all."""
    shown = [f"{value:.3g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else " ".join(shown)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(map(str, names[:LISTED])) + more


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(number: float) -> str:
    """Bytes in a readable unit.

    >>> _size(831), _size(24_000_000), _size(3.2e9)
    ('831 B', '24 MB', '3.2 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if number >= size:
            return f"{number / size:.2g} {unit}" if number < 10 * size else f"{number / size:.0f} {unit}"
    return f"{number:.0f} B"


DESCRIBED: dict[str, tuple[Callable[[Path], Lines], type[Exception]]] = {
    "store": (_store, StoreError),
    "unfinished store": (_unfinished, StoreError),
    "encoder": (_artefact("encoder", "encoder", _encoder), EncoderError),
    "joint space": (_artefact("joint", "joint space", _joint), EncoderError),
    "classifier": (_artefact("classifier", "classifier", _classifier), EncoderError),
    "predictor": (_artefact("predictor", "predictor", _predictor), EncoderError),
    "estimator": (_artefact("estimator", "estimator", _estimator), EncoderError),
    "run": (_run, EncoderError),
}
"""Kind → its lines, and the error of a damaged one."""

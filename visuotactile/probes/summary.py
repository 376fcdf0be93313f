"""An evaluation as plain JSON: every figure with its interval, its baselines and its units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from visuotactile.probes.entries import Entry
from visuotactile.probes.evaluation import BUDGET_DRAWS, BUDGET_PROBE, Evaluation
from visuotactile.probes.metrics import PER_OBJECT, WITHIN
from visuotactile.probes.notes import headline, notes
from visuotactile.probes.rows import PRETRAINED
from visuotactile.reports.intervals import LEVEL, Estimate

FORMAT = 2
# A larger table of confusions is not read.
MOST_CONFUSED = 20

METRIC_TITLES = {
    "auroc": "AUROC",
    WITHIN: "AUROC within",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    PER_OBJECT: "Average accuracy per object",
}
UNITS = {"object": "objects", "trial": "trials", "session": "sessions"}
METRIC_MEANINGS = {
    "auroc": "Chance that a trial of the class is ranked above one of another class, both scored by the same "
    "fitted probe (of the same fold). 0.5 is guessing.",
    WITHIN: "The same over pairs from one {within} only: what the {within} gives away does not count.",
    "accuracy": "Share of trials predicted right. Compare with the majority row.",
    "balanced_accuracy": "Share predicted right, averaged over the classes. Guessing gives 1 / classes.",
    PER_OBJECT: "Accuracy of each object, averaged: one that is grasped often counts once.",
}


def summarise(found: Evaluation, probes: Sequence[str], budgets: Sequence[float]) -> dict[str, Any]:
    """The report's content, without its provenance: plain values, None where a figure is undefined."""
    probe = headline_probe(probes)
    metric = headline_metric(found)
    methods = [_method(found, method, entries, probes) for method, entries in found.methods.items()]
    best = best_method(methods, probe, metric)
    report = {
        "format": FORMAT,
        "task": _task(found),
        "probes": list(probes),
        "metrics": {
            name: {
                "title": _metric_title(found, name),
                "meaning": METRIC_MEANINGS[name].format(within=found.task.within),
            }
            for name in sorted(found.metrics, key=lambda name: name != metric)
        },
        "headline": {
            "probe": probe,
            "metric": metric,
            "method": best["name"],
            "text": headline(best, probe, metric, METRIC_TITLES[metric], found.task.within),
        },
        "methods": methods,
        "encoders": [_encoder(found, entry, probes) for entry in found.entries],
        "budgets": _budgets(found, budgets),
        "objects": _objects(found, probe, best["name"]),
        "confusion": _confusion(found, probe, best["name"]),
    }
    report["notes"] = notes(found, report)
    return report


def headline_probe(probes: Sequence[str]) -> str:
    """The probe of the headline: fixed beforehand, since the best of several is biased upwards."""
    return BUDGET_PROBE if BUDGET_PROBE in probes else probes[0]


def headline_metric(found: Evaluation) -> str:
    """AUROC for an outcome; accuracy for the object, as in papers, since most pairs of objects are easy."""
    return "accuracy" if found.task.asks_object else "auroc"


def best_method(methods: Sequence[dict[str, Any]], probe: str, metric: str) -> dict[str, Any]:
    """The pretrained method with the highest figure under this probe."""
    pretrained = [method for method in methods if method["kind"] == PRETRAINED]
    return max(pretrained, key=lambda method: method["figures"][metric][probe]["value"] or 0.0)


def figure(estimate: Estimate) -> dict[str, Any]:
    """One figure: value, 95% interval over units, spread over seeds, and the value for each seed."""
    low, high = estimate.interval()
    return {
        "value": _number(estimate.value),
        "low": _number(low),
        "high": _number(high),
        "seed_spread": _number(estimate.spread),
        "per_seed": [_number(value) for value in estimate.per_seed.tolist()],
    }


def _task(found: Evaluation) -> dict[str, Any]:
    task, store = found.task, found.task.store
    split = task.splits[0]
    tested = np.unique(np.concatenate([test for i in range(len(task.seeds)) for _, test in task.folds(i)]))
    return {
        "store": str(store.path),
        "dataset": store.name,
        "fingerprint": store.fingerprint,
        "target": task.target,
        "asks_object": task.asks_object,
        "classes": {str(value): int((task.labels == i).sum()) for i, value in enumerate(task.classes)},
        "units": {
            "trials": len(tested),
            "objects": len(np.unique(task.objects[tested])),
            "sessions": len(np.unique(store.sessions[tested])),
        },
        "split": {
            "name": split.name,
            "unit": split.unit,
            "folds": len(split.folds),
            "train_trials": float(np.mean([len(train) for train, _ in task.folds(0)])),
            "hashes": list(dict.fromkeys(each.hash for each in task.splits)),
            "shared_objects": task.shared_objects(),
        },
        "seeds": list(task.seeds),
        "within": task.within,
        "interval": {
            "level": LEVEL,
            "resampled": UNITS.get(task.unit, f"values of {task.unit}"),
            "units": int(task.tested_units().sum()),
            "draws": len(found.counts),
        },
    }


def _method(found: Evaluation, name: str, entries: Sequence[Entry], probes: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    against: dict[str, Any] = {}
    for metric in found.metrics:
        figures[metric], against[metric] = {}, {}
        for probe in probes:
            ours = found.of_method(name, probe, metric)
            each = [found.estimate(entry, probe, metric).value for entry in entries]
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else math.nan
            figures[metric][probe] = {**figure(ours), "encoder_spread": _number(spread)}
            gain = found.gain(name, probe, metric)
            if gain is not None:
                against[metric][probe] = figure(gain)
    shares = [entry.saw_test_objects for entry in entries]
    return {
        "name": name,
        "kind": entries[0].kind,
        "entries": [entry.name for entry in entries],
        "untrained": entries[0].untrained,
        "pretraining_saw_test_objects": None
        if None in shares
        else float(np.mean([s for s in shares if s is not None])),
        "pretraining_saw_test_trials": None
        if None in (trials := [entry.saw_test_trials for entry in entries])
        else any(trials),
        "only": entries[0].only,
        "figures": figures,
        "against_untrained": against if entries[0].untrained is not None else None,
    }


def _encoder(found: Evaluation, entry: Entry, probes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": entry.name,
        "method": entry.method,
        "kind": entry.kind,
        "pretraining_saw_test_objects": entry.saw_test_objects,
        **entry.facts,
        "figures": {
            metric: {probe: figure(found.estimate(entry, probe, metric)) for probe in probes}
            for metric in found.metrics
        },
    }


def _budgets(found: Evaluation, budgets: Sequence[float]) -> dict[str, Any]:
    train = float(np.mean([len(train) for train, _ in found.task.folds(0)]))
    points = []
    for share in budgets:
        methods = {name: found.budget(name, share) for name in found.methods}
        points.append(
            {
                "share": share,
                "trials": max(len(found.task.classes), round(share * train)),
                "auroc": {name: figure(value) for name, value in methods.items() if value is not None},
            }
        )
    return {"probe": BUDGET_PROBE, "draws": BUDGET_DRAWS, "points": points}


def _objects(found: Evaluation, probe: str, best: str) -> list[dict[str, Any]]:
    """Accuracy of each tested object under the headline probe, hardest first."""
    columns = {name: _accuracy_by_object(found, name, probe) for name in found.methods}
    store, task = found.task.store, found.task
    rows = []
    for number, name in enumerate(task.object_names):
        if not np.isfinite(columns[best][number]):
            continue
        members = store.objects == name
        rows.append(
            {
                "name": name,
                "trials": int(members.sum()),
                "classes": {
                    str(v): int((task.labels[members] == i).sum()) for i, v in enumerate(task.classes)
                },
                "accuracy": {method: _number(values[number]) for method, values in columns.items()},
            }
        )
    return sorted(rows, key=lambda row: row["accuracy"][best])


def _confusion(found: Evaluation, probe: str, best: str) -> dict[str, Any] | None:
    """Of each class's test trials the share said to be of each class, over seeds and encoders."""
    classes = found.task.classes
    if not 2 < len(classes) <= MOST_CONFUSED:
        return None
    table = np.zeros((len(classes), len(classes)))
    for entry in found.methods[best]:
        for each in found.predictions[entry.name, probe]:
            np.add.at(table, (each.labels, each.predicted), 1)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    return {"classes": [str(value) for value in classes], "shares": shares.round(4).tolist()}


def _accuracy_by_object(found: Evaluation, method: str, probe: str) -> Any:
    """[objects], averaged over seeds and encoders; NaN for an object that is never tested."""
    size = len(found.task.object_names)
    hits, tested = np.zeros(size), np.zeros(size)
    for entry in found.methods[method]:
        for each in found.predictions[entry.name, probe]:
            hits += np.bincount(each.objects, each.predicted == each.labels, size)
            tested += np.bincount(each.objects, minlength=size)
    return np.divide(hits, tested, out=np.full(size, np.nan), where=tested > 0)


def _metric_title(found: Evaluation, name: str) -> str:
    return METRIC_TITLES[name] + (f" {found.task.within}" if name == WITHIN else "")


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None

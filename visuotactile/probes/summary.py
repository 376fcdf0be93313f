"""An evaluation as plain JSON: every figure with its interval, its baselines and its units, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from visuotactile.probes.estimators import title
from visuotactile.probes.evaluation import BUDGET_DRAWS, BUDGET_PROBE, Evaluation
from visuotactile.probes.metrics import PER_OBJECT, WITHIN
from visuotactile.probes.rows import MAJORITY, PRETRAINED, SESSION, Entry
from visuotactile.reports.intervals import LEVEL, Estimate, format_figure, json_number, spread
from visuotactile.reports.leaks import pretraining_saw

FORMAT = 2
# A larger confusion matrix is not read.
MOST_CONFUSED = 20
# Below this many units a percentile interval is known to be too narrow.
FEW_UNITS = 20

METRIC_TITLES = {
    "auroc": "AUROC",
    WITHIN: "AUROC within",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    PER_OBJECT: "Average accuracy per object",
}
UNITS = {"object": "objects", "trial": "trials", "session": "sessions"}
METRIC_MEANINGS = {
    "auroc": "Probability that a trial of the class is ranked above one of another class, both scored by the "
    "same fitted probe (of the same fold). Chance is 0.5.",
    WITHIN: "AUROC over pairs from one {within} only, so that differences between {within}s do not count.",
    "accuracy": "Share of trials predicted correctly. Compare with the majority row.",
    "balanced_accuracy": "Recall, averaged over the classes. Chance is 1 / classes.",
    PER_OBJECT: "Accuracy of each object, averaged, so that an object grasped often counts once.",
}


def summarise(found: Evaluation, probes: Sequence[str], budgets: Sequence[float]) -> dict[str, Any]:
    """Content of the report, without its provenance: plain values, None where a figure is undefined."""
    probe = headline_probe(probes)
    metric = headline_metric(found)
    methods = [_method(found, method, entries, probes) for method, entries in found.methods.items()]
    best = best_method(methods, probe, metric)
    shared = found.task.shared_objects() > 0
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
            "text": headline(best, probe, metric, METRIC_TITLES[metric], found.task.within)
            + "".join(f" {sentence}" for sentence in _caveats(found))
            + f" {_saw(best, shared=shared)}",
            "pretraining_of_others": [
                _saw(method, shared=shared)
                for method in methods
                if method["kind"] == PRETRAINED and method is not best
            ],
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
    """Probe of the headline: fixed beforehand, since the best of several is biased upwards."""
    return BUDGET_PROBE if BUDGET_PROBE in probes else probes[0]


def headline_metric(found: Evaluation) -> str:
    """AUROC for an outcome; accuracy for the object, as in papers, since most pairs of objects are easy."""
    return "accuracy" if found.task.predicts_object else "auroc"


def overview(report: dict[str, Any]) -> list[str]:
    """Metrics shown first: the headline's, and the one within strata if there is one."""
    return [report["headline"]["metric"], *([WITHIN] if WITHIN in report["metrics"] else [])]


def best_method(methods: Sequence[dict[str, Any]], probe: str, metric: str) -> dict[str, Any]:
    """The pretrained method with the highest figure under this probe."""
    pretrained = [method for method in methods if method["kind"] == PRETRAINED]
    return max(pretrained, key=lambda method: method["figures"][metric][probe]["value"] or 0.0)


def figure(estimate: Estimate) -> dict[str, Any]:
    """One figure: value, 95% interval over units, spread over seeds, and the value for each seed."""
    return {
        **estimate.figure(),
        "seed_spread": json_number(estimate.spread),
        "per_seed": [json_number(value) for value in estimate.per_seed.tolist()],
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
        "asks_object": task.predicts_object,
        "classes": {str(value): int((task.labels == i).sum()) for i, value in enumerate(task.classes)},
        "units": {
            "trials": len(tested),
            "objects": len(np.unique(task.objects[tested])),
            "sessions": len(np.unique(store.sessions[tested])),
            "unlabelled": int((task.labels < 0).sum()),
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
            "resampled": _units(task.unit),
            "instead_of": task.instead_of,
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
            figures[metric][probe] = {**figure(ours), "encoder_spread": json_number(spread(each))}
            gain = found.gain(name, probe, metric)
            if gain is not None:
                against[metric][probe] = figure(gain)
    shares = [entry.saw_test_objects for entry in entries]
    trials = [entry.saw_test_trials for entry in entries]
    return {
        "name": name,
        "kind": entries[0].kind,
        "entries": [entry.name for entry in entries],
        "untrained": entries[0].untrained,
        "pretraining_saw_test_objects": None
        if None in shares
        else float(np.mean([share for share in shares if share is not None])),
        "pretraining_saw_test_trials": None if None in trials else any(trials),
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
                "accuracy": {method: json_number(values[number]) for method, values in columns.items()},
            }
        )
    return sorted(rows, key=lambda row: row["accuracy"][best])


def _confusion(found: Evaluation, probe: str, best: str) -> dict[str, Any] | None:
    """Confusion matrix over seeds and encoders, rows normalised; None where it would be trivial or unread."""
    classes = found.task.classes
    if not 2 < len(classes) <= MOST_CONFUSED:
        return None
    parts = [each for entry in found.methods[best] for each in found.predictions[entry.name, probe]]
    labels, predicted = (
        np.concatenate([getattr(each, key) for each in parts]) for key in ("labels", "predicted")
    )
    shares = confusion_matrix(labels, predicted, labels=range(len(classes)), normalize="true")
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


def headline(best: dict[str, Any], probe: str, metric: str, about: str, within: str | None) -> str:
    """Comparison of the best pretrained method with its untrained encoder, in two or three sentences."""
    figures, gains = best["figures"], best["against_untrained"]
    text = (
        f"{best['name']} with the {title(probe)} probe reaches {about if about.isupper() else about.lower()} "
        f"{format_figure(figures[metric][probe])}. "
        + _verdict(gains[metric][probe], single=len(best["entries"]) == 1)
    )
    if within is None:
        return text
    own, gain = (values[WITHIN][probe] for values in (figures, gains))
    return (
        f"{text} Within one {within}, its AUROC is {format_figure(own)}, the gain "
        f"{format_figure(gain, signed=True)}."
    )


def _caveats(found: Evaluation) -> list[str]:
    """Sentences on figures that say less than they seem to."""
    task = found.task
    lines = []
    if task.within_repeats:
        lines.append(
            f"Every fold tests one {task.within} only, so the AUROC within {task.within} repeats the AUROC."
        )
    if not task.compares:
        lines.append("No fold tests two classes, so there is no AUROC; the accuracy stands.")
    if task.instead_of:
        lines.append(
            f"Each class of {task.target} is one {task.instead_of} and the other way round, so the intervals "
            f"resample {_units(task.unit)} instead: they do not cover which {_units(task.instead_of)} were "
            "sampled."
        )
    return lines


def _units(unit: str) -> str:
    return UNITS.get(unit, f"values of {unit}")


def _verdict(gain: dict[str, Any], *, single: bool) -> str:
    if gain["low"] is None:
        return "There is no interval: too few units to resample."
    text = f"The gain over the untrained network is {format_figure(gain, signed=True)}: "
    if gain["low"] > 0:
        return text + ("this encoder is better than random weights." if single else "pretraining helps.")
    if gain["high"] < 0:
        return text + ("this encoder is worse than random weights." if single else "pretraining hurts.")
    return text + "these trials do not show whether pretraining helps."


def notes(found: Evaluation, report: dict[str, Any]) -> list[str]:
    """Notes on what was measured, possible leaks, what the intervals cover, and the baselines."""
    return [*_measured(report), *_leaks(report), *_doubts(found, report), _baselines()]


def _measured(report: dict[str, Any]) -> list[str]:
    task, units, split = report["task"], report["task"]["units"], report["task"]["split"]
    classes = " and ".join(f"{count} trials of class {value}" for value, count in task["classes"].items())
    shuffles = "shuffled anew for each seed" if len(split["hashes"]) > 1 else "the same for every seed"
    resampled = task["interval"]["resampled"]
    unlabelled = (
        [f"{units['unlabelled']} trials without {task['target']} are left out, in training and testing."]
        if units["unlabelled"]
        else []
    )
    return [
        f"Task: predict {task['target']} in {task['dataset']} ({classes}). Each figure is the mean over "
        f"{len(task['seeds'])} seeds of predictions on trials that the probe was not fitted on, "
        f"{units['trials']} trials of {units['objects']} objects in {units['sessions']} sessions in all. "
        f"Split {split['name']}, {split['folds']} fold(s), {shuffles}.",
        *unlabelled,
        f"Intervals (95%) come from {task['interval']['draws']:,} bootstrap resamples of the {resampled}, "
        f"the independent units: they cover which {resampled} were sampled. The variation between "
        "pretrainings, or between draws of random weights, is given as ±. The gain over the untrained "
        "encoder covers both.",
        "The headline uses one probe, fixed beforehand. The best of several probes or methods is biased "
        "upwards.",
    ]


def _leaks(report: dict[str, Any]) -> list[str]:
    task, shared = report["task"], report["task"]["split"]["shared_objects"]
    lines = []
    if task["asks_object"]:
        lines.append(
            "The target is the object itself, so every test object is among the training trials too, and the "
            f"independent units are {task['interval']['resampled']}: the figures measure how well known "
            "objects are distinguished in new trials."
        )
    elif shared > 0:
        lines.append(
            f"Objects are shared: {shared:.0%} of the test trials are of an object that is among the "
            "training trials too. The figures say nothing about new objects."
        )
    for method in report["methods"]:
        if method["kind"] == SESSION:
            value = format_figure(method["figures"]["auroc"][report["headline"]["probe"]])
            text = f"The session alone, without any touch, gives AUROC {value}."
            lines.append(text if task["within"] else f"{text} --within session removes its effect.")
    return lines


def _saw(method: dict[str, Any], *, shared: bool) -> str:
    trials = method["pretraining_saw_test_trials"] if shared else None
    return pretraining_saw(method["name"], method["pretraining_saw_test_objects"], trials)


def _doubts(found: Evaluation, report: dict[str, Any]) -> list[str]:
    lines = []
    single = [
        method["name"]
        for method in report["methods"]
        if method["kind"] == PRETRAINED and len(method["entries"]) == 1
    ]
    if single:
        lines.append(
            f"{', '.join(single)}: one encoder each, so the figures are that encoder's, not the method's. "
            "The interval of the gain assumes that pretrainings vary as much as random weights do."
        )
    drawn = report["task"]["interval"]
    if drawn["units"] < FEW_UNITS:
        lines.append(f"{drawn['units']} {drawn['resampled']} are few: the intervals are too narrow.")
    resampled = found.of_method(MAJORITY, report["headline"]["probe"], "auroc").resampled
    undefined = float(np.mean(~np.isfinite(resampled)))
    if 0 < undefined < 1:
        lines.append(
            f"{undefined:.0%} of the resamples held one class only and are left out of the intervals."
        )
    return lines


def _baselines() -> str:
    return (
        "Baselines: majority always predicts the most frequent class; raw pixels gives the probes "
        "the prepared image at 32×32; untrained is the same network with random weights, several draws. "
        "Features are standardised and reduced by PCA on the training side; no setting was tuned."
    )

"""An evaluation as plain JSON: every figure with its interval, its baselines and its units, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from visuotactile.probes.estimators import title
from visuotactile.probes.evaluation import BUDGET_DRAWS, BUDGET_PROBE, Evaluation
from visuotactile.probes.metrics import BY_GROUP, PER_OBJECT, WITHIN
from visuotactile.probes.rows import IMAGENET, MAJORITY, NUISANCE, PRETRAINED, SESSION, Entry
from visuotactile.reports import regression
from visuotactile.reports.intervals import LEVEL, Estimate, format_figure, holm, json_number, spread
from visuotactile.reports.leaks import pretraining_saw

FORMAT = 3
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
    BY_GROUP: "Accuracy, threshold per object",
    **{name: regression.TITLES[name] for name in ("r2", "rmse", "spearman")},
}
UNITS = {"object": "objects", "trial": "trials", "session": "sessions"}
METRIC_MEANINGS = {
    "auroc": "Probability that a trial of the class is ranked above one of another class, both scored by the "
    "same fitted probe (of the same fold). Chance is 0.5.",
    WITHIN: "AUROC over pairs from one {within} only, so that differences between {within}s do not count.",
    "accuracy": "Share of trials predicted correctly, at the threshold that the training side gives. Compare "
    "with the majority row.",
    BY_GROUP: "Share of trials predicted correctly if, within each test object, the highest scores are "
    "called positive, as many as the training side's share: a threshold that needs no label of the object, "
    "but its trials together.",
    "r2": "Share of the variance of the tested numbers that is explained: 1 without error, 0 for their mean.",
    "rmse": "Root of the mean squared error, in the unit of the target. Lower is better.",
    "spearman": "Rank correlation of predicted and true numbers.",
    "balanced_accuracy": "Recall, averaged over the classes. Chance is 1 / classes.",
    PER_OBJECT: "Accuracy of each object, averaged, so that an object grasped often counts once.",
}


def summarise(found: Evaluation, probes: Sequence[str], budgets: Sequence[float]) -> dict[str, Any]:
    """Content of the report, without its provenance: plain values, None where a figure is undefined."""
    probe = headline_probe(probes)
    metric = headline_metric(found)
    methods = [_method(found, method, entries, probes) for method, entries in found.methods.items()]
    pretrained = [name for name, entries in found.methods.items() if entries[0].kind == PRETRAINED]
    chosen = found.best(pretrained, probe, metric) or pretrained[0]
    (best,) = (method for method in methods if method["name"] == chosen)
    nuisances = _nuisances(found, best["name"], probe, metric)
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
            "warnings": [each["text"] for each in nuisances if each["text"]],
            "pretraining_of_others": [
                _saw(method, shared=shared)
                for method in methods
                if method["kind"] == PRETRAINED and method is not best
            ],
        },
        "methods": methods,
        "claims": _claims(found, pretrained, probe, metric),
        "nuisances": nuisances,
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
    """AUROC for an outcome, R² for a number; accuracy for the object, since most pairs are easy."""
    if found.task.numbers is not None:
        return "r2"
    return "accuracy" if found.task.predicts_object else "auroc"


def overview(report: dict[str, Any]) -> list[str]:
    """Metrics shown first: the headline's, and the one within strata if there is one."""
    return [report["headline"]["metric"], *([WITHIN] if WITHIN in report["metrics"] else [])]


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
        "numbers": None
        if task.numbers is None
        else {"low": float(np.nanmin(task.numbers)), "high": float(np.nanmax(task.numbers))},
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
    over_untrained: dict[str, Any] = {}
    over_best: dict[str, Any] = {}
    untrained = found.untrained(name)
    for metric in found.metrics:
        figures[metric], over_untrained[metric], over_best[metric] = {}, {}, {}
        for probe in probes:
            ours = found.of_method(name, probe, metric)
            each = [found.estimate(entry, probe, metric).value for entry in entries]
            figures[metric][probe] = {**figure(ours), "encoder_spread": json_number(spread(each))}
            if untrained is None:
                continue
            over_untrained[metric][probe] = figure(found.gain(name, untrained, probe, metric))
            # Within strata of one class each, nothing is defined.
            baseline = found.best_baseline(name, probe, metric) or untrained
            gain = found.gain(name, baseline, probe, metric)
            over_best[metric][probe] = {**figure(gain), "baseline": baseline}
    shares = [entry.saw_test_objects for entry in entries]
    trials = [entry.saw_test_trials for entry in entries]
    return {
        "name": name,
        "kind": entries[0].kind,
        "entries": [entry.name for entry in entries],
        "baselines": list(entries[0].baselines),
        "pretraining_saw_test_objects": None
        if None in shares
        else float(np.mean([share for share in shares if share is not None])),
        "pretraining_saw_test_trials": None if None in trials else any(trials),
        "only": entries[0].only,
        "figures": figures,
        "against_best_baseline": over_best if untrained else None,
        "against_untrained": over_untrained if untrained else None,
    }


def _claims(found: Evaluation, pretrained: Sequence[str], probe: str, metric: str) -> dict[str, Any]:
    """Gain of each pretrained method over its best baseline, corrected for the number of methods."""
    gains = {}
    for name in pretrained:
        baseline = found.best_baseline(name, probe, metric)
        if baseline is not None:
            gains[name] = found.gain(name, baseline, probe, metric)
    return {name: each.figure(gains[name].value) for name, each in holm(gains).items()}


def _nuisances(found: Evaluation, best: str, probe: str, metric: str) -> list[dict[str, Any]]:
    """Each nuisance beside the best encoder, with a warning where it does as well."""
    rows = []
    for name, entries in found.methods.items():
        if entries[0].kind != NUISANCE:
            continue
        lead = found.gain(best, name, probe, metric)
        low, _ = lead.interval()
        own = figure(found.of_method(name, probe, metric))
        # Its probe may do worse than chance, by chance.
        above = own["low"] is not None and own["low"] > (0.0 if metric == "r2" else 0.5)
        text = ""
        if above and not low > 0:
            text = (
                f"Warning: {name} alone gives {METRIC_TITLES[metric]} {format_figure(own)}, and the lead of "
                f"{best} over it is {format_figure(figure(lead), signed=True)}: what is predicted may be "
                "that, and not touch."
            )
        rows.append({"name": name, "figure": own, "lead": figure(lead), "text": text})
    return rows


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
                "figures": {name: figure(value) for name, value in methods.items() if value is not None},
            }
        )
    return {
        "probe": BUDGET_PROBE,
        "metric": found.budget_metric,
        "draws": BUDGET_DRAWS,
        "points": points,
    }


def _objects(found: Evaluation, probe: str, best: str) -> list[dict[str, Any]]:
    """Accuracy, or RMSE, of each tested object under the headline probe, hardest first."""
    columns = {name: _by_object(found, name, probe) for name in found.methods}
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
                "figure": {method: json_number(values[number]) for method, values in columns.items()},
            }
        )
    return sorted(rows, key=lambda row: row["figure"][best], reverse=task.numbers is not None)


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


def _by_object(found: Evaluation, method: str, probe: str) -> Any:
    """[objects] accuracy or RMSE over seeds and encoders; NaN for an object that is never tested."""
    task = found.task
    size = len(task.object_names)
    total, tested = np.zeros(size), np.zeros(size)
    for entry in found.methods[method]:
        for split, each in enumerate(found.predictions[entry.name, probe]):
            trials = np.concatenate([test for _, test in task.folds(split)])
            if task.numbers is None:
                values = (each.predicted == each.labels).astype(np.float64)
            else:
                values = (each.predicted - each.truth) ** 2
            total += np.bincount(task.objects[trials], values, size)
            tested += np.bincount(task.objects[trials], minlength=size)
    means = np.divide(total, tested, out=np.full(size, np.nan), where=tested > 0)
    return means if task.numbers is None else np.sqrt(means)


def _metric_title(found: Evaluation, name: str) -> str:
    return METRIC_TITLES[name] + (f" {found.task.within}" if name == WITHIN else "")


def headline(best: dict[str, Any], probe: str, metric: str, about: str, within: str | None) -> str:
    """Comparison of the best pretrained method with the best of its baselines, in two or three sentences."""
    figures, gains = best["figures"], best["against_best_baseline"]
    text = (
        f"{best['name']} with the {title(probe)} probe reaches {about if about.isupper() else about.lower()} "
        f"{format_figure(figures[metric][probe])}. "
        + _verdict(gains[metric][probe], single=len(best["entries"]) == 1)
    )
    if within is None or WITHIN not in figures:
        return text
    own, gain = (values[WITHIN][probe] for values in (figures, gains))
    return (
        f"{text} Within one {within}, its AUROC is {format_figure(own)}, the gain over the best baseline "
        f"there ({gain['baseline']}) {format_figure(gain, signed=True)}."
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
    text = f"The gain over its best baseline, {gain['baseline']}, is {format_figure(gain, signed=True)}: "
    if gain["low"] > 0:
        return text + ("this encoder is better." if single else "pretraining helps.")
    if gain["high"] < 0:
        return text + ("this encoder is worse." if single else "pretraining hurts.")
    return text + "these trials do not show whether pretraining helps."


def notes(found: Evaluation, report: dict[str, Any]) -> list[str]:
    """Notes on what was measured, possible leaks, what the intervals cover, and the baselines."""
    return [*_measured(report), *_leaks(report), *_doubts(found, report), _baselines()]


def _measured(report: dict[str, Any]) -> list[str]:
    task, units, split = report["task"], report["task"]["units"], report["task"]["split"]
    classes = " and ".join(f"{count} trials of class {value}" for value, count in task["classes"].items())
    if task["numbers"] is not None:
        classes = f"numbers from {task['numbers']['low']:g} to {task['numbers']['high']:g}"
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
        "pretrainings, or between draws of random weights, is given as ±. A gain covers both.",
        "The headline uses one probe, fixed beforehand. The best of several probes or methods is biased "
        "upwards; so is the best of several baselines, which is against the encoder. The gain over it, "
        f"corrected by Holm for {len(report['claims'])} method(s): "
        + "; ".join(
            f"{name} {format_figure(claim, signed=True)}, p = {_p(claim['holm_p'])}"
            for name, claim in report["claims"].items()
        )
        + ".",
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
    for each in report["nuisances"]:
        if each["name"] == SESSION:
            value = f"{_short(report)} {format_figure(each['figure'])}"
            text = f"The session alone, without any touch, gives {value}."
            lines.append(text if task["within"] else f"{text} --within session removes its effect.")
    return lines


def _short(report: dict[str, Any]) -> str:
    return METRIC_TITLES[report["headline"]["metric"]]


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


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
    constant = next(name for name, entries in found.methods.items() if entries[0].kind == MAJORITY)
    resampled = found.of_method(constant, report["headline"]["probe"], report["headline"]["metric"]).resampled
    undefined = float(np.mean(~np.isfinite(resampled)))
    if 0 < undefined < 1:
        lines.append(
            f"{undefined:.0%} of the resamples held one class only and are left out of the intervals."
        )
    if not any(method["kind"] == IMAGENET for method in report["methods"]):
        lines.append("ImageNet is no row here; `pip install 'visuotactile[imagenet]'` adds it for images.")
    return lines


def _baselines() -> str:
    return (
        "Baselines: majority always predicts the most frequent class, mean the training side's mean; raw "
        "pixels gives the probes the prepared image at 32×32; untrained is the same network with random "
        "weights, several draws; untrained, adapted is the same with the statistics of batch norm and input "
        "recomputed on the training side's images; ImageNet is EfficientNet-Lite0 on the same images. "
        "Nuisances: the mean of each channel, the rim of the image, the session, the order of recording. "
        "Features are standardised and reduced by PCA; each probe chooses components and regularisation by "
        "cross-validation within the training side, by group, for every row alike."
    )

"""What the figures say, in words: the headline, and what a careful reader would ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from visuotactile.probes.estimators import title
from visuotactile.probes.evaluation import Evaluation
from visuotactile.probes.rows import MAJORITY, PRETRAINED, SESSION

# Below this many units a percentile interval is known to be too narrow.
FEW_UNITS = 20


def written(value: dict[str, Any] | None, *, signed: bool = False) -> str:
    """A figure as text: "0.81 [0.74, 0.88]"."""
    if value is None or value["value"] is None:
        return "–"
    sign = "+z" if signed else "z"  # z: no minus before a zero
    text = f"{value['value']:{sign}.3f}"
    return text if value["low"] is None else f"{text} [{value['low']:{sign}.2f}, {value['high']:{sign}.2f}]"


def overview(report: dict[str, Any]) -> list[str]:
    """The metrics that a reader looks at first: the headline's, and the one within strata if there is one."""
    return [report["headline"]["metric"], *(["auroc_within"] if "auroc_within" in report["metrics"] else [])]


def headline(best: dict[str, Any], probe: str, metric: str, about: str, within: str | None) -> str:
    """Whether the best pretrained method beats its untrained encoder, in two or three sentences."""
    figures, gains = best["figures"], best["against_untrained"]
    text = (
        f"{best['name']} with the {title(probe)} probe reaches {about if about.isupper() else about.lower()} "
        f"{written(figures[metric][probe])}. "
        + _verdict(gains[metric][probe], single=len(best["entries"]) == 1)
    )
    if within is None:
        return text
    own, gain = (values["auroc_within"][probe] for values in (figures, gains))
    return f"{text} Within one {within} its AUROC is {written(own)}, the gain {written(gain, signed=True)}."


def _verdict(gain: dict[str, Any], *, single: bool) -> str:
    if gain["low"] is None:
        return "How sure that is cannot be said: there is too little to draw again."
    text = f"Against the same network untrained that is {written(gain, signed=True)}: "
    if gain["low"] > 0:
        return text + ("this encoder is better than random weights." if single else "pretraining helps.")
    if gain["high"] < 0:
        return text + ("this encoder is worse than random weights." if single else "pretraining hurts.")
    return text + "these trials cannot tell whether pretraining helps."


def notes(found: Evaluation, report: dict[str, Any]) -> list[str]:
    """What was measured, what may leak, what the intervals cover, and what the baselines are."""
    return [*_measured(report), *_leaks(report), *_doubts(found, report), _baselines()]


def _measured(report: dict[str, Any]) -> list[str]:
    task, units, split = report["task"], report["task"]["units"], report["task"]["split"]
    classes = " and ".join(f"{count} trials of class {value}" for value, count in task["classes"].items())
    shuffles = "shuffled anew for each seed" if len(split["hashes"]) > 1 else "the same for every seed"
    return [
        f"What is asked: {task['target']} in {task['dataset']} ({classes}). Each figure is the mean over "
        f"{len(task['seeds'])} seeds of predictions on trials that the probe was not fitted on, "
        f"{units['trials']} trials of {units['objects']} objects in {units['sessions']} sessions in all. "
        f"Split {split['name']}, {split['folds']} fold(s), {shuffles}.",
        f"Intervals (95%) come from drawing the {task['interval']['resampled']}, the independent units, anew "
        f"{task['interval']['draws']:,} times: they cover which {task['interval']['resampled']} were met. "
        "How much another "
        "pretraining, or another draw of random weights, changes a figure is its ±. The gain over "
        "the untrained encoder covers both.",
        "The headline takes one probe, fixed beforehand. Reading off the best of several probes or methods "
        "overstates it.",
    ]


def _leaks(report: dict[str, Any]) -> list[str]:
    task, shared = report["task"], report["task"]["split"]["shared_objects"]
    told = []
    if task["asks_object"]:
        told.append(
            "The object itself is to be told, so every test object is among the training trials too, and the "
            f"{task['interval']['resampled']} stand for what is new: the figures say how well objects that "
            "were met are told apart in trials that were not."
        )
    elif shared > 0:
        told.append(
            f"Objects are shared: {shared:.0%} of the test trials are of an object that is among the "
            "training trials too. The figures say nothing about new objects."
        )
    told += [_seen(method, shared=shared > 0) for method in report["methods"] if method["kind"] == PRETRAINED]
    for method in report["methods"]:
        if method["kind"] == SESSION:
            value = written(method["figures"]["auroc"][report["headline"]["probe"]])
            text = f"Knowing nothing but the session gives AUROC {value}, without any touch."
            told.append(text if task["within"] else f"{text} --within session takes that out.")
    return told


def _seen(method: dict[str, Any], *, shared: bool) -> str:
    share, trials = (method[f"pretraining_saw_test_{what}"] for what in ("objects", "trials"))
    if share is None:
        return f"{method['name']}: which objects were seen in pretraining was not recorded."
    if share == 0:
        return f"{method['name']}: no test object was seen in pretraining."
    text = (
        f"{method['name']}: images (not labels) of {share:.0%} of the test objects were seen in pretraining"
    )
    if not shared or trials is None:
        return f"{text}."
    return f"{text}, {'perhaps the tested ones too' if trials else 'but none of those that are tested'}."


def _doubts(found: Evaluation, report: dict[str, Any]) -> list[str]:
    told = []
    single = [
        method["name"]
        for method in report["methods"]
        if method["kind"] == PRETRAINED and len(method["entries"]) == 1
    ]
    if single:
        told.append(
            f"{', '.join(single)}: one encoder each, so the figures are that encoder's, not the method's. "
            "Its gain is judged as if another pretraining differed as much as random weights do."
        )
    drawn = report["task"]["interval"]
    if drawn["units"] < FEW_UNITS:
        told.append(f"{drawn['units']} {drawn['resampled']} are few: the intervals are too narrow.")
    resampled = found.of_method(MAJORITY, report["headline"]["probe"], "auroc").resampled
    undefined = float(np.mean(~np.isfinite(resampled)))
    if 0 < undefined < 1:
        told.append(f"{undefined:.0%} of the resamples held one class only; the intervals leave them out.")
    return told


def _baselines() -> str:
    return (
        "Baselines: majority always names the most frequent class; raw pixels gives the probes "
        "the prepared image at 32×32; untrained is the same network with random weights, several draws. "
        "Features are standardised and reduced by PCA on the training side; no setting was tuned."
    )

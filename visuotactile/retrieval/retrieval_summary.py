"""The figures of joint spaces as plain JSON, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from visuotactile.probes.notes import FEW_UNITS, written
from visuotactile.probes.rows import PRETRAINED
from visuotactile.probes.summary import figure
from visuotactile.reports.intervals import LEVEL, Estimate, gain, mean
from visuotactile.retrieval.cross_modal_measures import KS
from visuotactile.retrieval.pool import Pool
from visuotactile.retrieval.retrieval import ALL, SAME_OBJECT, Key, Line

FORMAT = 1
HEADLINE = "recall@10"

MEASURES: dict[str, tuple[str, str, bool]] = {
    **{
        f"recall@{k}": (
            f"Recall@{k}",
            f"Share of queries with a right answer among the first {k}. Answers that score alike count as if "
            "they stood in random order.",
            True,
        )
        for k in KS
    },
    "median_rank": ("Median rank", "Place of the first right answer; half of the queries do better.", False),
    "alignment": (
        "Alignment",
        "Mean squared distance between the two unit vectors of a trial, 0 to 4 (Wang and Isola).",
        False,
    ),
    "uniformity": (
        "Uniformity",
        "Log of the mean of exp(−2·distance²) over pairs of trials: 0 when all are one point, −4 at best "
        "(Wang and Isola).",
        False,
    ),
    "gap": (
        "Modality gap",
        "Distance between the centroids of two modalities, 0 to 2 (Liang et al.). By chance: when the two "
        "vectors of each trial change places at random.",
        False,
    ),
    "purity": (
        "Cluster purity",
        "k-means with one cluster for each {label}: share of the points whose {label} is the most frequent "
        "of their cluster. By chance: with the same clusters and shuffled labels.",
        True,
    ),
    "rand": (
        "Adjusted Rand index",
        "Agreement of the same clusters with the {label} over pairs of points: 0 by chance, 1 when equal.",
        True,
    ),
}
"""Measure → title, meaning, and whether more is better."""


def summarise_retrieval(
    lines: Sequence[Line], pool: Pool, where: Sequence[tuple[str, str]], seed: int
) -> dict[str, Any]:
    """The report's content, without its provenance."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.method, []).append(line)
    methods = [_method(name, members, groups, seed) for name, members in groups.items()]
    best = _best(methods)
    report = {
        "format": FORMAT,
        "modalities": list(lines[0].embeddings),
        "pool": _pool(lines[0], pool, where),
        "measures": {
            key: {"title": title, "meaning": meaning.format(label=pool.label), "more_is_better": better}
            for key, (title, meaning, better) in MEASURES.items()
            if key in methods[0]["figures"]
        },
        "headline": {"measure": HEADLINE, "method": best["name"], "text": _headline(best, pool)},
        "methods": methods,
        "spaces": [_space(line) for line in lines],
        "seed": seed,
    }
    report["notes"] = _notes(report, pool)
    return report


def _pool(line: Line, pool: Pool, where: Sequence[tuple[str, str]]) -> dict[str, Any]:
    store, draws = pool.store, len(next(iter(line.figures.values())).estimate.resampled)
    return {
        "store": str(store.path),
        "dataset": store.name,
        "fingerprint": store.fingerprint,
        "split": {"name": pool.split.name, "hash": pool.split.hash, "fold": pool.fold},
        "where": [list(pair) for pair in where],
        "size": len(pool.trials),
        "objects": int(pool.objects.max()) + 1,
        "group": pool.group,
        "groups": int(pool.groups.max()) + 1,
        "label": pool.label,
        "labels": int(pool.labels.max()) + 1,
        "objects_known": pool.shared,
        "interval": {
            "level": LEVEL,
            "resampled": pool.unit,
            "units": int(pool.units.max()) + 1,
            "draws": draws,
            "clusters_resampled": pool.group_name,
        },
    }


def _method(name: str, members: Sequence[Line], groups: dict[str, list[Line]], seed: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    against: dict[str, Any] = {}
    baseline = groups[members[0].untrained] if members[0].untrained is not None else None
    for key in members[0].figures:
        ours = _estimates(members, key)
        each = [estimate.value for estimate in ours]
        spread = float(np.std(each, ddof=1)) if len(each) > 1 else math.nan
        chances = [value for line in members if (value := line.figures[key].chance) is not None]
        _put(
            figures,
            key,
            {
                **figure(mean(ours)),
                "chance": round(float(np.mean(chances)), 6) if chances else None,
                "encoder_spread": round(spread, 6) if math.isfinite(spread) else None,
            },
        )
        if baseline is not None:
            _put(against, key, figure(gain(ours, _estimates(baseline, key), seed)))
    return {
        "name": name,
        "kind": members[0].kind,
        "entries": [line.name for line in members],
        "untrained": members[0].untrained,
        "saw_test_trials": None if any(line.saw_test_trials is None for line in members) else False,
        "figures": figures,
        "against_untrained": against if baseline is not None else None,
    }


def _put(figures: dict[str, Any], key: Key, value: Any) -> None:
    measure, pool, column = key
    figures.setdefault(measure, {}).setdefault(pool, {})[column] = value


def _estimates(lines: Sequence[Line], key: Key) -> list[Estimate]:
    return [line.figures[key].estimate for line in lines]


def _space(line: Line) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for key, found in line.figures.items():
        _put(figures, key, figure(found.estimate))
    return {"name": line.name, "method": line.method, "kind": line.kind, **line.facts, "figures": figures}


def _best(methods: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The pretrained method with the highest recall@10, the mean over all ways."""
    pretrained = [method for method in methods if method["kind"] == PRETRAINED]
    return max(
        pretrained,
        key=lambda method: np.mean([f["value"] for f in method["figures"][HEADLINE][ALL].values()]),
    )


def _headline(best: dict[str, Any], pool: Pool) -> str:
    ways = best["figures"][HEADLINE][ALL]
    told = "; ".join(
        f"{way} {written(found)}, {found['value'] / found['chance']:.1f} × chance"
        for way, found in ways.items()
    )
    chance = next(iter(ways.values()))["chance"]
    gains = [value["low"] for value in best["against_untrained"][HEADLINE][ALL].values()]
    text = (
        f"{best['name']}: a right answer is among the first 10 of {len(pool.trials):,} for these shares of "
        f"the queries: {told} (chance {chance:.3f}). "
    )
    if None in gains:
        return text + "How sure that is cannot be said: there is too little to draw again."
    if min(gains) > 0:
        return text + "That is better than the same networks untrained, each way."
    return (
        text + "These trials cannot tell whether that is better than the same networks untrained, each way."
    )


def _notes(report: dict[str, Any], pool: Pool) -> list[str]:
    about, size = report["pool"], len(pool.trials)
    drawn = about["interval"]
    told = [
        f"What is searched: the {size:,} test trials of fold {pool.fold} of split {pool.split.name}. Each is "
        "looked up by one modality among the other modality's images of all of them. Chance depends on that "
        f"number: {10 / size:.4f} for recall@10 where one answer is right.",
    ]
    if about["where"]:
        told.append(
            "Only trials with " + " or ".join(f"{name}={value}" for name, value in about["where"]) + "."
        )
    if pool.group is not None and pool.group_name == "groups":
        told.append(
            f"Several right answers: trials that agree in {pool.group} answer each other; there are "
            f"{about['groups']:,} such groups. A query is answered when any of them is found."
        )
    if pool.within_object:
        told.append(
            f"“{SAME_OBJECT}” searches among the query's object's own trials. Knowing the object alone "
            "lifts recall among all trials above chance; there it is worth nothing, and only the pose helps."
        )
    told.append(
        f"Intervals (95%) come from drawing the {drawn['resampled']} anew {drawn['draws']:,} times"
        + (
            ": the objects are in the training side too, so the figures speak of new trials of known objects."
            if pool.shared
            else ": the objects are new, and the figures speak of objects."
            if drawn["resampled"] == "objects"
            else "."
        )
        + " What is searched stays as it is: in another pool other answers compete."
    )
    if pool.labels.max() > 0:
        told.append(
            f"Clusters are judged by the {pool.label}, which therefore cannot be drawn anew: their intervals "
            f"come from drawing the {pool.group_name}."
        )
    if drawn["units"] < FEW_UNITS:
        told.append(f"{drawn['units']} {drawn['resampled']} are few: the intervals are too narrow.")
    for method in report["methods"]:
        if method["kind"] != PRETRAINED:
            continue
        if method["saw_test_trials"] is None:
            told.append(f"{method['name']}: what was seen in pretraining was not recorded.")
        if len(method["entries"]) == 1:
            told.append(
                f"{method['name']}: one pretraining, so the figures are its own, not the method's. Its gain "
                "is judged as if another pretraining differed as much as random weights do."
            )
    told.append(
        "“untrained” is the same encoders and heads with random weights, several draws. Random heads look in "
        "random directions, so its retrieval is about chance; its clusters are not."
    )
    return told

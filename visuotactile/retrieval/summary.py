"""Figures of joint spaces as plain JSON, with the headline and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from visuotactile.probes.rows import PRETRAINED
from visuotactile.probes.summary import FEW_UNITS, figure
from visuotactile.reports.intervals import LEVEL, Estimate, format_figure, gain, json_number, mean, spread
from visuotactile.reports.leaks import pretraining_saw
from visuotactile.retrieval.evaluation import ALL, SAME_OBJECT, Key, Line
from visuotactile.retrieval.measures import KS
from visuotactile.retrieval.pool import Pool

FORMAT = 1
HEADLINE = "recall@10"

MEASURES: dict[str, tuple[str, str, bool]] = {
    **{
        f"recall@{k}": (
            f"Recall@{k}",
            f"Share of queries with a correct answer among the first {k}. Answers with equal scores count as "
            "if in random order.",
            True,
        )
        for k in KS
    },
    "median_rank": ("Median rank", "Rank of the first correct answer, median over the queries.", False),
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
        "Distance between the centroids of two modalities, 0 to 2 (Liang et al.). Chance: the two vectors of "
        "each trial swapped at random.",
        False,
    ),
    "purity": (
        "Cluster purity",
        "k-means with one cluster for each {label}: share of the points whose {label} is the most frequent "
        "of their cluster. Chance: the same clusters with shuffled labels.",
        True,
    ),
    "rand": (
        "Adjusted Rand index",
        "Agreement of the same clusters with the {label} over pairs of points: 0 at chance, 1 when equal.",
        True,
    ),
}
"""Measure → title, meaning, and whether more is better."""


def summarise(
    lines: Sequence[Line], pool: Pool, where: Sequence[tuple[str, str]], seed: int
) -> dict[str, Any]:
    """Content of the report, without its provenance."""
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
        "headline": {
            "measure": HEADLINE,
            "method": best["name"],
            "text": f"{_headline(best, pool)} {_saw(best, pool)}",
            "pretraining_of_others": [
                _saw(method, pool)
                for method in methods
                if method["kind"] == PRETRAINED and method is not best
            ],
        },
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
        chances = [value for line in members if (value := line.figures[key].chance) is not None]
        _put(
            figures,
            key,
            {
                **figure(mean(ours)),
                "chance": json_number(float(np.mean(chances))) if chances else None,
                "encoder_spread": json_number(spread(each)),
            },
        )
        if baseline is not None:
            _put(against, key, figure(gain(ours, _estimates(baseline, key), seed)))
    shares = [line.saw_test_objects for line in members]
    return {
        "name": name,
        "kind": members[0].kind,
        "entries": [line.name for line in members],
        "untrained": members[0].untrained,
        "saw_test_objects": None if None in shares else float(np.mean([each or 0.0 for each in shares])),
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
    """The pretrained method with the highest recall@10, averaged over the directions."""
    pretrained = [method for method in methods if method["kind"] == PRETRAINED]
    return max(
        pretrained,
        key=lambda method: np.mean([f["value"] for f in method["figures"][HEADLINE][ALL].values()]),
    )


def _headline(best: dict[str, Any], pool: Pool) -> str:
    ways = best["figures"][HEADLINE][ALL]
    recalls = "; ".join(
        f"{way} {format_figure(found)}, {found['value'] / found['chance']:.1f} × chance"
        for way, found in ways.items()
    )
    chance = next(iter(ways.values()))["chance"]
    gains = [value["low"] for value in best["against_untrained"][HEADLINE][ALL].values()]
    text = f"{best['name']}: recall@10 among {len(pool.trials):,} trials is {recalls} (chance {chance:.3f}). "
    if None in gains:
        return text + "There is no interval: too few units to resample."
    if min(gains) > 0:
        return text + "That is better than the same networks untrained, in each direction."
    return text + "These trials do not show whether that is better than the same networks untrained."


def _saw(method: dict[str, Any], pool: Pool) -> str:
    if method["saw_test_trials"] is None:
        return f"{method['name']}: the trials seen in pretraining were not recorded."
    trials = method["saw_test_trials"] if pool.shared else None
    return pretraining_saw(method["name"], method["saw_test_objects"], trials)


def _notes(report: dict[str, Any], pool: Pool) -> list[str]:
    about, size = report["pool"], len(pool.trials)
    drawn = about["interval"]
    lines = [
        f"Search pool: the {size:,} test trials of fold {pool.fold} of split {pool.split.name}. Each trial "
        "is a query in one modality; the pool holds all trials in the other. Chance depends on that number: "
        f"{10 / size:.4f} for recall@10 with one correct answer.",
    ]
    if about["where"]:
        lines.append(
            "Only trials with " + " or ".join(f"{name}={value}" for name, value in about["where"]) + "."
        )
    if pool.group is not None and pool.group_name == "groups":
        lines.append(
            f"Several correct answers: trials that agree in {pool.group} answer each other; there are "
            f"{about['groups']:,} such groups. A query is answered when any of them is found."
        )
    if pool.within_object:
        lines.append(
            f"“{SAME_OBJECT}” searches among the trials of the query's object. Recognising the object alone "
            "raises recall among all trials above chance; here it does not help, only the pose does."
        )
    lines.append(
        f"Intervals (95%) come from {drawn['draws']:,} bootstrap resamples of the {drawn['resampled']}"
        + (
            ": the objects are in the training side too, so the figures hold for new trials of known objects."
            if pool.shared
            else ": the objects are new, and the figures hold for new objects."
            if drawn["resampled"] == "objects"
            else "."
        )
        + " The search pool is fixed: the figures of another pool differ."
    )
    if pool.labels.max() > 0:
        lines.append(
            f"Clusters are compared with the {pool.label}, which therefore cannot be resampled: their "
            f"intervals are over the {pool.group_name}."
        )
    if drawn["units"] < FEW_UNITS:
        lines.append(f"{drawn['units']} {drawn['resampled']} are few: the intervals are too narrow.")
    for method in report["methods"]:
        if method["kind"] != PRETRAINED:
            continue
        if len(method["entries"]) == 1:
            lines.append(
                f"{method['name']}: one pretraining, so the figures are its own, not the method's. The "
                "interval of the gain assumes that pretrainings vary as much as random weights do."
            )
    lines.append(
        "“untrained” is the same encoders and heads with random weights, several draws. Random heads project "
        "in random directions, so its retrieval is about chance; its clusters are not."
    )
    return lines

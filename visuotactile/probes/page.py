"""The probe report as a self-contained HTML page with some example trials, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.probes.estimators import title
from visuotactile.probes.evaluation import LOWER, OF_NUMBERS, Evaluation
from visuotactile.probes.metrics import Predictions
from visuotactile.probes.rows import MAJORITY, NUISANCE, PRETRAINED, Row
from visuotactile.probes.summary import METRIC_TITLES, overview
from visuotactile.reports.charts import Line, curves, dots
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.reports.page import data_uri, environment
from visuotactile.reports.pictures import seen_pictures, side_by_side, trial_pictures

EACH = 4
HEIGHT = 120


def page(report: dict[str, Any], samples: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        report: the content of report.json.
        samples: trials with pictures, from `sample_trials`.
    """
    probes, methods = report["probes"], report["methods"]
    headline = report["headline"]
    shown = [each["name"] for each in methods if each["kind"] != NUISANCE]
    return (
        environment("visuotactile.probes")
        .get_template("report.html")
        .render(
            report=report,
            task=report["task"],
            titles={probe: title(probe) for probe in probes},
            overview=[(name, *_charts(report, name)) for name in overview(report)],
            budget=_budget(report),
            budget_title=METRIC_TITLES[report["budgets"]["metric"]],
            best_of={metric: _best(methods, metric, probes) for metric in report["metrics"]},
            samples=samples,
            object_methods=[name for name in shown if name == headline["method"]]
            + [name for name in shown if name != headline["method"]],
            format_figure=format_figure,
            PRETRAINED=PRETRAINED,
        )
    )


def _charts(report: dict[str, Any], metric: str) -> tuple[Any, Any]:
    """Charts of the figures of all methods, and of the gains over the best baselines."""
    headline, about = report["headline"]["probe"], report["metrics"][metric]["title"]
    titles = {probe: title(probe) for probe in report["probes"]}
    lines, gains = [], []
    for method in report["methods"]:
        figures, strong = method["figures"][metric], method["kind"] == PRETRAINED
        # A baseline with one probe has one dot, in no probe's colour.
        lines.append(Line(method["name"], strong, {"": figures[headline]} if method["only"] else figures))
        if method["against_best_baseline"]:
            gains.append(Line(method["name"], strong, method["against_best_baseline"][metric]))
    return (
        dots(
            lines,
            titles,
            description=f"{about} of each method",
            reference=_chance(report, metric),
            reference_label="mean" if metric in OF_NUMBERS else "chance",
        ),
        dots(
            gains,
            titles,
            description=f"{about}: gain over the best baseline",
            reference=0.0,
            reference_label="no gain",
            signed=True,
        ),
    )


def _budget(report: dict[str, Any]) -> Any:
    """Chart of the figure over the share of labels; None without budgets."""
    points = report["budgets"]["points"]
    if not points:
        return None
    return curves(
        [
            Line(
                method["name"],
                method["kind"] == PRETRAINED,
                {point["share"]: point["figures"][method["name"]] for point in points},
            )
            for method in report["methods"]
            if method["name"] in points[0]["figures"]
        ],
        {point["share"]: (f"{100 * point['share']:g}%", f"{point['trials']} labels") for point in points},
        description=f"{METRIC_TITLES[report['budgets']['metric']]} by share of labels used",
        reference=0.5 if report["budgets"]["metric"] == "auroc" else 0.0,
        reference_label="chance" if report["budgets"]["metric"] == "auroc" else "mean",
    )


def _chance(report: dict[str, Any], metric: str) -> float:
    """Chance level: half of the pairs in order, the most frequent class, or the mean."""
    if metric in OF_NUMBERS:
        return 0.0
    if metric != "accuracy":
        return 0.5
    (majority,) = (method for method in report["methods"] if method["kind"] == MAJORITY)
    return float(majority["figures"][metric][report["headline"]["probe"]]["value"])


def _best(methods: Sequence[dict[str, Any]], metric: str, probes: Sequence[str]) -> dict[str, str | None]:
    """Name of the method with the highest figure for each probe, without majority and session."""
    best: dict[str, str | None] = {}
    for probe in probes:
        values = {
            each["name"]: each["figures"][metric][probe]["value"]
            for each in methods
            if each["only"] is None and each["figures"][metric][probe]["value"] is not None
        }
        chosen = min if metric in LOWER else max
        best[probe] = chosen(values, key=lambda name: values[name]) if values else None
    return best


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown: headline, a table for each metric, gains, budgets, objects, notes."""
    task, probes = report["task"], report["probes"]
    names = [title(probe) for probe in probes]
    parts = [
        f"# Probe report: {one_line(task['target'])} in {one_line(task['dataset'])}",
        one_line(report["headline"]["text"]),
        *(one_line(each) for each in report["headline"]["pretraining_of_others"]),
        *(one_line(each) for each in report["headline"]["warnings"]),
    ]
    for metric, about in report["metrics"].items():
        rows = [
            [method["name"], *(_spread(method["figures"][metric][probe]) for probe in probes)]
            for method in report["methods"]
        ]
        parts += [f"## {about['title']}", about["meaning"], table(["method", *names], rows)]
    pretrained = [method for method in report["methods"] if method["against_best_baseline"]]
    for metric in overview(report):
        rows = [
            [
                method["name"],
                *(
                    f"{format_figure(gain, signed=True)} over {gain['baseline']}"
                    for gain in (method["against_best_baseline"][metric][probe] for probe in probes)
                ),
            ]
            for method in pretrained
        ]
        parts += [
            f"## {report['metrics'][metric]['title']}: gain over the best baseline (paired)",
            table(["method", *names], rows),
        ]
        rows = [
            [
                method["name"],
                *(format_figure(method["against_untrained"][metric][probe], signed=True) for probe in probes),
            ]
            for method in pretrained
        ]
        parts += [
            f"## {report['metrics'][metric]['title']}: gain over the untrained encoder (paired)",
            table(["method", *names], rows),
        ]
    points = report["budgets"]["points"]
    if points:
        head = [f"{point['share']:.0%} ({point['trials']})" for point in points]
        rows = [
            [method, *(format_figure(point["figures"][method]) for point in points)]
            for method in points[0]["figures"]
        ]
        budget = report["budgets"]
        parts += [
            f"## Label budget: {METRIC_TITLES[budget['metric']]}, {title(budget['probe']).lower()} probe",
            "Share of the training trials whose label is used (number of trials).",
            table(["method", *head], rows),
        ]
    methods = [method["name"] for method in report["methods"]]
    rows = [
        [each["name"], str(each["trials"]), *(f"{each['figure'][name]:.2f}" for name in methods)]
        for each in report["objects"]
    ]
    figure = "RMSE" if task["numbers"] else "Accuracy"
    parts += [
        f"## {figure} per object ({title(report['headline']['probe'])} probe)",
        table(["object", "trials", *methods], rows),
        *_confusion(report),
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]),
        *made_with(report["provenance"]),
    ]
    return "\n\n".join(parts) + "\n"


def _confusion(report: dict[str, Any]) -> list[str]:
    found, head = report["confusion"], report["headline"]
    if found is None:
        return []
    rows = [
        [name, *(f"{share:.2f}" for share in shares)]
        for name, shares in zip(found["classes"], found["shares"], strict=True)
    ]
    return [
        f"## Confusion matrix ({one_line(head['method'])}, {title(head['probe'])} probe)",
        "Share of the test trials of each true class (row) by predicted class (column).",
        table(["true \\ predicted", *found["classes"]], rows),
    ]


def _spread(figure: dict[str, Any]) -> str:
    return format_figure(figure, spread=figure["encoder_spread"])


def sample_trials(found: Evaluation, rows: Sequence[Row], report: dict[str, Any]) -> list[dict[str, Any]]:
    """Trials with the most confident predictions, with their pictures: EACH correct, then EACH wrong.

    Of numbers, those with the smallest and the largest errors.

    Each is of another object while there are enough. They come from the headline's method and probe, its
    first encoder and seed.
    """
    name = found.methods[report["headline"]["method"]][0].name
    contracts = [contract for _, contract in next(row for row in rows if row.name == name).kind]
    predictions = found.predictions[name, report["headline"]["probe"]][0]
    store, task = found.task.store, found.task
    tested = np.concatenate([test for _, test in task.folds(0)])
    if task.numbers is None:
        chosen = np.concatenate([_most_confident(predictions, right=right) for right in (True, False)])
        right = predictions.predicted == predictions.labels
        said = [
            (str(task.classes[a]), str(task.classes[b])) for a, b in zip(*_both(predictions), strict=True)
        ]
    else:
        order = np.argsort(np.abs(predictions.predicted - predictions.truth), kind="stable")
        chosen = np.concatenate([order[:EACH], order[::-1][:EACH]])
        right = np.isin(np.arange(len(order)), order[:EACH])
        said = [
            (f"{a:.3g}", f"{b:.3g}") for a, b in zip(predictions.truth, predictions.predicted, strict=True)
        ]
    trials = tested[chosen]
    if not len(trials):
        return []
    recorded = side_by_side([trial_pictures(store, each, trials, HEIGHT) for each in contracts])
    seen = side_by_side([seen_pictures(store, each, trials) for each in contracts])
    return [
        {
            "name": str(store.names[trial]),
            "object": str(store.objects[trial]),
            "label": said[i][0],
            "predicted": said[i][1],
            "right": bool(right[i]),
            "recorded": data_uri(recorded[place], "JPEG", quality=80),
            "seen": data_uri(seen[place], "JPEG", quality=80),
        }
        for place, (i, trial) in enumerate(zip(chosen.tolist(), trials.tolist(), strict=True))
    ]


def _both(predictions: Predictions) -> tuple[list[int], list[int]]:
    return predictions.labels.tolist(), predictions.predicted.tolist()


def _most_confident(predictions: Predictions, *, right: bool) -> NDArray[np.int64]:
    """The most confident predictions [at most EACH] that are right, or wrong."""
    members = np.flatnonzero((predictions.predicted == predictions.labels) == right)
    ranked = members[np.argsort(-predictions.scores[members, predictions.predicted[members]], kind="stable")]
    _, first = np.unique(predictions.objects[ranked], return_index=True)
    others = np.setdiff1d(np.arange(len(ranked)), first)
    return ranked[np.concatenate([np.sort(first), others])[:EACH]].astype(np.int64)

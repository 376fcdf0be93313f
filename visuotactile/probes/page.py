"""The report as one HTML page that needs nothing else: no script, no font, no address outside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visuotactile.probes.estimators import title
from visuotactile.probes.notes import overview, written
from visuotactile.probes.rows import MAJORITY, PRETRAINED, SESSION
from visuotactile.reports.charts import curves, dots
from visuotactile.reports.page import environment


def page(report: dict[str, Any], samples: Sequence[dict[str, Any]]) -> str:
    """The page.

    Args:
        report: the content of report.json.
        samples: trials with pictures, from `samples.sample_trials`.
    """
    probes, methods = report["probes"], report["methods"]
    points = report["budgets"]["points"]
    learning = [
        (each["name"], each["kind"]) for each in methods if points and each["name"] in points[0]["auroc"]
    ]
    headline = report["headline"]
    shown = [each["name"] for each in methods if each["kind"] != SESSION]
    return (
        environment("visuotactile.probes")
        .get_template("report.html")
        .render(
            report=report,
            task=report["task"],
            titles={probe: title(probe) for probe in probes},
            overview=[(name, *_charts(report, name)) for name in overview(report)],
            budget=curves(points, learning, description="AUROC by share of labels used") if points else None,
            best_of={metric: _best(methods, metric, probes) for metric in report["metrics"]},
            samples=samples,
            object_methods=[name for name in shown if name == headline["method"]]
            + [name for name in shown if name != headline["method"]],
            written=written,
            PRETRAINED=PRETRAINED,
        )
    )


def _charts(report: dict[str, Any], metric: str) -> tuple[Any, Any]:
    """The figures of all methods, and the gains of the pretrained ones over their untrained encoder."""
    headline, about = report["headline"]["probe"], report["metrics"][metric]["title"]
    lines = []
    for method in report["methods"]:
        figures = method["figures"][metric]
        # A baseline that is asked in one way has one dot, in no probe's colour.
        lines.append((method["name"], method["kind"], {"": figures[headline]} if method["only"] else figures))
    gains = [
        (method["name"], method["kind"], method["against_untrained"][metric])
        for method in report["methods"]
        if method["against_untrained"]
    ]
    return (
        dots(
            lines,
            report["probes"],
            description=f"{about} of each method",
            reference=_guessing(report, metric),
            reference_label="guessing",
        ),
        dots(
            gains,
            report["probes"],
            description=f"{about}: gain over the untrained encoder",
            reference=0.0,
            reference_label="no gain",
            signed=True,
        ),
    )


def _guessing(report: dict[str, Any], metric: str) -> float:
    """What a line gets that knows nothing: half of the pairs right, or the most frequent class."""
    if metric != "accuracy":
        return 0.5
    (majority,) = (method for method in report["methods"] if method["kind"] == MAJORITY)
    return float(majority["figures"][metric][report["headline"]["probe"]]["value"])


def _best(methods: Sequence[dict[str, Any]], metric: str, probes: Sequence[str]) -> dict[str, str | None]:
    """For each probe, the name of the method with the highest figure (majority and session aside)."""
    best: dict[str, str | None] = {}
    for probe in probes:
        values = {
            each["name"]: each["figures"][metric][probe]["value"]
            for each in methods
            if each["only"] is None and each["figures"][metric][probe]["value"] is not None
        }
        best[probe] = max(values, key=lambda name: values[name]) if values else None
    return best

"""Report of `visuotactile estimate evaluate`, as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from visuotactile.estimation.scales import is_modulus, readings, spoken
from visuotactile.reports.charts import Series, plot
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import made_with, one_line, table
from visuotactile.reports.page import environment
from visuotactile.reports.regression import TITLES, written

MAIN = ("rmse_share", "r2", "rmse", "mae", "spearman", "coverage", "width_share")
"""Figures of the first table."""


def headline(report: Mapping[str, Any]) -> str:
    """The errors in one sentence for each estimator."""
    return " ".join(
        f"{row['name']}: RMSE {written('rmse_share', row['figures']['rmse_share'])} % of the range; "
        f"intervals of {report['level']:.0%} hold {written('coverage', row['figures']['coverage'])} %."
        for row in report["estimators"]
    )


def notes(report: Mapping[str, Any]) -> list[str]:
    """Notes on what was measured."""
    low, high = report["span"]
    ends = [f"{end:.3g}" for end in (low, high)]
    if report["modulus"]:
        ends = [f"Shore 00 {spoken(readings(e, e, e))['Shore 00'].partition(' ')[0]}" for e in (low, high)]
    first = report["estimators"][0]
    lines = [
        f"{first['clips']} clips of {first['units']} units of {report['dataset']}, none of which the "
        f"estimators were fitted to. Percentages are of the range of {report['target']} in the store, "
        f"{ends[0]} to {ends[1]}.",
        f"Intervals in brackets are 95%, from {report['draws']:,} bootstrap resamples of the units. "
        f"“Held” is the share of the stated intervals of {report['level']:.0%} that hold the true number.",
    ]
    for row in report["estimators"]:
        if row["seen_objects"]:
            lines.append(
                f"{row['name']}: {row['seen_objects']:.0%} of the objects were among the training objects."
            )
        if row["blank"]:
            lines.append(f"{row['name']}: {row['blank']} clips without contact are left out.")
    return lines


def tables(report: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Every table: title, head, rows."""
    rows = report["estimators"]
    found = [
        (
            f"Errors of {report['target']}",
            ["estimator", *(TITLES[name] for name in MAIN)],
            [[row["name"], *(written(name, row["figures"][name]) for name in MAIN)] for row in rows],
        )
    ]
    for scale in dict.fromkeys(name for row in rows for name in row["scales"]):
        names = ("rmse", "mae", "bias", "width")
        found.append(
            (
                f"In degrees {scale}",
                ["estimator", "clips", *(TITLES[name] for name in names)],
                [
                    [
                        row["name"],
                        str(row["scales"][scale]["clips"]),
                        *(format_figure(row["scales"][scale]["figures"][name], 1, ends=1) for name in names),
                    ]
                    for row in rows
                    if scale in row["scales"]
                ],
            )
        )
    levels = [each["level"] for each in rows[0]["calibration"]]
    found.append(
        (
            "Calibration of the stated intervals: share that holds, in %",
            ["estimator", *(f"{level:.0%}" for level in levels)],
            [
                [row["name"], *(written("coverage", each["held"]) for each in row["calibration"])]
                for row in rows
            ],
        )
    )
    for condition in dict.fromkeys(name for row in rows for name in row["conditions"]):
        bins = next(row["conditions"][condition] for row in rows if condition in row["conditions"])
        found.append(
            (
                f"RMSE in % of the range, by {_condition(condition, report)}",
                ["estimator", *(_bin(each, condition, report) for each in bins)],
                [
                    [
                        row["name"],
                        *(
                            written("rmse_share", each["figures"]["rmse_share"])
                            for each in row["conditions"][condition]
                        ),
                    ]
                    for row in rows
                    if len(row["conditions"].get(condition, ())) == len(bins)
                ],
            )
        )
    return found


def markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    parts = [
        f"# Estimating {one_line(report['target'])} in {one_line(report['dataset'])}",
        *map(one_line, notes(report)),
    ]
    for title, head, rows in tables(report):
        parts += [f"## {one_line(title)}", table(head, rows)]
    return "\n\n".join([*parts, *made_with(report["provenance"])]) + "\n"


def page(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    return (
        environment("visuotactile.estimation")
        .get_template("evaluate.html")
        .render(
            report=report,
            headline=headline(report),
            notes=notes(report),
            tables=tables(report),
            charts=[(row["name"], _scatter(row, report)) for row in report["estimators"]],
            simulated="simulated" in report["dataset"],
            provenance=report["provenance"],
        )
    )


def _scatter(row: Mapping[str, Any], report: Mapping[str, Any]) -> Markup:
    """Estimated against true numbers, with the stated intervals."""
    truth, predicted, low, high = np.array(row["points"]).T.tolist()
    tips = [f"true {t:.2f}, estimated {p:.2f}" for t, p in zip(truth, predicted, strict=True)]
    low_end, high_end = report["span"]
    ends = np.linspace(low_end, high_end, 100)
    unit = "log10 Pa" if report["modulus"] else report["target"]
    series = [
        Series("", ends, ends, 7, True, dashed=True),
        Series("", truth, predicted, 0, False, low, high, tips),
    ]
    return plot(
        series,
        x_label=f"true [{unit}]",
        y_label=f"estimated [{unit}]",
        description=f"{row['name']}: estimated against true",
    )


def _condition(name: str, report: Mapping[str, Any]) -> str:
    """Name of a condition, with its unit if it is known."""
    if is_modulus(name) and report["modulus"]:
        return "hardness [Shore 00]"
    units = {"radius": "m", "force_peak": "N", "duration": "s", "angle": "degrees"}
    return f"{name} [{units[name]}]" if name in units else name


def _bin(row: Mapping[str, Any], condition: str, report: Mapping[str, Any]) -> str:
    """Name of a bin of a condition."""
    low, high = row["low"], row["high"]
    if isinstance(low, str):
        return low or "(none)"
    if is_modulus(condition) and report["modulus"]:
        low, high = (round(readings(end, end, end)["Shore 00"]["value"]) for end in (low, high))
    return f"{low:.3g}" if low == high else f"{low:.3g} – {high:.3g}"

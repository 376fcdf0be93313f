"""Tables, pictures and verdicts, from the predictions of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from experiments.hardness.budgets import Found
from experiments.hardness.claims import CLAIMS, KNOWN, NOT_RUN, SELF_SUPERVISED, UNKNOWN, gain, key
from experiments.hardness.experiment import BALLS, SHAPES, Experiment, Rows
from experiments.hardness.predictions import LEVELS, STATED, Predicted, sample_numbers
from visuotactile.errors import DataError
from visuotactile.files import provenance, read_json, write_json, write_text
from visuotactile.mechanics.shore import shore_00
from visuotactile.reports.intervals import estimate, format_figure
from visuotactile.reports.markdown import made_with, table
from visuotactile.reports.regression import calibration, error_by, figures, rmse, written

CONDITIONS = {
    "log10 modulus": "outcome/log_modulus",
    "radius": "column/radius",
    "peak force": "hidden/force_peak",
    "duration": "hidden/duration",
}
"""Condition by which errors are reported → column."""

TALLEST = 40
"""Percent: the mean would be off by 32. A row that leaves the picture has presses that came out absurd."""

Keyed = Mapping[str, tuple[str, str, str, Sequence[Predicted]]]
"""Key of a row → split, estimator, radius known or not, and predictions for each seed."""


def write_rows(experiment: Experiment, part: str, store: str, rows: Keyed, closing: Sequence[str]) -> None:
    """Write PART.json and PART.md of rows of predictions."""
    truth, span = experiment.target(store), float(np.ptp(experiment.target(store)))
    samples, counts = sample_numbers(experiment.store(store))
    content: dict[str, Any] = {"range": span, "rows": {}}
    for name, (split, estimator, known, per_seed) in rows.items():
        numbers = [each.numbers(truth, samples) for each in per_seed]
        on_00 = [each.on(lambda value: shore_00(10 ** np.minimum(value, 12))) for each in numbers]
        content["rows"][name] = {
            "split": split,
            "estimator": estimator,
            "radius": known,
            "presses": len(numbers[0]),
            "left out, without contact": len(truth) - len(numbers[0]) if split == "sample" else None,
            "figures": figures(numbers, counts, span),
            "Shore 00": figures(on_00, counts, 100.0),
            "calibration": calibration(
                {level: [each.numbers(truth, samples, level) for each in per_seed] for level in LEVELS},
                counts,
            ),
            "errors": {
                condition: error_by(
                    numbers,
                    [experiment.store(store).column(column)[each.rows] for each in per_seed],
                    counts,
                    span,
                )
                for condition, column in CONDITIONS.items()
            },
        }
    _write(experiment, part, content, [_rows_table(content["rows"].values()), *closing])


def _rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = [
        "left out",
        "estimator",
        "radius",
        "RMSE, % of range",
        "R²",
        "RMSE, Shore 00",
        f"held of {STATED:.0%}",
    ]
    return table(
        head,
        [
            [
                row["split"],
                row["estimator"],
                row["radius"].removeprefix("radius "),
                written("rmse_share", row["figures"]["rmse_share"]),
                format_figure(row["figures"]["r2"], 2),
                format_figure(row["Shore 00"]["rmse"], 1, ends=1),
                written("coverage", row["figures"]["coverage"]),
            ]
            for row in rows
        ],
    )


def write_budgets(experiment: Experiment, found: Found) -> None:
    """Write budgets.json and budgets.md: each row at each budget, and differences to the self-supervised."""
    truth = experiment.target(BALLS)
    span = float(np.ptp(truth))
    samples, counts = sample_numbers(experiment.balls)
    content: dict[str, Any] = {"range": span, "budgets": {}, "rows": {}}
    for budget, rows in found.items():
        errors = {}
        for row, draws in rows.items():
            numbers = [each.numbers(truth, samples) for each in draws]
            errors[row] = estimate(rmse, numbers, counts)
            content["budgets"].setdefault(budget, {})[row] = {
                "draws": len(draws),
                "figures": figures(numbers, counts, span),
            }
        for row, error in errors.items():
            if row != SELF_SUPERVISED and SELF_SUPERVISED in errors:
                difference = (errors[SELF_SUPERVISED] - error).figure()
                name = gain(int(budget), row) if budget.isdecimal() else f"{budget} | − {row}"
                content["rows"][name] = {"figures": {"rmse_share": _scaled(difference, 1 / span)}}
    names = list(dict.fromkeys(row for rows in content["budgets"].values() for row in rows))
    lines = table(
        ["labelled presses", *names],
        [
            [
                budget,
                *(
                    written("rmse_share", rows[name]["figures"]["rmse_share"]) if name in rows else "–"
                    for name in names
                ),
            ]
            for budget, rows in content["budgets"].items()
        ],
    )
    differences = table(
        ["difference", "RMSE, % of range"],
        [
            [name, format_figure(row["figures"]["rmse_share"], 1, ends=1, scale=100, signed=True)]
            for name, row in content["rows"].items()
        ],
    )
    _write(experiment, "budgets", content, [lines, differences])


def write_oracle(experiment: Experiment, content: Mapping[str, Any]) -> None:
    """Write oracle.json and oracle.md."""
    bounds = {name: value for name, value in content.items() if isinstance(value, float) and name != "range"}
    lines = table(["what is known", "RMSE, % of range"], [[n, f"{v:.2f}"] for n, v in bounds.items()])
    by_share = table(
        ["gel's share up to", "presses", "noise, gain known", "noise, gain of a new unit"],
        [
            [f"{row['share']:.1f}", str(row["presses"])]
            + [f"{row[name]:.2f}" for name in ("noise, gain known", "noise, gain of a new unit")]
            for row in content["by gel share"]
        ],
    )
    _write(experiment, "oracle", dict(content), [lines, by_share])


def write_claims(folder: Path) -> None:
    """Write claims.md and claims.json from the parts that exist."""
    parts = {claim.part: folder / f"{claim.part}.json" for claim in CLAIMS}
    contents = {part: read_json(path, DataError) for part, path in parts.items() if path.exists()}
    lines, judged = [], []
    for claim in CLAIMS:
        rows = contents.get(claim.part, {}).get("rows", {})
        for name in claim.rows:
            figure = rows[name]["figures"][claim.figure] if name in rows else None
            if figure is None or None in figure.values():
                verdict = NOT_RUN
            else:
                verdict = claim.rule.judge(*(100 * figure[end] for end in ("value", "low", "high")))
            shown = format_figure(figure, 1, ends=1, scale=100)
            judged.append({"claim": claim.text, "row": name, "figure": figure, "verdict": verdict})
            lines.append([claim.text, claim.source, name, shown, claim.rule.words, f"**{verdict}**"])
    head = ["claim", "source", "row", "ours, %", "rule", "verdict"]
    write_json(folder / "claims.json", {"claims": judged, **provenance()})
    write_text(
        folder / "claims.md",
        "\n\n".join(["# Claims about hardness, simulated", table(head, lines)]) + "\n",
    )


def draw_splits(experiment: Experiment, rows: Keyed) -> None:
    """Draw true against predicted hardness for unseen samples, and the error in each split."""
    truth = experiment.target(BALLS)
    shown = [
        key("sample", estimator, known)
        for estimator in ("contact mechanics", SELF_SUPERVISED)
        for known in (KNOWN, UNKNOWN)
    ]
    figure, axes = plt.subplots(1, len(shown), figsize=(13, 3.6), sharex=True, sharey=True)
    for name, axis in zip(shown, axes, strict=True):
        found = rows[name][3][0]
        axis.plot(truth[found.rows], found.value, ".", ms=3, alpha=0.5)
        axis.plot([truth.min(), truth.max()], [truth.min(), truth.max()], "k-", lw=0.8)
        axis.set_title(name.removeprefix("sample | "), fontsize=8)
        axis.set_xlabel("log10 modulus")
    axes[0].set_ylabel("estimated, samples not fitted on")
    _save(figure, experiment.results / "splits.png")


def draw_budgets(experiment: Experiment) -> None:
    """Draw the error by number of labelled presses."""
    content = read_json(experiment.results / "budgets.json", DataError)["budgets"]
    figure, axis = plt.subplots(figsize=(6, 4))
    places = np.arange(len(content))
    for row in dict.fromkeys(row for rows in content.values() for row in rows):
        have = [i for i, rows in enumerate(content.values()) if row in rows]
        found = [list(content.values())[i][row]["figures"]["rmse_share"] for i in have]
        value, low, high = (
            np.array([100 * (each[end] or np.nan) for each in found]) for end in ("value", "low", "high")
        )
        axis.errorbar(places[have], value, [value - low, high - value], marker="o", capsize=2, label=row)
    axis.set_xticks(places, list(content))
    axis.set_xlabel("labelled presses")
    axis.set_ylabel("RMSE, % of range (simulated)")
    axis.set_ylim(0, TALLEST)
    axis.legend(fontsize=7)
    _save(figure, experiment.results / "budgets.png")


def gap(experiment: Experiment, rows: Keyed) -> list[str]:
    """Difference of unseen to seen families, on the same presses, for each estimator."""
    truth = experiment.target(SHAPES)
    span = float(np.ptp(truth))
    samples, counts = sample_numbers(experiment.shapes)
    lines = []
    for estimator in dict.fromkeys(row[1] for row in rows.values()):
        sides = []
        held_out = rows[key("family", estimator, UNKNOWN)][3]
        for split in ("family", "sample"):
            found = [
                _only(each, held_out[0].rows).numbers(truth, samples)
                for each in rows[key(split, estimator, UNKNOWN)][3]
            ]
            sides.append(estimate(rmse, found, counts))
        gap_ = _scaled((sides[0] - sides[1]).figure(), 1 / span)
        seen = _scaled(sides[1].figure(), 1 / span)
        lines.append([estimator, *(format_figure(each, 1, ends=1, scale=100) for each in (seen, gap_))])
    head = ["estimator", "RMSE on seen shapes, % of range", "unseen families − seen, points"]
    return ["The same presses, none of them on hemispheres:", table(head, lines)]


def _only(found: Predicted, rows: Rows) -> Predicted:
    chosen = np.isin(found.rows, rows)
    return Predicted(found.rows[chosen], found.value[chosen], found.low[:, chosen], found.high[:, chosen])


def _scaled(figure: Mapping[str, float | None], factor: float) -> dict[str, float | None]:
    return {name: None if value is None else factor * value for name, value in figure.items()}


def _write(experiment: Experiment, part: str, content: dict[str, Any], lines: Sequence[str]) -> None:
    made = provenance()
    settings = {"preset": experiment.preset.settings()}
    write_json(experiment.results / f"{part}.json", {**content, **settings, **made})
    text = [f"# Hardness, part {part}, simulated", *lines, *made_with(made)]
    write_text(experiment.results / f"{part}.md", "\n\n".join(text) + "\n")


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)

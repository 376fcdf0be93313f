"""The report as Markdown, for a paper or a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visuotactile.probes.estimators import title
from visuotactile.probes.notes import written


def markdown(report: dict[str, Any]) -> str:
    """The whole report: headline, a table for each metric, gains, budgets, objects, notes."""
    task, probes = report["task"], report["probes"]
    names = [title(probe) for probe in probes]
    parts = [
        f"# Probe report: {_line(task['target'])} in {_line(task['dataset'])}",
        _line(report["headline"]["text"]),
    ]
    for metric, about in report["metrics"].items():
        rows = [
            [method["name"], *(_with_spread(method["figures"][metric][probe]) for probe in probes)]
            for method in report["methods"]
        ]
        parts += [f"## {about['title']}", about["meaning"], _table(["method", *names], rows)]
    pretrained = [method for method in report["methods"] if method["against_untrained"]]
    for metric in (name for name in ("auroc", "auroc_within") if name in report["metrics"]):
        rows = [
            [
                method["name"],
                *(written(method["against_untrained"][metric][probe], signed=True) for probe in probes),
            ]
            for method in pretrained
        ]
        parts += [
            f"## {report['metrics'][metric]['title']}: gain over the untrained encoder (paired)",
            _table(["method", *names], rows),
        ]
    points = report["budgets"]["points"]
    if points:
        head = [f"{point['share']:.0%} ({point['trials']})" for point in points]
        rows = [
            [method, *(written(point["auroc"][method]) for point in points)] for method in points[0]["auroc"]
        ]
        parts += [
            f"## Label budget: AUROC of the {title(report['budgets']['probe']).lower()} probe",
            "Share of the training trials whose label is used (number of trials).",
            _table(["method", *head], rows),
        ]
    methods = [method["name"] for method in report["methods"]]
    rows = [
        [each["name"], str(each["trials"]), *(f"{each['accuracy'][name]:.2f}" for name in methods)]
        for each in report["objects"]
    ]
    parts += [
        f"## Accuracy per object ({title(report['headline']['probe'])} probe)",
        _table(["object", "trials", *methods], rows),
        "## Notes",
        "\n".join(f"- {_line(note)}" for note in report["notes"]),
        "## Made with",
        "    " + " ".join(report["provenance"]["command"].split()),
        ", ".join(f"{name} {version}" for name, version in report["provenance"]["versions"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _with_spread(value: dict[str, Any]) -> str:
    text = written(value)
    spread = value["encoder_spread"]
    return text if spread is None else f"{text} ±{spread:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    """Text on one line in which neither HTML nor Markdown takes effect."""
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "\\`"), ("\n", " ")):
        text = text.replace(letter, safe)
    return text

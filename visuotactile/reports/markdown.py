"""The report as Markdown, for a paper or a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visuotactile.probes.estimators import title
from visuotactile.probes.notes import overview, written


def markdown(report: dict[str, Any]) -> str:
    """The whole report: headline, a table for each metric, gains, budgets, objects, notes."""
    task, probes = report["task"], report["probes"]
    names = [title(probe) for probe in probes]
    parts = [
        f"# Probe report: {one_line(task['target'])} in {one_line(task['dataset'])}",
        one_line(report["headline"]["text"]),
    ]
    for metric, about in report["metrics"].items():
        rows = [
            [method["name"], *(_with_spread(method["figures"][metric][probe]) for probe in probes)]
            for method in report["methods"]
        ]
        parts += [f"## {about['title']}", about["meaning"], table(["method", *names], rows)]
    pretrained = [method for method in report["methods"] if method["against_untrained"]]
    for metric in overview(report):
        rows = [
            [
                method["name"],
                *(written(method["against_untrained"][metric][probe], signed=True) for probe in probes),
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
            [method, *(written(point["auroc"][method]) for point in points)] for method in points[0]["auroc"]
        ]
        parts += [
            f"## Label budget: AUROC of the {title(report['budgets']['probe']).lower()} probe",
            "Share of the training trials whose label is used (number of trials).",
            table(["method", *head], rows),
        ]
    methods = [method["name"] for method in report["methods"]]
    rows = [
        [each["name"], str(each["trials"]), *(f"{each['accuracy'][name]:.2f}" for name in methods)]
        for each in report["objects"]
    ]
    parts += [
        f"## Accuracy per object ({title(report['headline']['probe'])} probe)",
        table(["object", "trials", *methods], rows),
        *_confusion(report),
        "## Notes",
        "\n".join(f"- {one_line(note)}" for note in report["notes"]),
        "## Made with",
        "    " + " ".join(report["provenance"]["command"].split()),
        ", ".join(f"{name} {version}" for name, version in report["provenance"]["versions"].items()),
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
        f"## What is taken for what ({one_line(head['method'])}, {title(head['probe'])} probe)",
        "Of each class's test trials the share said to be of each class.",
        table(["is \\ said", *found["classes"]], rows),
    ]


def _with_spread(value: dict[str, Any]) -> str:
    text = written(value)
    spread = value["encoder_spread"]
    return text if spread is None else f"{text} ±{spread:.3f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column to the left; what stands in a cell cannot break out of it."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Text on one line in which neither HTML nor Markdown takes effect."""
    for letter, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "\\`"), ("\n", " ")):
        text = text.replace(letter, safe)
    return text


def made_with(provenance: Mapping[str, Any]) -> list[str]:
    """The closing section of a report, as paragraphs: the command and the versions that made it."""
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    return ["## Made with", "    " + " ".join(provenance["command"].split()), versions]

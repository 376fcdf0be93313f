"""The paper's Table I beside ours, as Markdown and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from visuotactile.files import atomic_path, write_text
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import table

PAPER = {
    "autoencoder": (74.23, 73.90, 75.20),
    "triplet": (75.33, 75.10, 75.88),
    "memory_bank": (78.30, 78.43, 78.67),
    "moco": (80.37, 80.83, 81.83),
}
"""Accuracy, %, with KNN, SVM and MLP: Calandra 2017, left sensor, ResNet-50, 6,000 / 3,000 random trials."""

PROBES = ("knn", "svm", "mlp")
METRICS = {"accuracy": "accuracy, %", "auroc": "AUROC, %", "auroc_within": "AUROC within session, %"}


def write_table(folder: Path, dataset: str, reports: dict[str, dict[str, Any]]) -> None:
    """Write table.md and table.png into `folder` from the probe reports of the test splits."""
    lines = [f"# Table I on {dataset}", ""]
    for split, report in reports.items():
        task = report["task"]
        units = f"{task['units']['trials']} trials of {task['units']['objects']} objects"
        lines += [
            f"## {split}: {task['target']}, {units}",
            "",
            "Value [95% interval over objects]; ± is the spread over pretraining seeds (random draws).",
            "",
        ]
        for metric, title in METRICS.items():
            if metric not in report["metrics"]:
                continue
            beside = metric == "accuracy"
            paper = [f"paper {name.upper()}" for name in PROBES] if beside else []
            heads = ["method", *(name.upper() for name in PROBES), "linear", *paper]
            rows = []
            for method in report["methods"]:
                figures = [_figure(method["figures"][metric][name]) for name in (*PROBES, "linear")]
                theirs = [f"{value:.1f}" for value in PAPER.get(method["name"], ())] or ["", "", ""]
                rows.append([method["name"], *figures, *(theirs if beside else [])])
            lines += [f"### {title}", "", table(heads, rows), ""]
    write_text(folder / "table.md", "\n".join(lines))
    _draw(folder / "table.png", reports)


def _figure(found: dict[str, Any]) -> str:
    return format_figure(found, 1, ends=0, scale=100, spread=found.get("encoder_spread"))


def _draw(path: Path, reports: dict[str, dict[str, Any]]) -> None:
    metrics = [m for m in ("auroc", "auroc_within") if all(m in r["metrics"] for r in reports.values())]
    figure, axes = plt.subplots(
        len(reports), len(metrics), figsize=(5.2 * len(metrics), 2.9 * len(reports)), squeeze=False
    )
    for (split, report), line in zip(reports.items(), axes, strict=True):
        for metric, axis in zip(metrics, line, strict=True):
            names = [method["name"] for method in report["methods"]]
            for offset, probe in enumerate((*PROBES, "linear")):
                found = [method["figures"][metric][probe] for method in report["methods"]]
                places = [i + 0.18 * (offset - 1.5) for i in range(len(names))]
                values = [f["value"] for f in found]
                spans = [[f["value"] - f["low"] for f in found], [f["high"] - f["value"] for f in found]]
                axis.errorbar(values, places, xerr=spans, fmt="o", markersize=3.5, linewidth=1, label=probe)
            axis.set_yticks(range(len(names)), names)
            axis.invert_yaxis()
            axis.axvline(0.5, color="grey", linewidth=0.8, linestyle=":")
            axis.set_xlim(0.3, 1)
            axis.set_title(f"{split}: {METRICS[metric].removesuffix(', %')}", fontsize=10)
    axes[0][0].legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    plt.close(figure)

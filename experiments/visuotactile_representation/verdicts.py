"""The table of claims, from the results that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.visuotactile_representation.claims import CLAIMS, CLASSIFY
from experiments.visuotactile_representation.intervals import Figure, decimal, percent
from experiments.visuotactile_representation.presets import RESNET
from experiments.visuotactile_representation.rules import NOT_RUN
from visuotactile.errors import DataError
from visuotactile.files import provenance, read_json, write_json, write_text
from visuotactile.reports.markdown import table


def write_claims(folder: Path) -> None:
    """Write claims.md and claims.json from the results in `folder`."""
    parts = {claim.part: folder / f"{claim.part}.json" for claim in CLAIMS}
    contents = {part: read_json(path, DataError) for part, path in parts.items() if path.exists()}
    rows = []
    for claim in CLAIMS:
        found = claim.evidence(contents[claim.part]) if claim.part in contents else {}
        verdict = claim.verdict(list(found.values())) if found else NOT_RUN
        row = {"claim": claim.text, "source": claim.source, "rule": claim.rule.words, "verdict": verdict}
        rows.append({**row, "shares": claim.shares, "evidence": found})
    best = None
    if CLASSIFY in contents:
        same = {
            "senses": "both",
            "backbone": RESNET,
            "attention": False,
            "trained": "plain",
            "tested": "plain",
        }
        best = next(each for each in contents[CLASSIFY]["accuracy"] if same.items() <= each.items())
    write_json(folder / "claims.json", {"both, ResNet": best, "claims": rows, **provenance()})
    write_text(folder / "claims.md", "\n".join(_lines(rows, best)))


def _lines(rows: Sequence[Mapping[str, Any]], best: Figure | None) -> list[str]:
    lines = [
        "# The claims, in simulation",
        "",
        "Differences with their 95% intervals: on the same test examples and the same draws of poses "
        "(connectors) or of objects (grasps); where there are several seeds the interval holds what other "
        "seeds would change. Shares in percentage points. A claim is held where its rule holds for each "
        "figure, not held where it is not held for one, else not decided.",
        "",
    ]
    if best is not None:
        lines += [
            f"Both, ResNet: {percent(best)} % ({best['seeds']} seed(s); [95% over poses] ± over seeds) on "
            "simulated connectors of our own; the paper's highest, on its own: 95.3 %.",
            "",
        ]
    cells = []
    for row in rows:
        evidence = []
        for name, each in row["evidence"].items():
            value = percent(each, signed=True) if row["shares"] else decimal(each)
            evidence.append(f"{name}: {value} ({each['seeds']} seed(s))")
        cells.append([row["claim"], row["source"], "; ".join(evidence), row["rule"], f"**{row['verdict']}**"])
    return [*lines, table(["claim", "paper", "ours", "condition", "verdict"], cells), ""]

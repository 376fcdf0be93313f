"""`visuotactile probe`: from encoder folders to a report on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError
from visuotactile.files import provenance, refuse_overwrite, write_json, write_text
from visuotactile.probes.entries import make_entries
from visuotactile.probes.estimators import PROBES, check_probe, title
from visuotactile.probes.evaluation import evaluate
from visuotactile.probes.notes import overview, written
from visuotactile.probes.page import page
from visuotactile.probes.rows import Row, load_rows
from visuotactile.probes.samples import sample_trials
from visuotactile.probes.summary import summarise
from visuotactile.probes.task import make_task
from visuotactile.reports.intervals import draw_units
from visuotactile.reports.markdown import markdown

BUDGETS = (0.01, 0.1, 0.33, 1.0)


def default_cache() -> Path:
    """Where features are kept unless asked otherwise: the user's cache folder, for they can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visuotactile" / "features"


def probe(
    encoders: Sequence[str | Path | Row],
    store: str | Path | Store,
    target: str,
    split: str | Path,
    out: str | Path,
    *,
    probes: Sequence[str] = tuple(PROBES),
    budgets: Sequence[float] = BUDGETS,
    seeds: int = 3,
    within: str | None = None,
    group: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    cache: Path | None = None,
    device: str = "cpu",
    jobs: int = 1,
) -> dict[str, Any]:
    """Probe encoders beside their baselines; write report.json, report.md and report.html into `out`.

    Args:
        encoders: folders, folders of one encoder per fold, FOLDER+FOLDER, joint spaces, any of them as
            LABEL=FOLDER, or rows; see `rows.load_rows`.
        store: the trials.
        target: the outcome to predict; or "object", to tell the objects apart.
        split: a split file, or what `datasets.splits.make_split` takes, such as "object:5".
        out: folder of the report.
        probes: names from the table of estimators.
        budgets: shares of the training trials for the label-budget curve; empty for none.
        seeds: how many shuffles of the split (and seeds of the probes).
        within: also report the AUROC within the values of this column, such as "session".
        group: the column whose values are the independent units; see `task.make_task`.
        seed: the first seed; also seeds the resamples and the untrained encoders.
        overwrite: replace a report that is there.
        cache: folder for features; None takes `default_cache()`.
        device: where encoders run.
        jobs: folds at once, through joblib's current backend.

    Returns:
        the content of report.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        ContractError, StoreError, SplitError, EncoderError: something does not fit; the message says what.
    """
    out = Path(out)
    refuse_overwrite(out / "report.json", overwrite)
    for name in probes:
        check_probe(name)
    if not probes or not all(0 < share <= 1 for share in budgets):
        raise ContractError("give at least one probe, and budgets as shares of the training trials in (0, 1]")
    store = store if isinstance(store, Store) else Store(store)
    task = make_task(store, target, split, seeds=seeds, within=within, group=group, seed=seed)
    rows = load_rows(encoders, device)
    entries = make_entries(rows, store, task.splits, cache=cache or default_cache(), seed=seed)
    counts = draw_units(task.tested_units(), seed)
    found = evaluate(task, entries, counts, probes=probes, budgets=budgets, n_jobs=jobs)
    report = summarise(found, probes, budgets)
    report["provenance"] = provenance(
        encoders=[str(source) if not isinstance(source, Row) else source.name for source in encoders],
        store=str(store.path),
        target=task.target,
        split=str(split),
        out=str(out),
        probes=list(probes),
        budgets=list(budgets),
        seeds=seeds,
        within=within,
        group=group,
        seed=seed,
    )
    # The JSON is written last: where it lies, the report is whole.
    (out / "report.json").unlink(missing_ok=True)
    write_text(out / "report.html", page(report, sample_trials(found, rows, report)))
    write_text(out / "report.md", markdown(report))
    write_json(out / "report.json", report)
    _print(report, out)
    return report


def _print(report: dict[str, Any], out: Path) -> None:
    console = Console()
    task = report["task"]
    units = f"{task['units']['trials']} trials, {task['units']['objects']} objects"
    for metric in overview(report):
        caption = f"{report['metrics'][metric]['title']} of {task['target']} ({units})"
        table = Table(title=Text(caption))
        table.add_column("method")
        for name in report["probes"]:
            table.add_column(title(name), justify="right")
        for method in report["methods"]:
            cells = [_cell(method["figures"][metric][name]) for name in report["probes"]]
            table.add_row(Text(method["name"]), *cells)
        console.print(table)
    console.print(report["headline"]["text"], markup=False, highlight=False)
    console.print(f"Report: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _cell(figure: dict[str, Any]) -> Text:
    """The figure, and its interval below it."""
    value, _, interval = written(figure).partition(" ")
    return Text.assemble(value, "\n", (interval, "dim"))

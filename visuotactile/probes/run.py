"""`visuotactile probe`: a report on encoders, from folders to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.datasets.store import Store
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import ContractError
from visuotactile.files import cache_folder, provenance, refuse_overwrite, write_text, written_last
from visuotactile.probes.estimators import PROBES, check_probe, title
from visuotactile.probes.evaluation import evaluate
from visuotactile.probes.page import markdown, page, sample_trials
from visuotactile.probes.rows import Row, load_rows, make_entries, rename_streams
from visuotactile.probes.summary import overview, summarise
from visuotactile.probes.task import make_task
from visuotactile.reports.intervals import draw_units, format_figure
from visuotactile.reports.terminal import print_line, print_table

BUDGETS = (0.01, 0.1, 0.33, 1.0)


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
    numbers: bool = False,
    adapt: bool = False,
    streams: Mapping[str, str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    cache: Path | None = None,
    device: str = "cpu",
    jobs: int = 1,
) -> dict[str, Any]:
    """Evaluate frozen encoders and baselines with simple classifiers or regressors.

    Writes report.json, report.md and report.html into `out`.

    Args:
        encoders: encoder folders; FOLDER+FOLDER concatenates features, a folder of folders holds an encoder
            for each fold, a joint space counts once for each modality and once for all; LABEL=FOLDER names
            any of them. In Python also a `Row`.
        store: store of the trials.
        target: outcome to predict: a class (whole numbers, words), such as success, or a number, such as a
            force; or object, to classify the objects themselves.
        split: split file, or a specification as for `split --by`, such as object:5.
        out: folder of the report.
        probes: names of the probes.
        budgets: shares of labelled training trials for the label-budget curve; empty for none.
        seeds: number of shuffles of the split and seeds of the probes.
        within: column, such as session, within whose values the AUROC is also reported.
        group: columns, joined by +, whose values are the independent units; by default the object.
        numbers: predict whole numbers as numbers, and not as classes.
        adapt: add each encoder, and ImageNet, with statistics adapted to the training side of each fold.
        streams: names of the networks' streams in the store, where they differ, such as tactile_left=finger.
        seed: first seed; also the seed of the bootstrap and of the untrained encoders.
        overwrite: replace an existing report.
        cache: folder of cached features; by default the user's cache folder.
        device: PyTorch device of the encoders.
        jobs: number of folds fitted in parallel, through joblib's current backend.

    Returns:
        Content of report.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        ContractError, StoreError, SplitError, EncoderError: the inputs do not fit together.
    """
    out = Path(out)
    refuse_overwrite(out / "report.json", overwrite)
    for name in probes:
        check_probe(name)
    if not probes or not all(0 < share <= 1 for share in budgets):
        raise ContractError("give at least one probe, and budgets as shares of the training trials in (0, 1]")
    store = store if isinstance(store, Store) else Store(store)
    task = make_task(
        store, target, split, seeds=seeds, within=within, group=group, seed=seed, numbers=numbers
    )
    rows = rename_streams(load_rows(encoders, device), StreamNames.given(streams), store)
    entries = make_entries(
        rows,
        store,
        task.splits,
        cache=cache or cache_folder("features"),
        seed=seed,
        adapt=adapt,
        numbers=task.numbers is not None,
    )
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
        numbers=numbers,
        adapt=adapt,
        streams=dict(streams or {}),
        seed=seed,
    )
    with written_last(out / "report.json", report):
        write_text(out / "report.html", page(report, sample_trials(found, rows, report)))
        write_text(out / "report.md", markdown(report))
    _print(report)
    return report


def _print(report: dict[str, Any]) -> None:
    task = report["task"]
    units = f"{task['units']['trials']} trials, {task['units']['objects']} objects"
    for metric in overview(report):
        rows = [
            [method["name"], *(format_figure(method["figures"][metric][name]) for name in report["probes"])]
            for method in report["methods"]
        ]
        caption = f"{report['metrics'][metric]['title']} of {task['target']} ({units})"
        print_table(caption, ["method", *map(title, report["probes"])], rows)
    for line in (
        report["headline"]["text"],
        *report["headline"]["warnings"],
        *report["headline"]["pretraining_of_others"],
    ):
        print_line(line)

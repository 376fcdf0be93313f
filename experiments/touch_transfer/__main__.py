"""Transfer of frozen encoders to real touch: the planned rows on the planned tasks.

    python -m experiments.touch_transfer --data DATA --preset laptop

DATA holds `incipient_slip` and `wkoa_grasps`. Stores and features are kept in --work, each finished task in
results/ beside this file, so that the same command continues an interrupted run.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from experiments.touch_transfer.grasps import grasps_store
from experiments.touch_transfer.presets import PRESETS, Preset
from experiments.touch_transfer.tasks import SLIP, TASKS, Task
from visuotactile.datasets.convert import convert
from visuotactile.datasets.store import Store
from visuotactile.encoders import InputContract, untrained_encoder
from visuotactile.errors import DataError
from visuotactile.files import provenance, read_json, refuse_overwrite, write_text, written_last
from visuotactile.probes.evaluation import Evaluation, evaluate
from visuotactile.probes.page import markdown
from visuotactile.probes.rows import IMAGENET, UNTRAINED, Row, load_rows, make_entries
from visuotactile.probes.summary import summarise
from visuotactile.probes.task import make_task
from visuotactile.reports.intervals import Estimate, draw_units, format_figure, holm, json_number
from visuotactile.reports.markdown import made_with, table

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since reports keep the paths they were given
PLACEBO, PLACEBO_SEED = "placebo", 1000
HEADLINE = "linear", "auroc"
ADAPTATION = {UNTRAINED: "untrained, adapted", IMAGENET: f"{IMAGENET}, adapted"}
"""Family E1: method → the same with adapted statistics."""


def main() -> None:
    """Run the unfinished tasks, then write the table of the claims."""
    options = _options()
    preset = PRESETS[options.preset]
    results = HERE / "results" / options.preset
    needed = {TASKS[name].store for name in options.tasks}
    stores = {name: make_store(name, options.data, options.work) for name in needed}
    for name in options.tasks:
        folder, task = results / name.replace(" ", "_"), TASKS[name]
        if not (folder / "report.json").exists():
            print(f"{name} …", flush=True)
            run_task(task, stores[task.store], preset, folder, options.work / "features", options.encoders)
        print(read_json(folder / "report.json", DataError)["headline"]["text"], flush=True)
    write_claims(results)
    print((results / "claims.md").read_text())


def make_store(name: str, data: Path, work: Path) -> Store:
    """A store of `tasks`, converted once."""
    if name == SLIP:
        return convert("incipient-slip", data / "incipient_slip", work / "slip", size=(96, 128))
    return grasps_store(data / "wkoa_grasps", work / "grasps")


def contract_of(task: Task, store: Store, size: int) -> InputContract:
    """The task's input, in the store's scale: one mean and deviation for all images keeps firmness."""
    contract = InputContract(
        streams=task.streams, phase=task.phase, reference=task.reference, size=size, normalisation="store"
    )
    return contract.measured(store.statistics)


def run_task(
    task: Task, store: Store, preset: Preset, folder: Path, features: Path, encoders: list[str]
) -> None:
    """Evaluate all rows of a task, and write its report and the resamples of its claims."""
    refuse_overwrite(folder / "report.json", overwrite=False)
    chosen = make_task(store, task.target, task.split, seeds=preset.shuffles, within=task.within)
    contract = contract_of(task, store, preset.size)
    # Another draw of random weights, called pretrained: it must not beat the baselines.
    placebo = untrained_encoder(preset.backbone, contract, PLACEBO_SEED)
    placebo.meta |= {"method": PLACEBO, "pretraining_objects": []}
    rows = [Row(PLACEBO, placebo), *(load_rows(encoders) if encoders else ())]
    entries = make_entries(rows, store, chosen.splits, cache=features, adapt=True)
    counts = draw_units(chosen.tested_units(), 0, preset.draws)
    found = evaluate(chosen, entries, counts, probes=preset.probes, budgets=preset.budgets)
    report = summarise(found, preset.probes, preset.budgets)
    report["provenance"] = provenance(preset=preset.settings(), task=task.target, split=task.split)
    folder.mkdir(parents=True, exist_ok=True)
    with written_last(folder / "report.json", report):
        write_text(folder / "report.md", markdown(report))
        gains = adaptation(found)
        np.savez(
            folder / "claims.npz",
            **{f"{name}/{part}": getattr(each, part) for name, each in gains.items() for part in PARTS},
        )


PARTS = ("per_seed", "resampled")


def adaptation(found: Evaluation) -> dict[str, Estimate]:
    """Gain of each method of `ADAPTATION` with adapted statistics over the same without."""
    return {
        name: found.gain(after, before, *HEADLINE)
        for before, after in ADAPTATION.items()
        for name in [before]
        if before in found.methods and after in found.methods
    }


def write_claims(results: Path) -> None:
    """Table of family E1 over the finished tasks, corrected by Holm, and of every row's figure."""
    gains: dict[str, Estimate] = {}
    figures: dict[str, dict[str, Any]] = {}
    finished = [name for name in TASKS if (results / name.replace(" ", "_") / "report.json").exists()]
    for name in finished:
        folder = results / name.replace(" ", "_")
        with np.load(folder / "claims.npz", allow_pickle=False) as file:
            for row in ADAPTATION:
                if f"{row}/per_seed" in file:
                    gains[f"{name}: {row}"] = Estimate(*(file[f"{row}/{part}"] for part in PARTS))
        report = read_json(folder / "report.json", DataError)
        for method in report["methods"]:
            figures.setdefault(method["name"], {})[name] = method["figures"]
    corrected = holm(gains)
    claims = [
        [
            name,
            format_figure(corrected[name].figure(each.value), signed=True),
            str(json_number(round(corrected[name].corrected, 4))),
        ]
        for name, each in gains.items()
    ]
    probe, _ = HEADLINE
    tables = {
        metric: [
            [row, *(format_figure(each[name][metric][probe]) if name in each else "–" for name in finished)]
            for row, each in figures.items()
        ]
        for metric in ("auroc", "accuracy", "accuracy_by_group")
    }
    write_text(
        results / "claims.md",
        "\n\n".join(
            [
                "# Claims and rows",
                "E1, what adapting adds to the AUROC (linear probe), paired; intervals at Holm's level.",
                table(["task: row", "gain", "Holm p"], claims),
                *(f"## {metric}\n\n{table(['row', *finished], rows)}" for metric, rows in tables.items()),
                *made_with(provenance()),
            ]
        )
        + "\n",
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", choices=list(PRESETS), default="laptop")
    parser.add_argument("--work", type=Path, default=Path("runs") / HERE.name)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--encoders", nargs="*", default=[], help="rows beside the placebo, as for `probe`")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Few labels: encoders that learned without any, with sound and without, under a predictor of few grasps.

The sound is that of the first grasp, which is heard before the action. The regrasp's labels gentleness, so
that neither predictor nor encoder hears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from experiments.gentle_grasping.experiment import Experiment, Index
from experiments.gentle_grasping.heads import Predicted, predicted
from experiments.gentle_grasping.rows import MEASURES, correct, over_grasps
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.files import provenance, write_json, write_text
from visuotactile.reports.intervals import Estimate, format_figure
from visuotactile.reports.markdown import table
from visuotactile.retrieval.run import retrieve
from visuotactile.training.runs import Run, fit

CONFIG = Path(__file__).parent / "cross_modal.yaml"
FOLD = 0
TWO, THREE = "touch and sight", "touch, sight and sound"
HEARS = f"{THREE}, which the predictor hears too"
IMAGENET, UNTRAINED, ACTION = "ImageNet", "untrained", "action alone"


def spaces(experiment: Experiment) -> dict[str, Path]:
    """Joint spaces pretrained on the grasps of the training side of `FOLD`: modalities → folder."""
    split = experiment.work / "splits" / "grasp.json"
    if not split.exists():
        split.parent.mkdir(parents=True, exist_ok=True)
        experiment.split("grasp").save(split)
    found = {}
    for name, modalities in ((TWO, ("sight", "touch")), (THREE, ("sight", "touch", "sound"))):
        run = Run(
            folder=experiment.work / "spaces" / name.replace(", ", "-").replace(" ", "-"),
            config=CONFIG,
            branches={modality: {} for modality in modalities},
            changes={
                "data.init_args.store": str(experiment.store.path),
                "data.init_args.split": str(split),
                "data.init_args.fold": FOLD,
                "data.init_args.batch_size": min(64, experiment.preset.grasps // 4),
                "trainer.max_epochs": experiment.preset.pretraining_epochs,
            },
        )
        found[name] = fit(run)
    return found


def encoders(experiment: Experiment) -> dict[str, dict[str, Path]]:
    """Row → branch → encoder folder."""
    joint = {name: folder / "encoders" for name, folder in spaces(experiment).items()}
    rows = {name: {"camera": folder / "sight", "touch": folder / "touch"} for name, folder in joint.items()}
    rows[HEARS] = {**rows[THREE], "sound": joint[THREE] / "sound"}
    untrained = {}
    for branch, like in rows[TWO].items():
        untrained[branch] = experiment.work / "encoders" / "untrained" / branch
        if not untrained[branch].exists():
            trained = Branch(encoder=like).build()
            made = untrained_encoder(trained.architecture, trained.contract, seed=0)
            save_encoder(untrained[branch], made.backbone, made.architecture, made.contract, made.meta)
    return {**rows, IMAGENET: experiment.encoders(), UNTRAINED: untrained, ACTION: {}}


def budgets(experiment: Experiment) -> dict[str, dict[int, list[Predicted]]]:
    """Row → labelled grasps → draw → predictions of the test side of `FOLD`."""
    rows = encoders(experiment)
    for own in rows.values():
        for folder in own.values():
            experiment.features(folder)
    jobs = [
        (row, budget, seed)
        for row in rows
        for budget in experiment.preset.budgets
        for seed in range(experiment.preset.budget_seeds)
    ]
    answers = joblib.Parallel(n_jobs=experiment.jobs, batch_size=1)(
        joblib.delayed(_learned)(experiment, rows[row], *job) for job in jobs for row in [job[0]]
    )
    found: dict[str, dict[int, list[Predicted]]] = {}
    for (row, budget, _), answer in zip(jobs, answers, strict=True):
        found.setdefault(row, {}).setdefault(budget, []).append(answer)
    return found


def _learned(experiment: Experiment, own: Mapping[str, Path], row: str, budget: int, seed: int) -> Predicted:
    torch.set_num_threads(1)
    train, test = (
        side.astype(np.int64) for side in experiment.split("grasp").indices(experiment.store, FOLD)
    )
    grasps = np.unique(experiment.grasp[train])
    chosen = np.random.default_rng(seed).permutation(grasps)[:budget]
    learned: Index = train[np.isin(experiment.grasp[train], chosen)]
    name = f"few-{row.replace(', ', '-').replace(' ', '-')}-{budget}-{seed}"
    return predicted(experiment, name, own, learned, test, experiment.grasp.astype(str), seed)


def write_few_labels(experiment: Experiment) -> dict[str, Any]:
    """Write few_labels.md and few_labels.json, and retrieval between the senses; returns the content."""
    found = budgets(experiment)
    figures: dict[str, dict[str, dict[int, Estimate]]] = {
        measure: {
            row: {
                budget: over_grasps(
                    experiment, seeds[0].rows, [correct(experiment, each)[measure] for each in seeds]
                )
                for budget, seeds in own.items()
            }
            for row, own in found.items()
        }
        for measure in MEASURES
    }
    content: dict[str, Any] = {
        "test grasps": len(np.unique(experiment.grasp[next(iter(found[TWO].values()))[0].rows])),
        "accuracy": {
            measure: {row: {b: value.figure() for b, value in own.items()} for row, own in rows.items()}
            for measure, rows in figures.items()
        },
        "gain of sound in pretraining": {
            b: (figures["both"][THREE][b] - figures["both"][TWO][b]).figure()
            for b in experiment.preset.budgets
        },
        "gain of hearing the first grasp": {
            b: (figures["both"][HEARS][b] - figures["both"][THREE][b]).figure()
            for b in experiment.preset.budgets
        },
        **provenance(),
    }
    write_json(experiment.results / "few_labels.json", content)
    write_text(experiment.results / "few_labels.md", "\n".join(_lines(content)))
    out = experiment.work / "retrieval"
    if not out.exists():
        retrieve(
            [spaces(experiment)[THREE]],
            experiment.store,
            experiment.work / "splits" / "grasp.json",
            out,
            fold=FOLD,
            where=[("example", "regrasp")],
            cache=experiment.work / "cache",
        )
    return content


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines = [
        "# Few labels, simulated",
        "",
        f"Accuracy, %, on {content['test grasps']} simulated grasps of fold {FOLD} that neither pretraining "
        "nor training saw [95 % interval over grasps], by labelled grasps (three pairs each). Each encoder "
        "is of one pretraining.",
    ]
    for measure, rows in content["accuracy"].items():
        budgets = list(next(iter(rows.values())))
        lines += ["", f"## {measure}", ""]
        lines.append(
            table(
                ["frozen encoders", *map(str, budgets)],
                [[row, *(format_figure(own[b], 1, scale=100) for b in budgets)] for row, own in rows.items()],
            )
        )
    for gain in ("gain of sound in pretraining", "gain of hearing the first grasp"):
        lines += ["", f"## {gain}, points of both, paired", ""]
        own = content[gain]
        lines.append(
            table(
                ["", *map(str, own)], [["", *(format_figure(own[b], 1, scale=100, signed=True) for b in own)]]
            )
        )
    return [*lines, ""]

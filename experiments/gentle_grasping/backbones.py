"""Figure 6 at a laptop's size: a small network trained end to end beside the frozen ImageNet encoders."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.gentle_grasping.experiment import OUTCOMES, Experiment
from experiments.gentle_grasping.heads import Predicted
from experiments.gentle_grasping.rows import ALL, MEASURES, correct, cross_validated, over_grasps
from visuotactile.configs import FOLDER
from visuotactile.files import provenance, write_json, write_text
from visuotactile.grasp.predictor.calibration import sigmoid
from visuotactile.grasp.predictor.examples import predict
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.markdown import table
from visuotactile.training.runs import Run, fit

FROZEN, END_TO_END = "EfficientNet-Lite0, ImageNet, frozen", "ResNet of 0.4 M weights, end to end"
PAPER = "DenseNet-121 88.24, then EfficientNetV2-B0, then ResNet-50"


def write_backbones(experiment: Experiment) -> dict[str, Any]:
    """Write figure6.md and figure6.json; returns the content."""
    split = experiment.work / "splits" / "grasp.json"
    if not split.exists():
        split.parent.mkdir(parents=True, exist_ok=True)
        experiment.split("grasp").save(split)
    rows, probabilities = [], []
    for fold in range(experiment.preset.folds):
        steps = experiment.preset.end_to_end_steps
        run = Run(
            folder=experiment.work / "end-to-end" / str(fold),
            config=FOLDER / "laptop" / "gentle_predictor.yaml",
            changes={
                "data.init_args.store": str(experiment.store.path),
                "data.init_args.split": str(split),
                "data.init_args.fold": fold,
                "trainer.max_steps": steps,
                "trainer.val_check_interval": steps,
            },
        )
        test = experiment.split("grasp").indices(experiment.store, fold)[1].astype(np.int64)
        predictor = load_predictor(fit(run))
        logits, _ = predict(predictor, experiment.store, test)
        rows.append(test)
        probabilities.append(sigmoid(logits * predictor.slope.numpy() + predictor.intercept.numpy()))
    order = np.argsort(np.concatenate(rows))
    found = {
        FROZEN: cross_validated(experiment)["grasp"][ALL],
        END_TO_END: [Predicted(np.concatenate(rows)[order], np.concatenate(probabilities)[order])],
    }
    figures = {
        name: {
            measure: over_grasps(
                experiment, seeds[0].rows, [correct(experiment, each)[measure] for each in seeds]
            ).figure()
            for measure in MEASURES
        }
        for name, seeds in found.items()
    }
    content: dict[str, Any] = {"accuracy": figures, **provenance()}
    write_json(experiment.results / "figure6.json", content)
    lines = [
        "# Figure 6 at a laptop's size, simulated",
        "",
        "Accuracy of all senses with action by grasp, % [95 % interval over grasps]. The paper's order, both "
        f"{' and '.join(OUTCOMES)}: {PAPER}.",
        "",
        table(
            ["", *MEASURES],
            [
                [name, *(format_figure(own[m], 1, scale=100) for m in MEASURES)]
                for name, own in figures.items()
            ],
        ),
        "",
    ]
    write_text(experiment.results / "figure6.md", "\n".join(lines))
    return content

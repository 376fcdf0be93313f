"""Tuning of training length and rate, on objects held out of the training side of Table I's fold 0.

    python -m experiments.more_than_a_feeling.tune --preset laptop --jobs 2 NAME …

The test objects of fold 0 are not used; those of folds 1 and 2 are among its training objects, so the choice
is blind to fold 0 alone, and table1.md gives each fold's accuracy beside the mean. Writes
results/PRESET/tuning.md.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.more_than_a_feeling.experiment import BOTH, CAMERA, TOUCH, Branches, Experiment, add_options
from experiments.more_than_a_feeling.predicted import Part, held_out
from experiments.more_than_a_feeling.presets import steps
from experiments.more_than_a_feeling.trials import EXAMPLES
from visuotactile.files import write_json, write_text
from visuotactile.grasp.predictor.calibration import sigmoid
from visuotactile.grasp.predictor.reliability import log_loss
from visuotactile.reports.markdown import table
from visuotactile.training.runs import Changes

HELD_OUT = 0.25
LARGER = {f"model.init_args.branches.{branch}.backbone": "resnet10t" for branch in ("camera", "touch")}
DECAY = {"model.init_args.optimizer.weight_decay": 0.05}
VARIANTS: Mapping[str, tuple[Branches, Changes]] = {
    "vision": (CAMERA, {}),
    "tactile": (TOUCH, {}),
    "both": (BOTH, {}),
    "both, no camera image": ({"touch": {}}, {"model.init_args.vectors": ["pose", "force", "cylinder"]}),
    "both, weight decay 0.05": (BOTH, DECAY),
    "both, 2400 steps": (BOTH, steps(2400)),
    "both, ResNet-10": (BOTH, LARGER),
}
"""Variant → branches, and changes of the configuration."""


def main() -> None:
    """Train the named variants, all by default, and write the table of the finished ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *VARIANTS])
    add_options(parser)
    options = parser.parse_args()
    experiment = Experiment.of(options)
    results = experiment.results
    split = experiment.split(experiment.small)
    parts = {
        name: dataclasses.replace(
            experiment.part(
                f"tuning/{name.replace(', ', '-').replace(' ', '-')}",
                branches,
                changes={**changes, "data.init_args.held_out": HELD_OUT},
                split=split,
            ),
            tested=False,
        )
        for name, (branches, changes) in VARIANTS.items()
    }
    wanted = [parts[name] for name in options.names or VARIANTS]
    experiment.fit(wanted)
    found = {name: _measured(experiment, part) for name, part in parts.items() if part.predictor.exists()}
    write_json(results / "tuning.json", found)
    lines = [
        "# Tuning, on objects held out inside the training side of fold 0 (simulated)",
        "",
        table(
            ["", "log loss", *(f"AUROC, {kind}" for kind in EXAMPLES)],
            [
                [name, f"{values['log loss']:.3f}", *(f"{100 * values[kind]:.1f}" for kind in EXAMPLES)]
                for name, values in found.items()
            ],
        ),
    ]
    write_text(results / "tuning.md", "\n".join([*lines, ""]))
    print("\n".join(lines))


def _measured(experiment: Experiment, part: Part) -> dict[str, float]:
    found = held_out(part)
    kinds = experiment.small.column("column/example")[found.rows]
    values = {
        kind: float(roc_auc_score(found.labels[kinds == kind], found.logits[kinds == kind]))
        for kind in EXAMPLES
    }
    return {
        "log loss": log_loss(sigmoid(found.logits), found.labels),
        "objects": len(np.unique(experiment.small.objects[found.rows])),
        **values,
    }


if __name__ == "__main__":
    main()

"""Figures 7 and 8: object classification from sight and touch, with and without occlusions.

Also the paper's future work: cross-modal attention instead of concatenation.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from experiments.visuotactile_representation import accuracies
from experiments.visuotactile_representation.accuracies import OCCLUDED, PLAIN, SENSES, Kind
from experiments.visuotactile_representation.experiment import Experiment
from experiments.visuotactile_representation.presets import RESNET
from visuotactile.datasets.store import Store
from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.probes.metrics import Predictions
from visuotactile.supervised import evaluation, load_classifier
from visuotactile.training.folder import BEST
from visuotactile.training.runs import Run

BEHIND = {
    "class_path": "visuotactile.views.SightAugmentation",
    "init_args": {"p_crop": 0.0, "p_occlusion": 1.0},
}
"""Occlusion of every training image of sight, without other augmentations, like `evaluation.OCCLUSION`."""


def kinds(experiment: Experiment) -> list[Kind]:
    """All kinds of classifiers to train."""
    backbones, occluded = experiment.preset.backbones, experiment.preset.occluded_backbones
    return [
        *(Kind(senses, backbone) for senses, backbone in product(SENSES, backbones)),
        *(Kind("both", backbone, attention=True) for backbone in backbones),
        *(
            Kind(senses, backbone, trained=OCCLUDED)
            for senses, backbone in product(("vision", "both"), occluded)
        ),
        *(Kind("both", backbone, attention=True, trained=OCCLUDED) for backbone in occluded),
    ]


def network(experiment: Experiment, kind: Kind, seed: int) -> Run:
    """Training run of a classifier on the grid's poses; the epoch with the lowest training loss is kept."""
    preset = experiment.preset
    backbone = preset.backbones[kind.backbone]
    changes: dict[str, Any] = {
        **preset.everywhere,
        **backbone.changes(backbone.classifier_lr),
        **preset.classifier_changes,
        "model.init_args.seed": seed,
        "data.init_args.seed": seed,
        "data.init_args.store": str(experiment.connectors.path),
        "data.init_args.split": str(experiment.poses),
    }
    if kind.attention:
        changes["model.init_args.attention"] = dict(preset.attention)
    if kind.trained == OCCLUDED:
        changes["model.init_args.branches.sight.augmentation"] = BEHIND
    joined = "-attention" if kind.attention else ""
    return Run(
        folder=experiment.work
        / "classifiers"
        / f"{kind.senses}-{kind.backbone}{joined}-{kind.trained}-{seed}",
        config=preset.classifier,
        changes=changes,
        branches={name: {} for name in SENSES[kind.senses]},
        checkpoint=BEST,
    )


def predict(network: Run, store: Path, split: Path, occluded: bool, device: str, threads: int) -> Predictions:
    """Predictions of a finished classifier on the perturbed poses, cached in its folder."""
    file = network.folder / f"said-{OCCLUDED if occluded else PLAIN}.npz"
    if not file.exists():
        torch.set_num_threads(threads)
        classifier = load_classifier(network.exported, device)
        hidden = [name for name in classifier.branches if occluded and name == "sight"]
        new = evaluation.evaluate(classifier, Store(store), split, occlude=hidden)
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, rows=new.rows, groups=new.groups, labels=new.labels, p=new.probabilities)
    with np.load(file) as found:
        units = np.unique(found["groups"], return_inverse=True)[1].astype(np.int64)
        return Predictions(
            trials=found["rows"],
            labels=found["labels"],
            predicted=found["p"].argmax(axis=1).astype(np.int64),
            scores=found["p"].astype(np.float64),
            objects=found["labels"],
            folds=np.zeros(len(units), np.int64),
            units=units,
        )


def run(experiment: Experiment) -> dict[str, Any]:
    """Train and test all classifiers; write classification.json and .md, and return the content."""
    seeds = range(experiment.preset.classifier_seeds)
    networks = {kind: [network(experiment, kind, seed) for seed in seeds] for kind in kinds(experiment)}
    experiment.fit([each for own in networks.values() for each in own])
    tests = [(kind, test) for kind, test in product(networks, (PLAIN, OCCLUDED))]
    store, split = experiment.connectors.path, experiment.poses
    answers = joblib.Parallel(n_jobs=experiment.jobs)(
        joblib.delayed(predict)(each, store, split, test == OCCLUDED, experiment.device, experiment.threads)
        for kind, test in tests
        for each in networks[kind]
    )
    tested = {key: answers[place * len(seeds) : (place + 1) * len(seeds)] for place, key in enumerate(tests)}
    classes = load_classifier(networks[Kind("both", RESNET)][0].exported).classes
    content = {
        **accuracies.summarise(tested, classes),
        "seeds": len(seeds),
        **provenance(preset=experiment.preset.settings()),
    }
    write_json(experiment.results / "classification.json", content)
    write_text(experiment.results / "classification.md", "\n".join(accuracies.lines(content)))
    return content

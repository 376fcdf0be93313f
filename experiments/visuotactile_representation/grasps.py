"""Touch encoders pretrained with and without the camera, on simulated grasps.

Both are pretrained on the training objects of one fold, in equally many steps of equally many touch images.
The frozen encoders are evaluated on unseen objects, by probes and under a grasp predictor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from experiments.visuotactile_representation.experiment import Experiment
from experiments.visuotactile_representation.intervals import difference, figure, percent
from visuotactile.datasets.samples import class_labels
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders import load_encoder, save_encoder, untrained_encoder
from visuotactile.files import atomic_path, provenance, write_json, write_text
from visuotactile.grasp import load_predictor
from visuotactile.grasp.predictor.examples import predict
from visuotactile.probes.evaluation import evaluate
from visuotactile.probes.metrics import Predictions, auroc
from visuotactile.probes.rows import MAJORITY, RAW, UNTRAINED, load_rows, make_entries
from visuotactile.probes.task import Task, make_task
from visuotactile.reports.intervals import Estimate, draw_units, estimate
from visuotactile.reports.markdown import table
from visuotactile.training.runs import Run

CROSS_MODAL, MOCO = "camera ↔ touch", "touch-only MoCo"
FOLDERS = {CROSS_MODAL: "cross_modal", MOCO: "moco", UNTRAINED: "untrained"}
PROBES = ("linear", "knn")
SUCCESS, FAMILY, PREDICTOR = "success", "family", "predictor"
MEASURE = {SUCCESS: "auroc", FAMILY: "accuracy"}
"""Metric of each target. An AUROC over 43 families would need each of them in every resample."""
BATCH = 64

Estimates = dict[str, list[Estimate]]
"""Encoder → one for each pretraining seed."""


def pretraining(experiment: Experiment, method: str, seed: int) -> Run:
    """Pretraining run of one touch encoder, or of the joint space that contains it."""
    preset = experiment.preset
    cross_modal = method == CROSS_MODAL
    places = [f"branches.{name}." for name in ("sight", "touch")] if cross_modal else ["branch."]
    changes: dict[str, Any] = {
        **preset.everywhere,
        **{f"model.init_args.{place}backbone": preset.grasp_backbone for place in places},
        **{f"model.init_args.{place}contract.size": preset.grasp_size for place in places},
        "model.init_args.seed": seed,
        "data.init_args.seed": seed,
        "data.init_args.store": str(experiment.grasps.path),
        "data.init_args.split": str(experiment.unseen_objects),
        "data.init_args.batch_size": BATCH,
        "trainer.max_epochs": -1,
        "trainer.max_steps": preset.pretraining_steps,
    }
    # Normalisation of the published figures, instead of the store's mean and deviation.
    contract = f"model.init_args.{'branches.touch' if cross_modal else 'branch'}.contract"
    changes |= {f"{contract}.mean": [0.0] * 3, f"{contract}.std": [0.05] * 3}
    if cross_modal:
        # The split contains only states in contact.
        changes |= {"data.init_args.where": None, "data.init_args.held_out": 0.0}
    else:
        changes["data.init_args.positive"] = "frame"  # a simulated touch has one image
    return Run(
        folder=experiment.work / "pretraining" / f"{FOLDERS[method]}-{seed}",
        config=preset.cross_modal_grasps if cross_modal else preset.moco,
        changes=changes,
    )


def encoders(experiment: Experiment) -> dict[str, list[Path]]:
    """Method → folder of the touch encoder of each seed."""
    seeds = range(experiment.preset.joint_seeds)
    networks = {name: [pretraining(experiment, name, seed) for seed in seeds] for name in (CROSS_MODAL, MOCO)}
    experiment.fit([each for own in networks.values() for each in own])
    found = {
        CROSS_MODAL: [each.exported / "encoders" / "touch" for each in networks[CROSS_MODAL]],
        MOCO: [each.exported for each in networks[MOCO]],
    }
    like = load_encoder(found[MOCO][0])
    for seed in seeds:
        folder = experiment.work / "pretraining" / f"{FOLDERS[UNTRAINED]}-{seed}"
        if not folder.exists():
            fresh = untrained_encoder(like.architecture, like.contract, seed)
            save_encoder(folder, fresh.backbone, fresh.architecture, fresh.contract, fresh.meta)
        found.setdefault(UNTRAINED, []).append(folder)
    return found


def predictor(experiment: Experiment, name: str, encoder: Path, seed: int) -> Run:
    """A grasp predictor of touch and action over a frozen encoder."""
    preset, steps = experiment.preset, experiment.preset.predictor_steps
    return Run(
        folder=experiment.work / "predictors" / f"{name}-{seed}",
        config=preset.predictor,
        changes={
            **preset.everywhere,
            "model.init_args.vectors": ["pose", "force"],
            "model.init_args.optimizer.drops": [3 * steps // 4],
            "model.init_args.seed": seed,
            "data.init_args.seed": seed,
            "data.init_args.store": str(experiment.grasps.path),
            "data.init_args.split": str(experiment.unseen_objects),
            "trainer.max_steps": steps,
            "trainer.val_check_interval": steps,
        },
        branches={"touch": {"encoder": str(encoder)}},
        calibration="none",
    )


def predict_test(network: Run, store_path: Path, split: Path, threads: int) -> Predictions:
    """Predictions of a finished predictor on the test objects, cached in its folder."""
    torch.set_num_threads(threads)
    store, file = Store(store_path), network.folder / "said.npz"
    rows = Split.load(split, store).indices(store, 0)[1].astype(np.int64)
    if not file.exists():
        logits, labels = predict(load_predictor(network.exported), store, rows)
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, logits=logits[:, 0], labels=labels[:, 0])
    with np.load(file) as found:
        logits, labels = found["logits"].astype(np.float64), found["labels"].astype(np.int64)
    return Predictions(
        trials=rows,
        labels=labels,
        predicted=(logits > 0).astype(np.int64),
        scores=np.stack([-logits, logits], axis=1),
        objects=np.unique(store.objects, return_inverse=True)[1][rows].astype(np.int64),
        folds=np.zeros(len(rows), np.int64),
    )


def predicted(experiment: Experiment, found: Mapping[str, Sequence[Path]]) -> Estimates:
    """AUROC of success of the grasp predictors, over the test objects."""
    networks = {
        name: [predictor(experiment, FOLDERS[name], encoder, seed) for seed, encoder in enumerate(own)]
        for name, own in found.items()
    }
    experiment.fit([each for own in networks.values() for each in own])
    store, split = experiment.grasps, experiment.unseen_objects
    jobs = [(name, each) for name, own in networks.items() for each in own]
    answers = joblib.Parallel(n_jobs=experiment.jobs)(
        joblib.delayed(predict_test)(each, store.path, split, experiment.threads) for _, each in jobs
    )
    task = make_task(store, SUCCESS, split, seeds=1)
    counts = draw_units(task.tested_units(), seed=0)
    estimates: Estimates = {}
    for (name, _), answer in zip(jobs, answers, strict=True):
        estimates.setdefault(name, []).append(estimate(auroc, [answer], counts))
    return estimates


def probed(experiment: Experiment, found: Mapping[str, Sequence[Path]], target: str) -> dict[str, Estimates]:
    """Probe → AUROC of success, or accuracy of the family of objects, on the test objects."""
    store, split = experiment.grasps, experiment.unseen_objects
    task = make_task(store, SUCCESS, split, seeds=1)
    if target == FAMILY:
        task = _family(task)
    sources = [f"{name}={folder}" for name in (CROSS_MODAL, MOCO) for folder in found[name]]
    entries = make_entries(load_rows(sources), store, task.splits, cache=experiment.features)
    counts = draw_units(task.tested_units(), seed=0)
    answers = evaluate(task, entries, counts, probes=PROBES, budgets=(), n_jobs=experiment.jobs)
    shown = [name for name in answers.methods if name in found or name.startswith((RAW, MAJORITY))]
    return {
        probe: {
            name: [answers.estimate(entry, probe, MEASURE[target]) for entry in answers.methods[name]]
            for name in shown
        }
        for probe in PROBES
    }


def _family(task: Task) -> Task:
    """The same trials and objects, with the object's family (vessels, tools, …) as target."""
    labels, values = class_labels(task.store, "column/family")
    return Task(
        store=task.store,
        target="column/family",
        classes=tuple(str(value) for value in values.tolist()),
        labels=labels.astype(np.int64),
        objects=task.objects,
        object_names=task.object_names,
        unit=task.unit,
        units=task.units,
        within=None,
        strata=None,
        splits=task.splits,
        seeds=task.seeds,
    )


def run(experiment: Experiment) -> dict[str, Any]:
    """Pretrain, probe and predict; write grasps.json and .md, and return the content."""
    found = encoders(experiment)
    questions: dict[str, Estimates] = {}
    for target in (SUCCESS, FAMILY):
        for probe, own in probed(experiment, found, target).items():
            questions[f"{target}, {probe} probe"] = own
    questions[f"{SUCCESS}, {PREDICTOR}"] = predicted(experiment, found)
    store = experiment.grasps
    train, test = Split.load(experiment.unseen_objects, store).indices(store, 0)
    content = {
        "grasps": experiment.preset.grasps,
        "trials": [len(train), len(test)],
        "objects": [len(np.unique(store.objects[side])) for side in (train, test)],
        "seeds": experiment.preset.joint_seeds,
        "steps": experiment.preset.pretraining_steps,
        "figures": {
            question: {name: figure(own) for name, own in estimates.items()}
            for question, estimates in questions.items()
        },
        "differences": {
            question: {
                f"{CROSS_MODAL} − {other}": difference(estimates[CROSS_MODAL], estimates[other])
                for other in (MOCO, UNTRAINED)
            }
            for question, estimates in questions.items()
        },
        **provenance(preset=experiment.preset.settings()),
    }
    write_json(experiment.results / "grasps.json", content)
    write_text(experiment.results / "grasps.md", "\n".join(_lines(content)))
    return content


def _lines(content: Mapping[str, Any]) -> list[str]:
    (train, test), (known, new) = content["trials"], content["objects"]
    lines = [
        "# Frozen touch encoders, pretrained with the camera and without, in simulation",
        "",
        f"{content['grasps']:,} simulated grasps; {train:,} states in contact of {known} objects to learn "
        f"from, {test:,} of {new} other objects to be tested on. {content['seeds']} pretraining seed(s) of "
        f"{content['steps']:,} steps of {BATCH} touch images. AUROC of success, accuracy of the family "
        "(there are 43); %: mean over encoders [95% over objects] ± standard deviation over encoders.",
        "",
    ]
    for name, own in (("Figures", content["figures"]), ("Differences", content["differences"])):
        columns = list(dict.fromkeys(each for found in own.values() for each in found))
        rows = [
            [
                question,
                *(
                    percent(found[each], signed=name == "Differences") if each in found else ""
                    for each in columns
                ),
            ]
            for question, found in own.items()
        ]
        lines += [f"## {name}", "", table(["", *columns], rows), ""]
    return lines

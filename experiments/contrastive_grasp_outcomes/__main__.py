"""Table I of the contrastive grasp-outcome paper: method × KNN, SVM, MLP, on frozen encoders.

    python -m experiments.contrastive_grasp_outcomes SOURCE --preset laptop
    python -m experiments.contrastive_grasp_outcomes SOURCE --preset paper

SOURCE is a folder of Calandra shards (calandra_corl2017_000.h5 …), or of the incipient slip recordings
(base_data_for_training …), whose task is to predict slip of the held object from the first second.

Finished parts (the store, each encoder, each report) are kept, and pretraining resumes from its last
checkpoint, so the same command continues an interrupted run. Encoders and checkpoints go to --work; reports,
splits and the table to results/ beside this file.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from experiments.contrastive_grasp_outcomes.table import write_table
from visuotactile.configs import FOLDER as CONFIGS
from visuotactile.datasets.convert import convert
from visuotactile.datasets.splits import make_split
from visuotactile.errors import DataError
from visuotactile.files import read_json
from visuotactile.probes.run import probe
from visuotactile.training.runs import Changes, Run, fit

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since reports keep the paths they were given
METHODS: dict[str, tuple[str, Changes]] = {
    "autoencoder": ("autoencoder", {}),
    "triplet": ("triplet", {}),
    "memory_bank": ("memory_bank", {}),
    "moco": ("moco", {}),
    # The laptop presets omit the paper's colour jitter and grey; this is MoCo with both.
    "moco_with_jitter": (
        "moco",
        {
            "model.init_args.branch.augmentation.class_path": "visuotactile.views.ContrastiveAugmentation",
            "model.init_args.branch.augmentation.init_args.p_jitter": 0.8,
            "model.init_args.branch.augmentation.init_args.p_gray": 0.2,
        },
    ),
}
"""Name in the table → configuration, and changes of it."""

PAPER_SIZE = (256, 256)
DIFFERENCE: Changes = {
    "model.init_args.branch.contract.mean": [0.0] * 3,
    "model.init_args.branch.contract.std": [0.05] * 3,
}
"""Normalisation of the published figures, instead of the store's mean and deviation."""

PRESETS: dict[str, tuple[Path, Changes, tuple[str, ...]]] = {
    "paper": (CONFIGS, {}, tuple(METHODS)),
    "laptop": (CONFIGS / "laptop", DIFFERENCE, tuple(METHODS)),
    # Ten times the steps, to test whether training time limits the figures.
    "laptop-long": (CONFIGS / "laptop", {**DIFFERENCE, "trainer.max_epochs": 40}, ("moco",)),
}
"""Preset → folder of configurations, changes of them, and methods."""


@dataclass(frozen=True)
class Question:
    """Prediction task on a dataset.

    Attributes:
        dataset: name of the reader.
        options: options of the reader.
        target: outcome to predict.
        within: column within whose values a second AUROC is taken, or None.
        pretraining_split: split on whose training side all presets pretrain encoders.
        test_splits: name of the report → split that the probes are tested on, and its number of shuffles.
        size: height and width to which the laptop presets convert images.
    """

    dataset: str
    options: dict[str, Any]
    target: str
    within: str | None
    pretraining_split: str
    test_splits: dict[str, tuple[str, int]]
    size: tuple[int, int]


CALANDRA = Question(
    dataset="calandra2017",
    options={},
    target="success",
    within=None,
    pretraining_split="random:6000/3000",
    test_splits={"random_6000_3000": ("random:6000/3000", 1), "by_object": ("object:5", 3)},
    size=(96, 128),
)
INCIPIENT_SLIP = Question(
    dataset="incipient-slip",
    options={},
    target="slip",
    within="session",
    pretraining_split="column:official_split",
    test_splits={"by_object": ("object:5", 3), "official": ("column:official_split", 1)},
    size=(96, 128),
)


def main() -> None:
    """Run the unfinished parts, then write the table."""
    options = _options()
    methods = options.methods or PRESETS[options.preset][2]
    question = _question(options.source)
    work, results = options.work / question.dataset, HERE / "results" / f"{question.dataset}-{options.preset}"
    store = convert(
        question.dataset,
        options.source,
        work / ("store-paper" if options.preset == "paper" else "store-laptop"),
        size=PAPER_SIZE if options.preset == "paper" else question.size,
        options=question.options,
        jobs=options.jobs,
    )
    split = results / "splits" / "pretraining.json"
    if not split.exists():
        make_split(store, question.pretraining_split).save(split)

    parts = [(method, seed) for seed in range(options.seeds) for method in methods]
    runs = [pretraining(*part, store.path, split, work / options.preset, options.preset) for part in parts]
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    folders = joblib.Parallel(n_jobs=options.jobs)(joblib.delayed(fit)(run, threads) for run in runs)
    encoders = [f"{method}={folder}" for (method, _), folder in zip(parts, folders, strict=True)]
    for name, (spec, shuffles) in question.test_splits.items():
        out = results / name
        if not (out / "report.json").exists():
            # The official split is the one written for pretraining; others are drawn anew.
            tested = str(split) if spec == question.pretraining_split else spec
            probe(
                encoders,
                store,
                question.target,
                tested,
                out,
                seeds=shuffles,
                within=question.within,
                cache=work / "features",
                jobs=options.jobs,
            )
    reports = {name: read_json(results / name / "report.json", DataError) for name in question.test_splits}
    write_table(results, question.dataset, reports)
    print((results / "table.md").read_text())


def pretraining(method: str, seed: int, store: Path, split: Path, work: Path, preset: str) -> Run:
    """Pretraining run of one method and seed."""
    name, changes = METHODS[method]
    configs, long, _ = PRESETS[preset]
    return Run(
        folder=work / f"{method}-{seed}",
        config=configs / f"{name}.yaml",
        changes={
            "data.init_args.store": str(store),
            "data.init_args.split": str(split),
            "data.init_args.seed": seed,
            "model.init_args.seed": seed,
            **changes,
            **long,
        },
    )


def _question(source: Path) -> Question:
    if any(source.glob("calandra_corl2017_*.h5")):
        return CALANDRA
    if any(source.glob("base_data_for_*/*/*/camera_0.avi")):
        return INCIPIENT_SLIP
    raise DataError(
        f"{source} holds neither calandra_corl2017_*.h5 nor base_data_for_*/OBJECT/TRIAL/camera_0.avi"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--preset", choices=list(PRESETS), default="laptop")
    parser.add_argument("--work", type=Path, default=Path("runs") / HERE.name)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="all of the preset's by default")
    parser.add_argument("--seeds", type=int, default=3, help="pretraining seeds of each method")
    parser.add_argument("--jobs", type=int, default=1, help="encoders to pretrain at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()

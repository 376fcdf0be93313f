"""Hardness from touch, simulated: three estimators on unseen presses, label budgets, and bounds.

    python -m experiments.hardness --preset laptop
    python -m experiments.hardness --preset paper --jobs 8

Stores, networks, measured clips and predictions are kept in --work, so that the same command continues an
interrupted run; tables and pictures go to results/ beside this file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from experiments.hardness import budgets, oracle, report
from experiments.hardness.claims import KNOWN, MECHANICS, SELF_SUPERVISED, UNKNOWN, key
from experiments.hardness.experiment import BALLS, HERE, SHAPES, Experiment
from experiments.hardness.predictions import predict
from experiments.hardness.presets import ADAPTED, AUTOENCODER, PRESETS

SPLITS = ("sample", "radius", "level", "sensor", "force")
SHAPE_SPLITS = ("sample", "family")


def splits(experiment: Experiment) -> None:
    """Hemispheres: each estimator, on each split, with and without the radius."""
    rows = {}
    names = [MECHANICS, SELF_SUPERVISED, f"{ADAPTED}, ridge"]
    for split in SPLITS:
        heads = [f"{AUTOENCODER}, {head}" for head in experiment.preset.heads]
        # the untrained encoder stands beside in the split that the claims are about
        for name in names + heads if split == "sample" else names[:2]:
            # the claims on other splits are about known radii, and contact mechanics answers both at once
            for known in (KNOWN, UNKNOWN) if split == "sample" or name == MECHANICS else (KNOWN,):
                found = predict(experiment, BALLS, name, split, radius=known == KNOWN)
                rows[key(split, name, known)] = (split, name, known, [found])
                print(f"  {key(split, name, known)}", flush=True)
    report.write_rows(experiment, "splits", BALLS, rows, [])
    report.draw_splits(experiment, rows)


def shapes(experiment: Experiment) -> None:
    """Every shape: unseen samples, and unseen families of shapes."""
    rows = {}
    for split in SHAPE_SPLITS:
        for name in (SELF_SUPERVISED, f"{ADAPTED}, ridge"):
            found = predict(experiment, SHAPES, name, split, radius=False)
            rows[key(split, name, UNKNOWN)] = (split, name, UNKNOWN, [found])
            print(f"  {key(split, name, UNKNOWN)}", flush=True)
    report.write_rows(experiment, "shapes", SHAPES, rows, report.gap(experiment, rows))


def label_budgets(experiment: Experiment) -> None:
    """Few labelled presses."""
    report.write_budgets(experiment, budgets.run(experiment))
    report.draw_budgets(experiment)


def bounds(experiment: Experiment) -> None:
    """Bounds on any estimator's error."""
    report.write_oracle(experiment, oracle.run(experiment))


PARTS: Mapping[str, Callable[[Experiment], None]] = {
    "splits": splits,
    "oracle": bounds,
    "shapes": shapes,
    "budgets": label_budgets,
}
"""Part → function that runs it and writes its results."""


def main() -> None:
    """Run the parts, and judge the claims over all results."""
    options = _options()
    experiment = Experiment.of(options)
    torch.set_num_threads(experiment.threads)
    for name in options.parts:
        print(f"part {name}", flush=True)
        began = time.monotonic()
        PARTS[name](experiment)
        print(f"part {name} took {(time.monotonic() - began) / 60:.1f} min", flush=True)
    report.write_claims(experiment.results)
    print((experiment.results / "claims.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=list(PRESETS), default="laptop")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="all by default")
    parser.add_argument("--work", type=Path, default=Path("runs") / HERE.name)
    parser.add_argument(
        "--results", type=Path, default=None, help="by default results/PRESET beside this file"
    )
    parser.add_argument("--jobs", type=int, default=1, help="simulations at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()

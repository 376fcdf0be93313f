"""Tables I and II, Figures 5 to 9 of gentle_grasping, in simulation, and few labels.

    python -m experiments.gentle_grasping --preset laptop --jobs 2
    python -m experiments.gentle_grasping --preset laptop --store STORE        a store of `collect gentle`

Finished parts (features, predictions, networks, episodes) are kept in --work, so the same command continues
an interrupted run. Tables and pictures go to results/ beside this file.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch

from experiments.gentle_grasping.backbones import write_backbones
from experiments.gentle_grasping.candidates import write_candidates
from experiments.gentle_grasping.closed_loop import write_closed_loop, write_unseen
from experiments.gentle_grasping.experiment import Experiment
from experiments.gentle_grasping.few_labels import write_few_labels
from experiments.gentle_grasping.force import write_force
from experiments.gentle_grasping.labels import write_labels
from experiments.gentle_grasping.presets import PRESETS
from experiments.gentle_grasping.rows import write_rows

HERE = Path(os.path.relpath(Path(__file__).parent))  # relative, since results keep the command line
PARTS = {
    "labels": write_labels,
    "rows": write_rows,
    "closed_loop": write_closed_loop,
    "force": write_force,
    "candidates": write_candidates,
    "unseen": write_unseen,
    "few_labels": write_few_labels,
    "backbones": write_backbones,
}


def main() -> None:
    """Run the unfinished parts, and write their tables."""
    options = _options()
    torch.set_num_threads(1)
    experiment = Experiment(
        preset=PRESETS[options.preset],
        work=options.work / options.preset,
        results=options.results or HERE / "results" / options.preset,
        jobs=options.jobs,
        given=options.store,
    )
    experiment.results.mkdir(parents=True, exist_ok=True)
    print(f"{len(experiment.store):,} simulated state–action pairs in {experiment.store.path}", flush=True)
    for part in options.parts:
        began = time.monotonic()
        PARTS[part](experiment)
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="laptop")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="all by default")
    parser.add_argument("--store", type=Path, help="store of `collect gentle`; by default it is collected")
    parser.add_argument("--work", type=Path, default=Path("runs/gentle_grasping"))
    parser.add_argument("--results", type=Path, help="by default results/PRESET beside this file")
    parser.add_argument("--jobs", type=int, default=1, help="networks, episodes or simulations at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Figures 7 to 9 of the visuotactile representation paper, its claims and its future work, in simulation.

    python -m experiments.visuotactile_representation --preset laptop --jobs 2
    python -m experiments.visuotactile_representation --preset paper

Finished parts (stores, networks, predictions) are kept, and training resumes from its last checkpoint, so the
same command continues an interrupted run. Stores and networks go to --work; tables and pictures to results/
beside this file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.visuotactile_representation import classifiers, figures, grasps, queues, spaces, verdicts
from experiments.visuotactile_representation.experiment import HERE, Experiment
from experiments.visuotactile_representation.presets import PRESETS

PARTS: Mapping[
    str, tuple[Callable[[Experiment], dict[str, Any]], Callable[[Path, Mapping[str, Any]], None]]
] = {
    "classification": (classifiers.run, figures.draw_classification),
    "joint": (spaces.run, figures.draw_joint),
    "queue": (queues.run, figures.draw_queue),
    "grasps": (grasps.run, figures.draw_grasps),
}
"""Part → function that runs it, and function that draws it."""


def main() -> None:
    """Run and draw the unfinished parts, and list the claims over all results."""
    options = _options()
    experiment = Experiment.of(options)
    torch.set_num_threads(experiment.threads)
    for name in options.parts:
        run, draw = PARTS[name]
        print(f"part {name}", flush=True)
        began = time.monotonic()
        draw(experiment.results, run(experiment))
        print(f"part {name} took {(time.monotonic() - began) / 60:.1f} min", flush=True)
    verdicts.write_claims(experiment.results)
    print((experiment.results / "claims.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=list(PRESETS), default="laptop")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="all by default")
    parser.add_argument("--work", type=Path, default=Path("runs") / HERE.name)
    parser.add_argument("--jobs", type=int, default=1, help="networks or simulations at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()

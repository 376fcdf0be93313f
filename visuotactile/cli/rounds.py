"""`rounds`: rounds of collecting and training in the simulated lab."""

from __future__ import annotations

import os
from typing import Any

from visuotactile.grasp.episodes.collecting import EPSILON
from visuotactile.grasp.episodes.rounds import run
from visuotactile.sim.grasps import GraspCollection


def rounds(
    out: str | os.PathLike[str],
    config: str | os.PathLike[str],
    first: int,
    trials: int,
    rounds: int = 1,
    objects: str = "train",
    camera_size: int = 224,
    epsilon: float = EPSILON,
    prior_regrasps: int = 0,
    workers: int = 1,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Collect simulated grasps, train a predictor, collect with its planner, and train again.

    Args:
        out: as in `run`.
        config: as in `run`.
        first: as in `run`.
        trials: as in `run`.
        rounds: as in `run`.
        objects: as in `GraspCollection`.
        camera_size: as in `GraspCollection`.
        epsilon: as in `run`.
        prior_regrasps: as in `run`.
        workers: as in `GraspCollection`.
        seed: as in `GraspCollection`.
    """
    lab = GraspCollection(objects, camera_size, workers, seed)
    return run(out, config, lab, first, trials, rounds, epsilon, prior_regrasps)

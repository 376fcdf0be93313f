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
        out: folder to make, or to continue.
        config: configuration of a predictor, as for `fit`; each round trains from new weights, on its
            schedule.
        first: number of grasps of the random round, at least one of each object.
        trials: number of grasps of each on-policy round.
        rounds: number of on-policy rounds.
        objects: train, easy, hard, or names joined by commas.
        camera_size: height and width of the camera's image, in pixels.
        epsilon: share of random regrasps among the on-policy ones.
        prior_regrasps: maximum number of regrasps of an on-policy grasp before the recorded one.
        workers: grasps to simulate at once.
        seed: seed of the simulation, the weights, the batches and the held-out objects.
    """
    lab = GraspCollection(objects, camera_size, workers, seed)
    return run(out, config, lab, first, trials, rounds, epsilon, prior_regrasps)

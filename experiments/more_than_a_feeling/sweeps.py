"""What the predictor expects as one number of the action changes, and what the lab answers to the same.

The lab begins the same grasp again for the same seed, so each value of a sweep is tried on the very same
state. Paper: more_than_a_feeling, Figures 4 and 7, where there was no such answer to set beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import joblib
import numpy as np
import numpy.typing as npt
import torch
from table2 import ENV, SETS

import visuotactile.sim  # noqa: F401  registers the environment
from visuotactile.errors import DataError
from visuotactile.files import read_json, write_json
from visuotactile.grasp.actions import FORCE
from visuotactile.grasp.closed_loop import episode_seed
from visuotactile.grasp.predictor import Predictor
from visuotactile.grasp.predictor_file import load_predictor
from visuotactile.sim.objects import object_names

Floats = npt.NDArray[np.float64]

FORCES = [4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0, 25.0]
HEIGHTS = [-0.02, -0.015, -0.01, -0.005, 0.005, 0.01, 0.015, 0.02]
"""Metres, 0 left out: to stay keeps hold, and all others open the hand."""


@dataclass(frozen=True)
class Sweep:
    """One dimension of the action over a number of states.

    Attributes:
        dimension: "force" (the hand stays and only the force changes) or "dz" (it opens, moves, closes).
        values: [V] newtons or metres.
        objects: [S] of each state.
        poses: [S, 5] of the hand in each state.
        predicted: [S, V] calibrated probability of success.
        held: [S, V] whether the lab's object was held, 1 or 0.
    """

    dimension: str
    values: Floats
    objects: tuple[str, ...]
    poses: Floats
    predicted: Floats
    held: Floats


def sweep(
    predictor: Path,
    dimension: str,
    values: Sequence[float],
    states: int,
    camera_size: int,
    file: Path,
    workers: int,
    seed: int = 0,
) -> Sweep:
    """Ask about `states` first grasps of each unseen object; kept in `file`."""
    if not file.exists():
        things = [(which, thing) for which in SETS for thing in object_names(which)]
        jobs = [(which, thing, state) for which, thing in things for state in range(states)]
        found = joblib.Parallel(n_jobs=workers)(
            joblib.delayed(_state)(predictor, dimension, list(values), camera_size, seed, *job)
            for job in jobs
        )
        write_json(file, {"dimension": dimension, "values": list(values), "states": found})
    content = read_json(file, DataError)
    if content["dimension"] != dimension or content["values"] != list(values):
        raise DataError(f"{file} holds another sweep; delete it, and it is made again")
    states_found: list[dict[str, Any]] = content["states"]
    return Sweep(
        dimension,
        np.array(content["values"]),
        tuple(state["object"] for state in states_found),
        np.array([state["pose"] for state in states_found]),
        np.array([state["predicted"] for state in states_found]),
        np.array([state["held"] for state in states_found], np.float64),
    )


def _state(
    folder: Path,
    dimension: str,
    values: list[float],
    camera_size: int,
    seed: int,
    which: str,
    thing: str,
    state: int,
) -> dict[str, Any]:
    torch.set_num_threads(1)
    predictor = load_predictor(folder)
    env = gymnasium.make(ENV, objects=which, camera_size=camera_size)
    number = episode_seed(seed, thing, state)
    observation, _ = env.reset(seed=number, options={"object": thing})
    pose = np.concatenate([observation["pose"], observation["force"]])
    actions = np.zeros((len(values), len(predictor.action_space)), np.float32)
    actions[:, predictor.action_space.index(FORCE)] = pose[-1]
    actions[:, predictor.action_space.index(dimension)] = values
    held = []
    for action in actions:
        env.reset(seed=number, options={"object": thing})
        held.append(bool(env.step(np.append(action, 1).astype(np.float32))[4]["success"]))
    return {
        "object": thing,
        "pose": pose.tolist(),
        "predicted": expected(predictor, observation | {"pose": pose}, actions).tolist(),
        "held": held,
    }


@torch.no_grad()
def expected(
    predictor: Predictor, observation: dict[str, npt.NDArray[Any]], actions: npt.NDArray[np.float32]
) -> Floats:
    """Calibrated probability of success of actions [N, A] in one observed state."""
    seen = {name: torch.from_numpy(observation[name][None]) for name in predictor.inputs}
    scores = predictor.score(predictor.encode(seen), torch.from_numpy(actions)[None])
    return scores[0, :, predictor.outcomes.index("success")].double().numpy()

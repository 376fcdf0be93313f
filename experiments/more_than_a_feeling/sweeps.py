"""Sweeps of one dimension of the action: predicted success, and the simulated outcome.

The lab repeats a grasp exactly for the same seed, so each value of a sweep is tried on the same state. Paper:
more_than_a_feeling, Figures 4 and 7, which show predictions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import joblib
import numpy as np
import numpy.typing as npt
import torch

import visuotactile.sim  # noqa: F401  registers the environment
from experiments.more_than_a_feeling.table2 import ENV, SETS
from visuotactile.errors import DataError
from visuotactile.files import provenance, read_json, write_json, write_text
from visuotactile.grasp.episodes.closed_loop import episode_seed
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.predictor.ensemble import Ensemble
from visuotactile.grasp.predictor.file import load_predictor, predictor_hash
from visuotactile.reports.markdown import table
from visuotactile.sim.objects import object_names

Floats = npt.NDArray[np.float64]

FORCES = [4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0, 25.0]
HEIGHTS = [-0.02, -0.015, -0.01, -0.005, 0.005, 0.01, 0.015, 0.02]
"""Metres. 0 is left out: it stays and keeps hold, while all others open the hand."""


@dataclass(frozen=True)
class Sweep:
    """One dimension of the action over a number of states.

    Attributes:
        dimension: "force" (the hand stays and only the force changes) or "dz" (it opens, moves, closes).
        values: [V] newtons or metres.
        objects: [S] object of each state.
        poses: [S, 5] pose of the hand in each state.
        predicted: [S, V] calibrated probability of success.
        held: [S, V] 1 if the simulated object was held, else 0.
    """

    dimension: str
    values: Floats
    objects: tuple[str, ...]
    poses: Floats
    predicted: Floats
    held: Floats


def sweep(
    predictors: Sequence[Path],
    dimension: str,
    values: Sequence[float],
    states: int,
    camera_size: int,
    file: Path,
    workers: int,
    seed: int = 0,
) -> Sweep:
    """Sweep over `states` first grasps of each unseen object, by the mean of predictors; saved in `file`."""
    settings = {
        "dimension": dimension,
        "values": list(values),
        "predictors": [predictor_hash(folder) for folder in predictors],
    }
    if not file.exists():
        things = [(which, thing) for which in SETS for thing in object_names(which)]
        jobs = [(which, thing, state) for which, thing in things for state in range(states)]
        found = joblib.Parallel(n_jobs=workers)(
            joblib.delayed(_state)(predictors, dimension, list(values), camera_size, seed, *job)
            for job in jobs
        )
        write_json(file, {**settings, "states": found})
    content = read_json(file, DataError)
    if {name: content.get(name) for name in settings} != settings:
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
    folders: Sequence[Path],
    dimension: str,
    values: list[float],
    camera_size: int,
    seed: int,
    which: str,
    thing: str,
    state: int,
) -> dict[str, Any]:
    torch.set_num_threads(1)
    predictor = Ensemble([load_predictor(folder) for folder in folders])
    env = gymnasium.make(ENV, objects=which, camera_size=camera_size)
    number = episode_seed(seed, thing, state)
    observation, _ = env.reset(seed=number, options={"object": thing})
    space = ActionSpace.of(predictor.embodiment)
    actions = np.zeros((len(values), len(space)), np.float32)
    actions[:, space.index("force")] = observation["force"]
    actions[:, space.index(dimension)] = values
    held = []
    for action in actions:
        env.reset(seed=number, options={"object": thing})
        held.append(bool(env.step(np.append(action, 1).astype(np.float32))[4]["outcomes"]["success"]))
    return {
        "object": thing,
        "pose": [*observation["pose"].tolist(), *observation["force"].tolist()],
        "predicted": expected(predictor, observation, actions).tolist(),
        "held": held,
    }


@torch.no_grad()
def expected(
    predictor: Ensemble, observation: dict[str, npt.NDArray[Any]], actions: npt.NDArray[np.float32]
) -> Floats:
    """Calibrated probability of success of actions [N, A] in one observed state."""
    seen = {name: torch.from_numpy(observation[name][None]) for name in predictor.inputs}
    scores = predictor.score(predictor.encode(seen), torch.from_numpy(actions)[None])
    return scores[0, :, predictor.outcomes.index("success")].double().numpy()


def write_sweeps(folder: Path, force: Sweep, height: Sweep) -> dict[str, Any]:
    """Write sweeps.md and sweeps.json into `folder`: Figures 4 and 7 in numbers."""
    content = {
        "states": len(force.objects),
        "force while staying, N": _means(force),
        "motion before closing again, mm upwards": _means(height, scale=1000),
        "held by the least force": int(force.held[:, 0].sum()),
        "of these lost by the most force": int((force.held[:, 0] > force.held[:, -1]).sum()),
        "lost by some step of more force": int((np.diff(force.held, axis=1) < 0).any(1).sum()),
        "expected of the most force minus the least": _over_grasps(force),
        "expected of the highest motion minus the lowest": _over_grasps(height),
        **provenance(),
    }
    write_json(folder / "sweeps.json", content)
    write_text(folder / "sweeps.md", "\n".join(_lines(content)))
    return content


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines = [
        "# Figures 4 and 7 in numbers",
        "",
        f"Mean over {content['states']} simulated first grasps of the unseen objects, %: what the predictor "
        "expects of an action, and how many the lab then held.",
    ]
    for title in ("force while staying, N", "motion before closing again, mm upwards"):
        found = content[title]
        rows = [[which, *(f"{100 * share:.0f}" for share in found[which])] for which in ("expected", "held")]
        lines += ["", table([title, *(f"{value:g}" for value in found["values"])], rows)]
    gain = content["expected of the most force minus the least"]
    points = [f"{100 * gain[which]:+.0f}" for which in ("least", "median", "most")]
    return [
        *lines,
        "",
        f"- {content['held by the least force']} grasps are held by the least force; the most force loses "
        f"{content['of these lost by the most force']} of them.",
        f"- {content['lost by some step of more force']} grasps are lost by some step of more force.",
        f"- Expected of the most force minus the least: {points[0]} points at the least, {points[1]} in the "
        f"median, {points[2]} at the most.",
        "",
    ]


def _means(found: Sweep, scale: float = 1) -> dict[str, list[float]]:
    return {
        "values": (scale * found.values).tolist(),
        "expected": found.predicted.mean(0).tolist(),
        "held": found.held.mean(0).tolist(),
    }


def _over_grasps(found: Sweep) -> dict[str, float]:
    gain = found.predicted[:, -1] - found.predicted[:, 0]
    return {"least": float(gain.min()), "median": float(np.median(gain)), "most": float(gain.max())}

"""A small environment for the tests of the closed loop, and a predictor that knows its rule."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from planner_helpers import GRIPPER, REGRASP

from visuotactile.datasets.embodiment import Stream
from visuotactile.datasets.spaces import action_space, observation_space
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.file import save_predictor
from visuotactile.grasp.predictor.network import Predictor

SHELF = "tests/Shelf-v0"
ENOUGH = 12.0
"""Newtons with which everything on the shelf is held."""

SHAPE, SEEN = (24, 32, 3), ("before", "during")

SETS = {"mugs": ("mug-1", "mug-2", "mug-3"), "none": ()}


class Shelf(gymnasium.Env[dict[str, Any], Any]):
    """Holds everything that is lifted with at least `ENOUGH` newtons, wherever the hand is.

    Args:
        objects: a set, or names joined by commas.
        lacks: an entry of the observation that is left out.
        moody: whether two episodes of one seed differ.
        breaks_on: an object with which it fails.
    """

    def __init__(
        self, objects: str = "mugs", lacks: str = "", moody: bool = False, breaks_on: str = ""
    ) -> None:
        self.objects = SETS[objects] if objects in SETS else tuple(objects.split(","))
        self.moody, self.breaks_on = moody, breaks_on
        self.embodiment = dataclasses.replace(
            GRIPPER,
            vectors=tuple(vector for vector in GRIPPER.vectors if vector.name != lacks),
            streams=tuple(
                Stream(name, "image", {phase: SHAPE for phase in SEEN if f"{name}/{phase}" != lacks})
                for name in ("rgb", "tactile_left", "tactile_right")
            ),
        )
        self.action_space = action_space(self.embodiment)
        self.observation_space = observation_space(self.embodiment)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=None if self.moody else seed)
        self.thing = (options or {})["object"]
        if self.thing == self.breaks_on:
            from visuotactile.errors import SimulationError

            raise SimulationError("it fell through the table")
        if self.thing == "someone-else":
            self.thing = "mug-1"
        self.pose, self.force = self.np_random.uniform(-0.05, 0.05, 4), self.np_random.uniform(4, 25)
        self.before = self.np_random.integers(60, 160, (24, 32, 3), dtype=np.uint8)
        return self._seen(), {"object": self.thing, "session": "monday"}

    def step(self, action: Any) -> Any:
        self.pose, self.force = self.pose + action[:4], float(action[4])
        lifted = bool(action[5] > 0)
        held = lifted and self.force >= ENOUGH
        return self._seen(), float(held), lifted, False, {"outcomes": {"success": held}}

    def _seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for stream in ("rgb", "tactile_left", "tactile_right"):
            seen[f"{stream}/before"] = self.before.copy()
            seen[f"{stream}/during"] = self.before + np.uint8(self.force)
        seen["pose"] = self.pose.astype(np.float32)
        seen["force"] = np.array([self.force], np.float32)
        seen["cylinder"] = np.array([0.0, 0.0, 0.02, 0.04], np.float32)
        return {name: seen[name] for name in self.observation_space}


gymnasium.register(SHELF, entry_point="shelf:Shelf", max_episode_steps=10)


def knows(
    folder: Path, enough: float = ENOUGH, surest: float = 0.999, outcome: str = "success", **meta: Any
) -> str:
    """A predictor folder: success is likely with more than `enough` newtons, at the strongest `surest`."""
    predictor = Predictor({}, GRIPPER, outcomes=(outcome,), width=4)
    strength = (enough - 14.5) / 10.5 + 1  # in the network's units, from 0 to 2
    slope = torch.logit(torch.tensor(surest)).item() / (2 - strength)
    with torch.no_grad():
        for weight in predictor.parameters():
            weight.zero_()
        predictor.action_first.weight[0, predictor.state_width + REGRASP.index("force")] = 1
        predictor.action_first.bias[0] = 1
        predictor.action_second.weight[0, 0] = 1
        predictor.fusion_first.weight[0, 0] = 1
        predictor.fusion_last.weight[0, 0] = slope
        predictor.fusion_last.bias[0] = -slope * strength
    save_predictor(folder, predictor.eval(), Calibration.none(1), meta, overwrite=True)
    return str(folder)

"""A tiny store of grasps whose outcome follows a known rule, and small predictors for the tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from planner_helpers import GRIPPER, REGRASP
from torch import Tensor

from visuotactile.datasets.embodiment import streams_of
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.grasp.predictor.network import Predictor

RESNET = "test_resnet"  # timm's smallest, 0.5 M parameters
SIDE = 40
FIXED: dict[str, Any] = {"normalisation": "dataset", "size": 32}
CAMERA = InputContract(streams=("rgb",), reference=None, mean=(0.5,) * 3, std=(0.25,) * 3, **FIXED)
TOUCH = InputContract(streams=("tactile_left", "tactile_right"), mean=(0.0,) * 3, std=(0.1,) * 3, **FIXED)
OBJECTS, EACH = 12, 16


def both() -> dict[str, Branch]:
    """Branches for sight and touch."""
    return {
        "camera": Branch(contract=CAMERA, backbone=RESNET),
        "touch": Branch(contract=TOUCH, backbone=RESNET),
    }


def predictor(seed: int = 0, **settings: Any) -> Predictor:
    """A small one with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    settings = {"branches": both(), "embodiment": GRIPPER, "width": 48} | settings
    return Predictor(**settings).eval()


def observe(count: int, seed: int = 0, side: int = SIDE) -> dict[str, Tensor]:
    """Random observations of `count` robots."""
    generator = torch.Generator().manual_seed(seed)
    observation = {
        f"{stream}/{phase}": torch.randint(
            256, (count, side, side, 3), generator=generator, dtype=torch.uint8
        )
        for stream in ("rgb", "tactile_left", "tactile_right")
        for phase in ("before", "during")
    }
    low = torch.tensor([-0.08, -0.08, 0.0, -3.0, 4.0])
    high = torch.tensor([0.08, 0.08, 0.2, 3.0, 25.0])
    pose = low + (high - low) * torch.rand(count, 5, generator=generator)
    cylinder = 0.1 * torch.rand(count, 4, generator=generator)
    return observation | {"pose": pose[:, :4], "force": pose[:, 4:], "cylinder": cylinder}


def actions(robots: int, count: int, seed: int = 0) -> Tensor:
    """Random regrasps [robots, count, 5]."""
    generator = torch.Generator().manual_seed(seed)
    return REGRASP.sample(robots * count, generator).view(robots, count, -1)


def grasp(i: int) -> Trial:
    """A grasp that succeeds if its imprint and its force together are strong enough.

    The imprint is how much brighter the gel is during than before, 0 to 60 of 255; camera, motion and pose
    say nothing. `gentle` is whether the force is below 14.5 N, not recorded in every third trial.
    """
    rng = np.random.default_rng(i)
    imprint, force = rng.uniform(0, 60), rng.uniform(4, 25)
    noise = {
        stream: rng.integers(60, 160, (SIDE, SIDE, 3), dtype=np.uint8)
        for stream in ("rgb", "tactile_left", "tactile_right")
    }
    streams: dict[str, dict[str, Any]] = {
        "rgb": {"before": noise["rgb"], "during": noise["rgb"][::-1].copy()}
    }
    for stream in ("tactile_left", "tactile_right"):
        before = noise[stream]
        streams[stream] = {"before": before, "during": before + np.uint8(imprint), "lift": before}
    turn = np.deg2rad(17)
    move = {name: float(rng.uniform(-0.02, 0.02)) for name in ("dx", "dy", "dz")}
    return Trial(
        name=f"grasp-{i}",
        streams=streams,
        object=f"object-{i // EACH:02d}",
        session=f"session-{i % 2}",
        outcomes={
            "success": float(imprint / 30 - 1 + (force - 14.5) / 10.5 > 0),
            "gentle": -1.0 if i % 3 == 0 else float(force < 14.5),
        },
        action={**move, "dyaw": float(rng.uniform(-turn, turn)), "force": force},
        vectors={
            "pose": {"x": 0.0, "y": 0.0, "z": float(rng.uniform(0, 0.1)), "yaw": 0.3},
            "force": {"force": 10.0},
            "cylinder": dict.fromkeys(("x", "y", "radius", "height"), 0.05),
        },
        hidden={"friction": 0.5},
    )


def grasp_store(path: Path, trials: int = OBJECTS * EACH) -> Store:
    """Grasps of 12 objects."""
    return write_store(
        path,
        lambda indices: (grasp(i) for i in indices),
        dataset="known rule",
        source="",
        settings={},
        names=[f"grasp-{i}" for i in range(trials)],
        example=grasp(0),
        embodiment=dataclasses.replace(GRIPPER, streams=streams_of(grasp(0)), outcomes=("success", "gentle")),
        shard_trials=50,
    )

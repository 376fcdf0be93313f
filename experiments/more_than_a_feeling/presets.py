"""Sizes of the experiment: the paper's, some hours on two CPU cores, and a smoke test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visuotactile.configs import FOLDER as CONFIGS
from visuotactile.training.runs import Changes

ENCODERS = ("moco", "memory_bank", "triplet", "autoencoder")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes and configurations.

    Attributes:
        grasps: number of grasps with random regrasps, three examples each.
        on_policy: number of grasps of each on-policy round, whose regrasps a predictor's planner chooses.
        rounds: the planner's objective in each on-policy round before the closed loop's predictors are
            trained. The planner finds states where the network is overconfident, which correct the next one.
        camera_size: side of the camera's image, in pixels.
        side: side to which touches are resized once for training; None keeps them as recorded.
        predictor: configuration of the predictor.
        predictor_changes: changes of that configuration.
        last_changes: changes of it for the closed loop's predictors, which train on more grasps.
        last_networks: number of networks of each of these, from other weights and batch orders; an ensemble.
        encoders: folder of the pretraining configurations.
        encoder_changes: changes of each of them.
        seeds: number of networks of each row and fold of Table I.
        episodes: number of episodes of each object and policy in the closed loop.
        budgets: labelled grasps that predictors over frozen encoders are trained on; None for all.
        budget_seeds: number of draws of the grasps.
        end_to_end: budget → changes of the configuration for training without a frozen encoder.
        states: number of states of each unseen object in Figures 4 and 7.
    """

    grasps: int
    on_policy: int
    rounds: tuple[str, ...]
    camera_size: int
    side: int | None
    predictor: Path
    predictor_changes: Changes = field(default_factory=dict)
    last_changes: Changes = field(default_factory=dict)
    last_networks: int
    encoders: Path
    encoder_changes: Changes
    seeds: int
    episodes: int
    budgets: tuple[int | None, ...] = (100, 300, 1000, None)
    budget_seeds: int
    end_to_end: Mapping[int, Changes]
    states: int


def steps(count: int) -> dict[str, Any]:
    """Changes for a training of `count` steps whose learning rate drops by 10 at three quarters."""
    return {
        "trainer.max_steps": count,
        "trainer.val_check_interval": count,
        "model.init_args.optimizer.drops": [3 * count // 4],
    }


def normalised(branch: str) -> dict[str, Any]:
    """Normalisation of the published figures, instead of the store's mean and deviation."""
    contract = f"model.init_args.{branch}.contract"
    return {f"{contract}.mean": [0.0] * 3, f"{contract}.std": [0.05] * 3}


BOTH_FINGERS = {
    "model.init_args.branch.contract.streams": ["tactile_left", "tactile_right"],
    "data.init_args.positive": "frame",  # a simulated touch has one image
}

LAPTOP_ENCODERS = (
    BOTH_FINGERS
    | normalised("branch")
    | {  # the same network and size as the predictor's
        "model.init_args.branch.backbone": "test_resnet",
        "model.init_args.branch.contract.size": 64,
        "data.init_args.image_size": 73,
        "trainer.precision": "bf16-mixed",
        "trainer.max_epochs": 6,
    }
)

PRESETS = {
    "paper": Preset(
        grasps=6450,
        on_policy=8468,  # 25,404 examples
        rounds=("success",),
        camera_size=224,
        side=None,
        predictor=CONFIGS / "predictor.yaml",
        last_networks=1,
        encoders=CONFIGS,
        encoder_changes=BOTH_FINGERS,
        seeds=1,
        episodes=10,
        budget_seeds=5,
        end_to_end={100: steps(1000), 300: steps(2000), 1000: steps(4000)},
        states=10,
    ),
    "laptop": Preset(
        grasps=6450,
        on_policy=1600,
        rounds=("success", "least_force"),
        camera_size=112,
        side=73,
        predictor=CONFIGS / "laptop" / "predictor.yaml",
        last_changes=steps(2400),
        last_networks=4,
        encoders=CONFIGS / "laptop",
        encoder_changes=LAPTOP_ENCODERS,
        seeds=1,
        episodes=10,
        budget_seeds=3,
        end_to_end={100: steps(200), 300: steps(400), 1000: steps(800)},
        states=4,
    ),
    # A smoke test: every part once, in a few minutes.
    "smoke": Preset(
        grasps=130,
        on_policy=12,
        rounds=("success", "least_force"),
        camera_size=64,
        side=36,
        predictor=CONFIGS / "laptop" / "predictor.yaml",
        predictor_changes=steps(4)
        | {
            "model.init_args.branches.camera.contract.size": 32,
            "model.init_args.branches.touch.contract.size": 32,
        },
        last_networks=2,
        encoders=CONFIGS / "laptop",
        encoder_changes=BOTH_FINGERS
        | {
            "data.init_args.image_size": 36,
            "model.init_args.branch.contract.size": 32,
            "trainer.max_epochs": 1,
        },
        seeds=1,
        episodes=1,
        budgets=(20, None),
        budget_seeds=2,
        end_to_end={20: steps(3)},
        states=1,
    ),
}

"""Rounds small enough for a test: five simple objects, tiny pictures, timm's smallest network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from predictor_helpers import CAMERA, RESNET, TOUCH

from visuotactile.files import write_json

OBJECTS = "box-01,box-02,can-01,can-02,egg-01"
SMALL: dict[str, Any] = {"first": 12, "trials": 5, "objects": OBJECTS, "camera_size": 32}


def write_config(path: Path, steps: int = 4, width: int = 32) -> Path:
    """A configuration for `fit` that takes seconds and holds two of the five objects out."""
    branches = {
        name: {"backbone": RESNET, "contract": contract.to_dict()}
        for name, contract in (("camera", CAMERA), ("touch", TOUCH))
    }
    config = {
        "model": {
            "class_path": "visuotactile.grasp.PredictorModule",
            "init_args": {"branches": branches, "width": width},
        },
        "data": {
            "class_path": "visuotactile.grasp.GraspData",
            "init_args": {"batch_size": 4, "held_out": 0.4},
        },
        "trainer": {
            "max_steps": steps,
            "val_check_interval": 2,
            "check_val_every_n_epoch": None,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
        },
    }
    write_json(path, config)  # JSON is YAML too
    return path

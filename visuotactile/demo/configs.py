"""Configurations of the demo's two trainings, for `visuotactile fit --config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BACKBONE = "resnet18"
SIZE = 48
"""Height and width of the encoder's input, in pixels."""

BATCH = 64
STEPS = 800
"""Training steps of the predictor."""


def pretraining(
    store: Path, folder: Path, label: str, epochs: int, positive: str, seed: int
) -> dict[str, Any]:
    """MoCo v2 on the tactile differences of a store; `label` only feeds the monitor."""
    return {
        "model": {
            "class_path": "visuotactile.ssl.MoCo",
            "init_args": {
                "branch": {
                    "backbone": BACKBONE,
                    "contract": {
                        "streams": ["tactile_left", "tactile_right"],
                        "phase": "during",
                        "reference": "before",
                        "size": SIZE,
                        "normalisation": "store",
                    },
                    # No colour jitter, which would make the encoder invariant to the depth of a contact.
                    "augmentation": {
                        "class_path": "visuotactile.views.ContrastiveAugmentation",
                        "init_args": {"p_jitter": 0.0, "p_gray": 0.0},
                    },
                },
                "optimizer": {"name": "sgd", "lr": 0.03, "final_lr": 1e-6},
                "queue_size": 2048,
                "key_momentum": 0.99,
                "temperature": 0.1,
                "bn_splits": 8,
                "seed": seed,
            },
        },
        "data": {
            "class_path": "visuotactile.datasets.datamodule.TactileData",
            "init_args": {
                "store": str(store),
                "batch_size": BATCH,
                "positive": positive,
                "label": label,
                "seed": seed,
            },
        },
        "trainer": _trainer(folder, max_epochs=epochs),
    }


def predictor(store: Path, encoder: Path, folder: Path, seed: int) -> dict[str, Any]:
    """A grasp-outcome predictor: touch through the frozen encoder, sight as the object's location."""
    return {
        "model": {
            "class_path": "visuotactile.grasp.PredictorModule",
            "init_args": {
                "branches": {"touch": {"contract": None, "encoder": str(encoder)}},
                "vectors": ["pose", "force", "cylinder"],
                "outcomes": ["success"],
                "optimizer": {"name": "adamw", "lr": 3e-4, "drops": [3 * STEPS // 4]},
                "seed": seed,
            },
        },
        "data": {
            "class_path": "visuotactile.grasp.GraspData",
            "init_args": {"store": str(store), "batch_size": 16, "seed": seed},
        },
        "trainer": _trainer(folder, max_steps=STEPS, val_check_interval=STEPS, check_val_every_n_epoch=None),
    }


def _trainer(folder: Path, **settings: Any) -> dict[str, Any]:
    return {
        **settings,
        "default_root_dir": str(folder),
        "log_every_n_steps": 5,
        "enable_model_summary": False,
    }

"""A tiny store in which what is seen and what is felt tell each other, and small networks for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ssl_helpers import CONVNEXT, RESNET
from torch import Tensor

from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.ssl import CrossModal

__all__ = ["CONVNEXT", "RESNET"]
SIDES = {"sight": 44, "touch": 40, "sound": 36, "rgb": 44, "tactile_left": 40, "tactile_right": 40}
PHASES = {"sight": ("before",), "touch": ("during",), "sound": ("during",)}


def contract(stream: str, size: int = 32, **changes: Any) -> InputContract:
    """Of one stream of `pair_store`, each image by itself."""
    phase = PHASES.get(stream, ("during",))[0]
    return InputContract(**{"streams": (stream,), "phase": phase, "reference": None, "size": size} | changes)


def branches(*names: str, backbone: str = CONVNEXT, size: int = 32, **settings: Any) -> dict[str, Branch]:
    """Small branches, of sight and touch unless told otherwise."""
    return {
        name: Branch(contract=contract(name, size), backbone=backbone, **settings)
        for name in names or ("sight", "touch")
    }


def cross_modal(*names: str, branch: dict[str, Any] | None = None, **settings: Any) -> CrossModal:
    """A small module of `branches`."""
    return CrossModal(branches(*names, **(branch or {})), **{"dimension": 16, **settings})


def pairs(
    count: int, *names: str, seed: int = 0, groups: list[int] | None = None, side: int = 37
) -> dict[str, Tensor]:
    """A batch of random images; every pair is a group of its own unless told otherwise."""
    generator = torch.Generator().manual_seed(seed)
    batch = {
        f"{name}/{PHASES[name][0]}": torch.randint(
            256, (count, side, side, 3), generator=generator, dtype=torch.uint8
        )
        for name in names or ("sight", "touch")
    }
    group = torch.arange(count) if groups is None else torch.tensor(groups)
    return batch | {"group": group, "label": group % 2, "row": torch.arange(count)}


def pair_store(path: Path, trials: int = 48) -> Store:
    """Trials whose modalities all show one pattern of stripes, each in its way."""

    def trial(i: int) -> Trial:
        rng = np.random.default_rng(i)
        turn, width = rng.uniform(0, np.pi), rng.uniform(1.5, 4)

        def stripes(side: int, gain: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
            x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
            wave = np.sin(2 * width * (x * np.cos(turn) + y * np.sin(turn)))
            colour = 128 + gain * wave[..., None] * np.ones(3) + rng.normal(0, 4, (side, side, 3))
            return colour.clip(1, 255).astype(np.uint8)

        streams = {
            name: {phase: stripes(side, 90 if phase == "during" else 30) for phase in ("before", "during")}
            for name, side in SIDES.items()
        }
        return Trial(
            name=f"pair-{i}",
            streams=streams,
            object=f"object-{i % 4}",
            vectors={"part": {"x": float(i % 2), "y": float(i // 2), "yaw": turn}},
            outcomes={"success": float(turn > 1.5)},
            columns={
                "split": "validation" if i % 3 == 0 else "train",
                "example": ("regrasp", "stay")[i % 2],
                "grasp": float(i // 2),
            },
        )

    return write_store(
        path,
        lambda indices: (trial(i) for i in indices),
        dataset="stripes",
        source="",
        settings={},
        names=[f"pair-{i}" for i in range(trials)],
        example=trial(0),
    )

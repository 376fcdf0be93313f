"""A tiny store of random pixels, and the small networks that the pretraining tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from visuotactile.datasets.source import Source
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract

RESNET = "test_resnet"  # timm's smallest, 0.5 M parameters
CONVNEXT = "test_convnext"  # as small, without batch norm
CONTRACT = InputContract(streams=("tactile_left",), size=32, normalisation="image")
SMALL = Branch(contract=CONTRACT, backbone=RESNET)
NO_NORM = Branch(contract=CONTRACT, backbone=CONVNEXT)


def batch_of(count: int, side: int = 37, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random images of `count` samples, two to a recording."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, side, side, 3)
    return {
        "tactile_left/during": torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        "tactile_left/before": torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        "sample": torch.arange(count),
        "recording": torch.arange(count) // 2,
        "label": torch.arange(count) % 2,
    }


def reads(*streams: str, side: int = 37) -> dict[str, Source]:
    """Source of the small networks' images, by default of the left sensor."""
    return {"encoder": Source(streams=streams or ("tactile_left",), reference="before", side=side)}


KEYS = reads()["encoder"].keys


def noise_store(path: Path, trials: int = 12, frames: int = 3, side: int = 40, first: int = 0) -> Store:
    """Clips of random pixels; every second trial succeeds; three trials to an object."""

    def trial(i: int) -> Trial:
        rng = np.random.default_rng(i)
        streams = {
            name: {
                "before": rng.integers(0, 256, (side, side, 3), dtype=np.uint8),
                "during": rng.integers(0, 256, (frames, side, side, 3), dtype=np.uint8),
                "after": rng.integers(0, 256, (side, side, 3), dtype=np.uint8),
            }
            for name in ("tactile_left", "tactile_right")
        }
        return Trial(
            name=f"t{i}",
            streams=streams,
            object=f"object {i // 3}",
            session="monday",
            outcomes={"success": float(i % 2)},
            hidden={"friction": 0.5},
        )

    return write_store(
        path,
        lambda indices: (trial(first + i) for i in indices),
        dataset="noise",
        source="",
        settings={},
        names=[f"t{i}" for i in range(first, trials)],
        example=trial(0),
    )

"""A tiny store of pairs whose classes sight and touch tell apart only together, and small classifiers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.network import Classifier

RESNET, VIT = "test_resnet", "test_vit"  # timm's smallest
SIGHT = InputContract(("sight",), "before", None, 32, "dataset", (0.5,) * 3, (0.25,) * 3)
TOUCH = InputContract(("touch",), "during", "before", 48, "dataset", (0.0,) * 3, (0.25,) * 3)
CLASSES = ("dark flat", "dark ribbed", "light flat", "light ribbed")
SIDES = {"sight": (40, 40), "touch": (24, 36)}  # neither alike nor square


def branches(backbone: str = RESNET) -> dict[str, Branch]:
    """Sight and touch, unequal in size."""
    return {
        "sight": Branch(contract=SIGHT, backbone=backbone),
        "touch": Branch(contract=TOUCH, backbone=backbone),
    }


def classifier(
    *modalities: str, backbone: str = RESNET, attention: Attention | None = None, seed: int = 0
) -> Classifier:
    """One with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    networks = {
        name: branch.build()
        for name, branch in branches(backbone).items()
        if name in (modalities or ("sight", "touch"))
    }
    return Classifier(networks, CLASSES, attention).eval()


def observe(count: int, seed: int = 0) -> dict[str, Tensor]:
    """Random recorded images."""
    generator = torch.Generator().manual_seed(seed)

    def image(modality: str) -> Tensor:
        return torch.randint(256, (count, *SIDES[modality], 3), generator=generator, dtype=torch.uint8)

    return {name: image(name.split("/")[0]) for name in ("sight/before", "touch/during", "touch/before")}


def pair(i: int) -> Trial:
    """Sight is dark or light; the touch is flat or ribbed, at one of six poses."""
    rng = np.random.default_rng(i)
    kind, pose = i % 4, i // 4 % 6
    light, ribbed = divmod(kind, 2)
    sight = rng.integers(0, 40, (*SIDES["sight"], 3)) + 60 + 100 * light
    gel = rng.integers(80, 100, (*SIDES["touch"], 3))
    ribs = 80 * (np.arange(SIDES["touch"][1]) // 3 % 2) if ribbed else np.full(SIDES["touch"][1], 40)
    return Trial(
        name=f"pair-{i}",
        streams={
            "sight": {"before": sight.astype(np.uint8)},
            "touch": {
                "before": gel.astype(np.uint8),
                "during": (gel + ribs[:, None]).astype(np.uint8),
            },
        },
        object=CLASSES[kind],
        vectors={"part": {"x": float(pose)}},
        columns={"split": "train" if i < 96 else "validation"},
    )


def pair_store(path: Path, pairs: int = 144) -> Store:
    """Pairs of which 96 are to learn from; the split lies beside the store, in split.json."""
    store = write_store(
        path,
        lambda indices: (pair(i) for i in indices),
        dataset="known pairs",
        source="",
        settings={},
        names=[f"pair-{i}" for i in range(pairs)],
        example=pair(0),
    )
    make_split(store, "column:split:trial").save(path.parent / "split.json")
    return store

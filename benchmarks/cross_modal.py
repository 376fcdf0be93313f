"""The cross-modal arms of pretraining.py: our `CrossModal` with its data and views, and two bare networks.

Both take two backbones with heads and one AdamW. *Ours* gathers resident uint8 pairs, draws a view of each,
and contrasts them across the batch. *Bare* is the forward and backward pass of both networks and the
optimiser, on random data on the device.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from visuotactile.datasets.pairs import PairedData
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.joint import projection_head
from visuotactile.ssl import CrossModal
from visuotactile.views import SightAugmentation, TouchAugmentation

DIMENSION = 128
Step = Callable[[], None]
Precision = Callable[[], AbstractContextManager[Any]]


def ours(folder: Path, options: argparse.Namespace, device: torch.device, precision: Precision) -> Step:
    """A step of our pretraining, batch and views included."""
    side, count = options.size, options.images // 2
    grey = np.random.default_rng(0).integers(0, 256, (count, side, side, 1), dtype=np.uint8)

    def trial(i: int) -> Trial:
        picture = np.repeat(grey[i], 3, axis=2)
        mask = np.where(picture > 128, np.uint8(255), np.uint8(0))
        return Trial(
            name=f"t{i}",
            streams={"sight": {"during": picture}, "touch": {"during": mask}},
            object=f"o{i % 50}",
        )

    store = write_store(
        folder,
        lambda indices: (trial(i) for i in indices),
        dataset="noise",
        source="",
        settings={},
        names=[f"t{i}" for i in range(count)],
        example=trial(0),
    )
    views = {"sight": SightAugmentation(), "touch": TouchAugmentation()}  # the paper's
    branches = {
        name: Branch(
            contract=InputContract(streams=(name,), reference=None, size=side),
            backbone=options.backbone,
            augmentation=augmentation,
        )
        for name, augmentation in views.items()
    }
    module = CrossModal(branches, dimension=DIMENSION).to(device)
    data = PairedData(store.path, module.reads, batch_size=options.batch, held_out=0)
    data.setup()
    for images in data.images.images.values():
        assert images.images is not None
        images.images = images.images.to(device)
    batches = itertools.chain.from_iterable(data.train_dataloader() for _ in itertools.count())
    optimizer, steps = _adamw(module), itertools.count()

    def step() -> None:
        batch = {name: value.to(device, non_blocking=True) for name, value in next(batches).items()}
        with precision():
            loss, _ = module.loss(batch, module.generator(next(steps)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def bare(options: argparse.Namespace, device: torch.device, precision: Precision) -> Step:
    """A step of the two networks alone."""
    networks = nn.ModuleList()
    for _ in range(2):
        backbone, width = create_backbone(options.backbone)
        networks.append(nn.Sequential(backbone, projection_head(width, DIMENSION)))
    networks = networks.to(device)
    shape = (options.batch, 3, options.size, options.size)
    inputs = [torch.randn(shape, device=device) for _ in networks]
    optimizer = _adamw(networks)

    def step() -> None:
        with precision():
            first, second = (network(x) for network, x in zip(networks, inputs, strict=True))
            loss = (first * second).float().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _adamw(module: nn.Module) -> torch.optim.Optimizer:
    learned = [p for p in module.parameters() if p.requires_grad]
    return torch.optim.AdamW(learned, lr=1e-4, fused=True)

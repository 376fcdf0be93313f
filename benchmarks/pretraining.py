"""Training speed: our MoCo, lightly's recipe for MoCo v2, and the bare network, in turns in one run.

    python benchmarks/pretraining.py                                      two CPU cores, ResNet-18, 64×64
    python benchmarks/pretraining.py --device cuda --backbone resnet50 --size 224 --steps 20

All three take the same backbone, image size, batch and optimiser, and one plain loop. *Ours* gathers resident
uint8 images, draws two views on the device, and trains with the queue. *lightly* makes its own transforms of
the same images, held as PIL images in memory (no decoding: its best case), in a DataLoader at the best of
several worker counts, with its own head, loss, memory bank and momentum update. *Bare* is the query's forward
and backward pass, the key's forward pass and the optimiser, on random data on the device: the upper bound of
any pipeline. *Cross-modal* and *two bare models* are the same for two modalities, in cross_modal.py, whose
samples are pairs. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cross_modal
import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import MoCoProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms import MoCoV2Transform
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from visuotactile.datasets.datamodule import TactileData
from visuotactile.datasets.resize import base_size
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.ssl import MoCo
from visuotactile.views import ContrastiveAugmentation

QUEUE, DIMENSION, TEMPERATURE, MOMENTUM = 4096, 128, 0.07, 0.999
Step = Callable[[], None]
Arm = Callable[[], contextlib.AbstractContextManager[Step]]
"""Context of one turn, which gives the step. Its workers stop with it, lest they slow the other arms."""


def main() -> None:
    """Run the benchmark, print a table, and one JSON object last."""
    options = _options()
    device = torch.device(options.device)
    images = np.random.default_rng(0).integers(
        0, 256, (options.images, base_size(options.size), base_size(options.size), 3), dtype=np.uint8
    )
    precision = functools.partial(_autocast, options, device)
    with tempfile.TemporaryDirectory() as folder:
        arms: dict[str, Arm] = {
            "ours": _ours(images, Path(folder), options, device),
            "bare": _bare(options, device),
            "cross-modal": _always(cross_modal.ours(Path(folder) / "pairs", options, device, precision)),
            "two bare models": _always(cross_modal.bare(options, device, precision)),
        }
        for workers in options.workers:
            arms[f"lightly, {workers} workers"] = _lightly(images, workers, options, device)
        speeds: dict[str, list[float]] = {name: [] for name in arms}
        for number in range(options.rounds + 1):
            for name, arm in arms.items():
                with arm() as step:
                    step()  # starts the workers, if any; while it runs they fill their queue
                    speed = _time(step, options, device)
                if number:  # the first round warms up
                    speeds[name].append(speed)
            print(f"round {number} of {options.rounds}", flush=True)
        median = {name: statistics.median(values) for name, values in speeds.items()}
        for name, value in median.items():
            low, high = min(speeds[name]), max(speeds[name])
            print(f"{name:22s} {value:9.1f} samples/s   ({low:.1f} to {high:.1f})")
    best = max((name for name in median if name.startswith("lightly")), key=lambda name: median[name])

    def ratio(other: str, mine: str = "ours") -> float:
        # Per round, so that drifts of the machine's speed cancel.
        pairs = zip(speeds[mine], speeds[other], strict=True)
        return round(statistics.median(a / b for a, b in pairs), 3)

    result = {
        "samples_per_s": round(median["ours"], 1),
        "ratio_vs_lightly": ratio(best),
        "fraction_of_bare_model": ratio("bare"),
        "cross_modal_fraction_of_bare_models": ratio("two bare models", "cross-modal"),
        "lightly_best": best,
        "backbone": options.backbone,
        "size": options.size,
        "batch": options.batch,
        "device": options.device,
        "precision": options.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6, help="in each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    cores = os.cpu_count() or 1
    parser.add_argument("--workers", type=int, nargs="+", default=sorted({0, 1, 2, cores}))
    return parser.parse_args()


def _time(step: Step, options: argparse.Namespace, device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    for _ in range(options.steps):
        step()
    _wait(device)
    return float(options.steps * options.batch / (time.perf_counter() - began))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _autocast(options: argparse.Namespace, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16")


def _always(step: Step) -> Arm:
    """An arm whose step is the same in every turn."""
    return lambda: contextlib.nullcontext(step)


def _sgd(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [p for p in parameters if p.requires_grad], lr=0.01, momentum=0.9, weight_decay=1e-4
    )


def _ours(
    images: np.ndarray[Any, Any], folder: Path, options: argparse.Namespace, device: torch.device
) -> Arm:
    def trial(i: int) -> Trial:
        return Trial(name=f"t{i}", streams={"tactile_left": {"during": images[i]}}, object=f"o{i % 50}")

    store = write_store(
        folder / "store",
        lambda indices: (trial(i) for i in indices),
        dataset="noise",
        source="",
        settings={},
        names=[f"t{i}" for i in range(len(images))],
        example=trial(0),
    )
    contract = InputContract(streams=("tactile_left",), reference=None, size=options.size)
    module = MoCo(
        Branch(
            contract=contract,
            backbone=options.backbone,
            # MoCo v2's crops, as in lightly's transform, although the paper's own are cheaper.
            augmentation=ContrastiveAugmentation(crop_scale=(0.2, 1.0)),
        ),
        dimension=DIMENSION,
        queue_size=QUEUE,
        key_momentum=MOMENTUM,
        temperature=TEMPERATURE,
        bn_splits=8,
    ).to(device)
    data = TactileData(store.path, module.reads, batch_size=options.batch)
    data.setup()
    if device.type == "cuda":
        assert data.images.images is not None
        data.images.images = data.images.images.to(device)
    batches = itertools.chain.from_iterable(data.train_dataloader() for _ in itertools.count())
    optimizer, steps = _sgd(module.parameters()), itertools.count()

    def step() -> None:
        batch = {name: value.to(device, non_blocking=True) for name, value in next(batches).items()}
        with _autocast(options, device):
            loss, _ = module.loss(batch, module.generator(next(steps)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return _always(step)


def _backbone(options: argparse.Namespace) -> tuple[nn.Module, int]:
    """A timm backbone, channels first, and its number of features."""
    backbone, width = create_backbone(options.backbone)
    return backbone.to(memory_format=torch.contiguous_format), width


def _bare(options: argparse.Namespace, device: torch.device) -> Arm:
    backbone, width = _backbone(options)
    query = nn.Sequential(backbone, nn.Linear(width, width), nn.ReLU(), nn.Linear(width, DIMENSION)).to(
        device
    )
    key = copy.deepcopy(query)
    first, second = (
        torch.randn(options.batch, 3, options.size, options.size, device=device) for _ in range(2)
    )
    optimizer = _sgd(query.parameters())

    def step() -> None:
        with _autocast(options, device):
            with torch.no_grad():
                keys = key(second)
            loss = (query(first) * keys).float().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return _always(step)


class PILImages(Dataset[Any]):
    """Images in memory under lightly's transform."""

    def __init__(
        self, images: np.ndarray[Any, Any], transform: Callable[[Image.Image], list[Tensor]]
    ) -> None:
        self.images = [Image.fromarray(image) for image in images]
        self.transform = transform

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index: int) -> list[Tensor]:
        """Two views."""
        return self.transform(self.images[index])


def _lightly(
    images: np.ndarray[Any, Any], workers: int, options: argparse.Namespace, device: torch.device
) -> Arm:
    backbone, width = _backbone(options)
    backbone, head = backbone.to(device), MoCoProjectionHead(width, width, DIMENSION).to(device)
    key_backbone, key_head = copy.deepcopy(backbone), copy.deepcopy(head)
    deactivate_requires_grad(key_backbone)
    deactivate_requires_grad(key_head)
    criterion = NTXentLoss(temperature=TEMPERATURE, memory_bank_size=(QUEUE, DIMENSION)).to(device)
    optimizer = _sgd(itertools.chain(backbone.parameters(), head.parameters()))
    pictures = PILImages(images, MoCoV2Transform(input_size=options.size))

    def step(batches: Iterator[Any]) -> None:
        first, second = (view.to(device, non_blocking=True) for view in next(batches))
        update_momentum(backbone, key_backbone, m=MOMENTUM)
        update_momentum(head, key_head, m=MOMENTUM)
        with _autocast(options, device):
            queries = head(backbone(first))
            with torch.no_grad():
                keys = key_head(key_backbone(second))
            loss = criterion(queries, keys)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @contextlib.contextmanager
    def turn() -> Iterator[Step]:
        loader = DataLoader(
            pictures,
            batch_size=options.batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
        )
        batches = itertools.chain.from_iterable(loader for _ in itertools.count())
        yield functools.partial(step, batches)

    return turn


if __name__ == "__main__":
    main()

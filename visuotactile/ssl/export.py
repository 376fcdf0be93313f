"""From a training checkpoint to a frozen encoder."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import ONNX, FrozenEncoder, save_encoder
from visuotactile.encoders.onnx import export_onnx
from visuotactile.errors import EncoderError
from visuotactile.ssl.module import CHECKPOINT_KEY

PREFIX = "backbone."
NEEDED = ("method", "architecture", "contract")


def export_checkpoint(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    onnx: bool = False,
    overwrite: bool = False,
) -> FrozenEncoder:
    """Take the query backbone out of a checkpoint that `visuotactile fit` wrote, as an encoder folder.

    Args:
        checkpoint: a `.ckpt` file; read without unpickling objects.
        folder: to make.
        onnx: add `encoder.onnx`, checked to agree.
        overwrite: replace an encoder that lies there.

    Raises:
        EncoderError: the file is no checkpoint of ours, is damaged, or its weights do not fit.
    """
    content = read_checkpoint(checkpoint)
    meta = dict(content[CHECKPOINT_KEY])
    architecture, contract = meta.pop("architecture"), InputContract.from_dict(meta.pop("contract"))
    state = {
        name.removeprefix(PREFIX): value
        for name, value in content["state_dict"].items()
        if name.startswith(PREFIX)
    }
    backbone, _ = create_backbone(architecture)
    expected = backbone.state_dict()
    wrong = sorted(set(state) ^ set(expected)) or sorted(
        key for key, value in expected.items() if state[key].shape != value.shape
    )
    if wrong:
        raise EncoderError(
            f"{checkpoint} says {architecture}, but its weights differ from that architecture's in "
            f"{len(wrong)} entries, the first being {wrong[0]!r}; it was written by another version or edited"
        )
    backbone.load_state_dict(state)
    encoder = save_encoder(folder, backbone, architecture, contract, meta, overwrite)
    if onnx:
        export_onnx(encoder, Path(folder) / ONNX)
    return encoder


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a checkpoint of ours, with tensors on the CPU and nothing but plain values besides."""
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
    if not isinstance(described, dict) or any(name not in described for name in NEEDED):
        raise EncoderError(f"{path} was not written by `visuotactile fit`: it does not say what it holds")
    return content

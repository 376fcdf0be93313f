"""From a training checkpoint to a frozen encoder."""

from __future__ import annotations

import os
from pathlib import Path

from visuotactile.checkpoints import CHECKPOINT_KEY, read_checkpoint
from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import ONNX, FrozenEncoder, save_encoder
from visuotactile.encoders.onnx import export_onnx
from visuotactile.errors import EncoderError

PREFIX = "backbone."
NEEDED = ("architecture", "contract")


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
    missing = [name for name in NEEDED if name not in meta]
    if missing:
        raise EncoderError(f"{checkpoint} has no encoder: it lacks {', '.join(missing)}")
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

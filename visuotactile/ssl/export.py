"""From a pretraining checkpoint to a frozen encoder, or to the joint space of several modalities."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.folders import ENCODERS
from visuotactile.encoders.frozen import ONNX, FrozenEncoder, save_encoder
from visuotactile.encoders.joint import JointSpace, projection_head, save_joint
from visuotactile.encoders.onnx import export_onnx
from visuotactile.encoders.weights import build_checked
from visuotactile.errors import EncoderError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, damaged, read_checkpoint, weights_below

CROSS_MODAL = "cross_modal"


def export_encoder(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    onnx: bool = False,
    overwrite: bool = False,
) -> FrozenEncoder:
    """Export the backbone (MoCo's query backbone) of a pretraining checkpoint as an encoder folder.

    Args:
        checkpoint: `.ckpt` file of a method with one encoder.
        folder: folder to create.
        onnx: add `encoder.onnx`, checked to give the same features.
        overwrite: replace an encoder folder.

    Raises:
        EncoderError: the checkpoint is damaged, not ours, or has no single encoder.
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
    """
    content = read_checkpoint(checkpoint)
    meta = dict(content[CHECKPOINT_KEY])
    missing = [name for name in ("architecture", "contract") if name not in meta]
    if missing:
        raise EncoderError(f"{checkpoint} has no encoder: it lacks {', '.join(missing)}")
    with damaged(checkpoint):
        architecture, contract = meta.pop("architecture"), InputContract.from_dict(meta.pop("contract"))
        backbone = _backbone(
            content["state_dict"], "network.backbone.", architecture, contract, str(checkpoint)
        )
    encoder = save_encoder(folder, backbone, architecture, contract, meta, overwrite)
    if onnx:
        export_onnx(encoder, Path(folder) / ONNX)
    return encoder


def export_joint(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    onnx: bool = False,
    overwrite: bool = False,
) -> JointSpace:
    """Export the encoders and projection heads of a cross-modal checkpoint as the folder of a joint space.

    Args:
        checkpoint: `.ckpt` file of cross-modal pretraining.
        folder: folder to create; FOLDER/encoders/MODALITY is an encoder folder each.
        onnx: add `encoder.onnx` to each encoder, checked to give the same features.
        overwrite: replace the folder of a joint space.

    Raises:
        EncoderError: the checkpoint is damaged, or of another method.
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
    """
    content, where = read_checkpoint(checkpoint, CROSS_MODAL), str(checkpoint)
    meta, state = dict(content[CHECKPOINT_KEY]), content["state_dict"]
    with damaged(checkpoint):
        modalities, dimension = meta.pop("modalities"), meta.pop("dimension")
        encoders, heads = {}, {}
        for name, entry in modalities.items():
            architecture, contract = entry["architecture"], InputContract.from_dict(entry["contract"])
            backbone = _backbone(state, f"branches.{name}.backbone.", architecture, contract, where)
            about = {**meta, "modality": name, "modalities": list(modalities)}
            encoders[name] = FrozenEncoder(backbone, architecture, contract, about)
            heads[name] = build_checked(
                functools.partial(projection_head, encoders[name].width, dimension),
                weights_below(state, f"heads.{name}."),
                f"the {name} head's",
                where,
            )
        temperature = math.exp(-float(state["logit_scale"]))
        parts = JointSpace(encoders, heads, temperature, meta)
    space = save_joint(folder, parts, overwrite)
    if onnx:
        for name, encoder in space.encoders.items():
            export_onnx(encoder, Path(folder) / ENCODERS / name / ONNX)
    return space


def _backbone(
    state: Mapping[str, Tensor], prefix: str, architecture: str, contract: InputContract, where: str
) -> nn.Module:
    """The backbone whose weights' names begin with `prefix`."""
    return build_checked(
        lambda: create_backbone(architecture, shape=contract.input_shape)[0],
        weights_below(state, prefix),
        architecture,
        where,
    )

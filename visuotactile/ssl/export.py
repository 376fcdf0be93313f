"""From a training checkpoint to a frozen encoder, or to the joint space of several."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.frozen import ONNX, FrozenEncoder, save_encoder
from visuotactile.encoders.joint import ENCODERS, JointSpace, projection_head, save_joint
from visuotactile.encoders.onnx import export_onnx
from visuotactile.encoders.weights import check_state
from visuotactile.errors import EncoderError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint

PREFIX = "backbone."
NEEDED = ("architecture", "contract")
CROSS_MODAL = "cross_modal"


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
    backbone = _backbone(content["state_dict"], PREFIX, architecture, contract, checkpoint)
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
    """Take the encoders and heads out of a cross-modal checkpoint, as the folder of a joint space.

    Args:
        checkpoint: a `.ckpt` file; read without unpickling objects.
        folder: to make; FOLDER/encoders/MODALITY is an encoder folder each.
        onnx: add `encoder.onnx` to each encoder, checked to agree.
        overwrite: replace a joint space that lies there.

    Raises:
        EncoderError: the file is no cross-modal checkpoint of ours, is damaged, or its weights do not fit.
    """
    content = read_checkpoint(checkpoint)
    meta, state = dict(content[CHECKPOINT_KEY]), content["state_dict"]
    if meta["method"] != CROSS_MODAL or not {"modalities", "dimension"} <= meta.keys():
        raise EncoderError(f"{checkpoint} holds a {meta['method']}, not encoders of several modalities")
    modalities, dimension = meta.pop("modalities"), meta.pop("dimension")
    encoders, heads = {}, {}
    for name, entry in modalities.items():
        architecture, contract = entry["architecture"], InputContract.from_dict(entry["contract"])
        backbone = _backbone(state, f"backbones.{name}.", architecture, contract, checkpoint)
        about = {**meta, "modality": name, "modalities": list(modalities)}
        encoders[name] = FrozenEncoder(backbone, architecture, contract, about)
        head = projection_head(encoders[name].width, dimension)
        found = _below(state, f"heads.{name}.")
        check_state(found, head.state_dict(), f"the {name} head's", str(checkpoint))
        head.load_state_dict(found)
        heads[name] = head
    temperature = math.exp(-float(state["logit_scale"]))
    space = save_joint(folder, JointSpace(encoders, heads, temperature, meta), overwrite)
    if onnx:
        for name, encoder in space.encoders.items():
            export_onnx(encoder, Path(folder) / ENCODERS / name / ONNX)
    return space


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _backbone(
    state: Mapping[str, Tensor],
    prefix: str,
    architecture: str,
    contract: InputContract,
    checkpoint: str | os.PathLike[str],
) -> nn.Module:
    """The backbone whose weights stand under `prefix`."""
    weights = _below(state, prefix)
    backbone, _ = create_backbone(architecture, size=contract.size)
    expected = backbone.state_dict()
    wrong = sorted(set(weights) ^ set(expected)) or sorted(
        key for key, value in expected.items() if weights[key].shape != value.shape
    )
    if wrong:
        raise EncoderError(
            f"{checkpoint} says {architecture}, but its weights differ from that architecture's in "
            f"{len(wrong)} entries, the first being {wrong[0]!r}; it was written by another version or edited"
        )
    backbone.load_state_dict(weights)
    return backbone

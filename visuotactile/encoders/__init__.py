"""Encoders: timm backbones, branches, input contracts, and frozen encoders with their export."""

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.branch import Branch, BranchNetwork
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import (
    FrozenEncoder,
    imagenet_encoder,
    load_encoder,
    save_encoder,
    untrained_encoder,
)
from visuotactile.encoders.joint import JointSpace, load_joint
from visuotactile.encoders.onnx import export_onnx

__all__ = [
    "Branch",
    "BranchNetwork",
    "FrozenEncoder",
    "InputContract",
    "JointSpace",
    "create_backbone",
    "export_onnx",
    "imagenet_encoder",
    "load_encoder",
    "load_joint",
    "prepare",
    "save_encoder",
    "untrained_encoder",
]

"""Encoders: timm backbones, the contract of what they look at, and their export."""

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder, save_encoder, untrained_encoder
from visuotactile.encoders.joint import JointSpace, load_joint
from visuotactile.encoders.onnx import export_onnx

__all__ = [
    "FrozenEncoder",
    "InputContract",
    "JointSpace",
    "create_backbone",
    "export_onnx",
    "load_encoder",
    "load_joint",
    "prepare",
    "save_encoder",
    "untrained_encoder",
]

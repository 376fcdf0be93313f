"""Encoders: timm backbones, the contract of what they look at, and their export."""

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder, save_encoder, untrained_encoder
from visuotactile.encoders.onnx import export_onnx

__all__ = [
    "FrozenEncoder",
    "InputContract",
    "create_backbone",
    "export_onnx",
    "load_encoder",
    "prepare",
    "save_encoder",
    "untrained_encoder",
]

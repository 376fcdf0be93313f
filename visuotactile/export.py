"""`visuotactile export`: from a checkpoint to what it was trained to be, an encoder or a predictor."""

from __future__ import annotations

import os
from typing import Literal

from visuotactile.checkpoints import CHECKPOINT_KEY, read_checkpoint
from visuotactile.errors import EncoderError


def export(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    onnx: bool = False,
    calibration: Literal["platt", "temperature", "none"] | None = None,
    overwrite: bool = False,
) -> None:
    """Make the folder that the checkpoint's method calls for.

    Args:
        checkpoint: a `.ckpt` file that `visuotactile fit` wrote.
        folder: to make.
        onnx: of an encoder: see `ssl.export.export_checkpoint`.
        calibration: of a predictor: see `grasp.export.export_predictor`; Platt scaling by default.
        overwrite: replace what lies there, if it is of the same kind.

    Raises:
        EncoderError: the checkpoint is not one of ours, or an option is for the other kind.
    """
    from visuotactile.grasp.export import export_predictor
    from visuotactile.grasp.predictor import METHOD
    from visuotactile.ssl.export import export_checkpoint

    if read_checkpoint(checkpoint)[CHECKPOINT_KEY]["method"] == METHOD:
        if onnx:
            raise EncoderError(f"{checkpoint} holds a predictor, which has no --onnx; leave it out")
        export_predictor(checkpoint, folder, calibration=calibration or "platt", overwrite=overwrite)
    else:
        if calibration is not None:
            raise EncoderError(f"{checkpoint} holds an encoder, which has no --calibration; leave it out")
        export_checkpoint(checkpoint, folder, onnx=onnx, overwrite=overwrite)

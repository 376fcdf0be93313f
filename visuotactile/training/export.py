"""`visuotactile export`: from a checkpoint to encoders, a predictor or a classifier."""

from __future__ import annotations

import os
from typing import Literal

from visuotactile.errors import EncoderError
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint


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
        onnx: of an encoder, or of each in a joint space: see `ssl.export`.
        calibration: of a predictor: see `grasp.export.export_predictor`; Platt scaling by default.
        overwrite: replace what lies there, if it is of the same kind.

    Raises:
        EncoderError: the checkpoint is not one of ours, or an option is for the other kind.
    """
    from visuotactile.grasp.predictor.export import export_predictor
    from visuotactile.grasp.predictor.network import METHOD
    from visuotactile.ssl.export import CROSS_MODAL, export_checkpoint, export_joint
    from visuotactile.supervised.export import METHOD as CLASSIFIER
    from visuotactile.supervised.export import export_classifier

    method = read_checkpoint(checkpoint)[CHECKPOINT_KEY]["method"]
    if method in (METHOD, CLASSIFIER) and onnx:
        raise EncoderError(f"{checkpoint} holds a {method}, which has no --onnx; leave it out")
    if method == METHOD:
        export_predictor(checkpoint, folder, calibration=calibration or "platt", overwrite=overwrite)
        return
    if calibration is not None:
        what = "a classifier" if method == CLASSIFIER else "an encoder"
        raise EncoderError(f"{checkpoint} holds {what}, which has no --calibration; leave it out")
    if method == CLASSIFIER:
        export_classifier(checkpoint, folder, overwrite=overwrite)
    elif method == CROSS_MODAL:
        export_joint(checkpoint, folder, onnx=onnx, overwrite=overwrite)
    else:
        export_checkpoint(checkpoint, folder, onnx=onnx, overwrite=overwrite)

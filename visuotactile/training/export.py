"""`visuotactile export`: from a checkpoint to the folder that the other commands read."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from visuotactile.errors import EncoderError
from visuotactile.progress import working

EXPORTERS = {
    "moco": "visuotactile.ssl.export:export_encoder",
    "memory_bank": "visuotactile.ssl.export:export_encoder",
    "triplet": "visuotactile.ssl.export:export_encoder",
    "triplet_by_label": "visuotactile.ssl.export:export_encoder",
    "autoencoder": "visuotactile.ssl.export:export_encoder",
    "simclr": "visuotactile.ssl.export:export_encoder",
    "byol": "visuotactile.ssl.export:export_encoder",
    "simsiam": "visuotactile.ssl.export:export_encoder",
    "barlow_twins": "visuotactile.ssl.export:export_encoder",
    "vicreg": "visuotactile.ssl.export:export_encoder",
    "cross_modal": "visuotactile.ssl.export:export_joint",
    "classifier": "visuotactile.supervised.export:export_classifier",
    "clip estimator": "visuotactile.estimation.export:export_estimator",
    "grasp outcome predictor": "visuotactile.grasp.predictor.export:export_predictor",
}
"""Method of a checkpoint → MODULE:FUNCTION that exports it, with the options of `export` that fit it."""


def export(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    onnx: bool = False,
    calibration: Literal["platt", "temperature", "none"] | None = None,
    overwrite: bool = False,
) -> None:
    """Export the encoders, the classifier or the predictor of a checkpoint as a folder.

    Args:
        checkpoint: folder of a run, of which best.ckpt is taken if there is one, or else last.ckpt; or a
            `.ckpt` file.
        folder: folder to create.
        onnx: add encoder.onnx to each encoder, for robots without PyTorch.
        calibration: calibration of a predictor on its held-out objects, by default Platt scaling; none keeps
            the network's own probabilities.
        overwrite: replace a folder of the same kind.

    Raises:
        EncoderError: the checkpoint is damaged or not ours, or an option does not fit its method.
    """
    with working(f"exporting {checkpoint}"):  # the imports take longest
        _export(checkpoint, folder, {"onnx": onnx or None, "calibration": calibration}, overwrite)


def _export(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    options: Mapping[str, Any],
    overwrite: bool,
) -> None:
    from visuotactile.training.checkpoints import CHECKPOINT_KEY, checkpoint_of, read_checkpoint

    checkpoint = checkpoint_of(checkpoint)
    method = read_checkpoint(checkpoint)[CHECKPOINT_KEY]["method"]
    if method not in EXPORTERS:
        raise EncoderError(
            f"{checkpoint} was trained by {method!r}, which this version cannot export; it exports "
            f"{', '.join(EXPORTERS)}"
        )
    module, _, function = EXPORTERS[method].partition(":")
    exporter = getattr(import_module(module), function)
    given = {name: value for name, value in options.items() if value is not None}
    for name in given.keys() - inspect.signature(exporter).parameters.keys():
        raise EncoderError(
            f"{checkpoint} was trained by {method!r}, whose export has no --{name}; leave it out"
        )
    exporter(checkpoint, folder, overwrite=overwrite, **given)

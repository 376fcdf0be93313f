"""Export of a training checkpoint as a calibrated predictor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from visuotactile.encoders.weights import build_checked
from visuotactile.errors import EncoderError
from visuotactile.grasp.predictor.calibration import Calibration, Method, calibrate
from visuotactile.grasp.predictor.file import build, save_predictor
from visuotactile.grasp.predictor.network import METHOD, Predictor
from visuotactile.training.checkpoints import CHECKPOINT_KEY, damaged, read_checkpoint, weights_below


def export_predictor(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    calibration: Method = "platt",
    overwrite: bool = False,
) -> Predictor:
    """Export the predictor of a checkpoint, calibrated, as a folder.

    The calibration is fitted on the logits of the last validation, on objects held out of the training.

    Args:
        checkpoint: `.ckpt` file of a predictor.
        folder: folder to create.
        calibration: "platt", "temperature", or "none" to keep the network's own probabilities.
        overwrite: replace the folder of a predictor.

    Raises:
        EncoderError: the checkpoint is damaged, of another method, or cannot be calibrated.
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
    """
    content = read_checkpoint(checkpoint, METHOD)
    described, where = content[CHECKPOINT_KEY], str(checkpoint)
    with damaged(checkpoint):
        predictor = build_checked(
            lambda: build(described["network"], where),
            weights_below(content["state_dict"], "predictor."),
            "the predictor's",
            where,
        )
        fitted = _calibration(described, calibration, where, len(predictor.outcomes))
        meta = {"seed": described["seed"], "step": described["step"], "data": described["data"]}
    return save_predictor(folder, predictor, fitted, meta, overwrite)


def _calibration(described: Mapping[str, Any], method: Method, where: str, outcomes: int) -> Calibration:
    if method == "none":
        return Calibration.none(outcomes)
    validated = described["validated"]
    if validated is None or validated["step"] != described["step"]:
        last = "never" if validated is None else f"last at step {validated['step']}"
        raise EncoderError(
            f"{where} was validated {last}, saved at step {described['step']}: nothing to calibrate it on. "
            "Let `fit` run to its end with data.init_args.held_out above 0, or export with --calibration none"
        )
    return calibrate(validated["logits"].numpy(), validated["outcomes"].numpy(), validated["objects"], method)

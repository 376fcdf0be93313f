"""From a training checkpoint to a calibrated predictor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from visuotactile.encoders.weights import check_state
from visuotactile.errors import EncoderError
from visuotactile.grasp.predictor.calibration import Calibration, Method, calibrate
from visuotactile.grasp.predictor.file import build, save_predictor
from visuotactile.grasp.predictor.network import METHOD, Predictor
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint


def export_predictor(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    calibration: Method = "platt",
    overwrite: bool = False,
) -> Predictor:
    """Take the predictor out of a checkpoint that `visuotactile fit` wrote, calibrated, as a folder.

    The calibration is fitted on what the network said at its last validation of the objects that were held
    out of its training.

    Args:
        checkpoint: a `.ckpt` file; read without unpickling objects.
        folder: to make.
        calibration: "platt", "temperature", or "none" to keep the network's own probabilities.
        overwrite: replace a predictor that lies there.

    Raises:
        EncoderError: the file is no checkpoint of a predictor, is damaged, or cannot be calibrated.
        OutputExistsError: the folder exists and `overwrite` is False, or holds something else.
    """
    content = read_checkpoint(checkpoint)
    described = content[CHECKPOINT_KEY]
    if described["method"] != METHOD:
        raise EncoderError(f"{checkpoint} holds a {described['method']} encoder, not a predictor")
    state = {
        key.removeprefix("predictor."): value
        for key, value in content["state_dict"].items()
        if key.startswith("predictor.")
    }
    predictor = build(described["network"], str(checkpoint))
    check_state(state, predictor.state_dict(), "the predictor's", str(checkpoint))
    predictor.load_state_dict(state)
    fitted = _calibration(described, calibration, str(checkpoint), len(predictor.outcomes))
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

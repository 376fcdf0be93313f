"""Export of a training checkpoint as an estimator with calibrated intervals."""

from __future__ import annotations

import os

from visuotactile.encoders.folders import understood
from visuotactile.encoders.weights import load_checked
from visuotactile.errors import EncoderError
from visuotactile.estimation.conformal import Scores
from visuotactile.estimation.file import ESTIMATOR, save_estimator
from visuotactile.estimation.module import METHOD
from visuotactile.estimation.network import EndToEnd
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint, weights_below


def export_estimator(
    checkpoint: str | os.PathLike[str], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> EndToEnd:
    """Export the network of a checkpoint as an estimator folder.

    Its intervals are stated from the residuals of the last validation, on samples held out of the training.

    Args:
        checkpoint: `.ckpt` file of a clip estimator.
        folder: folder to create.
        overwrite: replace the folder of an estimator.

    Raises:
        EncoderError: the checkpoint is damaged, of another method, or was never validated.
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
    """
    content = read_checkpoint(checkpoint, METHOD)
    described = content[CHECKPOINT_KEY]
    with understood(checkpoint, ESTIMATOR.kind):
        estimator = EndToEnd(described["network"])
        low, high = described["span"]
        estimator.span = float(low), float(high)
        validated = described["validated"]
    state = weights_below(content["state_dict"], "network.")
    load_checked(estimator.network, state, "this estimator's", str(checkpoint))
    if validated is None or validated["step"] != described["step"]:
        last = "never" if validated is None else f"last at step {validated['step']}"
        raise EncoderError(
            f"{checkpoint} was validated {last}, saved at step {described['step']}: nothing states its "
            "intervals. Let `fit` run to its end with data.held_out above 0"
        )
    scores = Scores.of(validated["scores"].double().numpy(), validated["units"].numpy())
    estimator.scores = {estimator.network.radius: scores}
    meta = {name: described[name] for name in ("method", "seed", "step", "data")}
    save_estimator(folder, estimator, meta, overwrite=overwrite)
    return estimator

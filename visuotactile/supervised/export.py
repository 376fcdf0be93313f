"""Export of a training checkpoint as a classifier."""

from __future__ import annotations

import os

from visuotactile.encoders.weights import build_checked
from visuotactile.supervised.classifier_file import build, save_classifier
from visuotactile.supervised.network import Classifier
from visuotactile.training.checkpoints import CHECKPOINT_KEY, damaged, read_checkpoint, weights_below

METHOD = "classifier"


def export_classifier(
    checkpoint: str | os.PathLike[str], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> Classifier:
    """Export the classifier of a checkpoint as a folder.

    The paper evaluates `best.ckpt`, the epoch with the lowest training loss.

    Args:
        checkpoint: `.ckpt` file of a classifier.
        folder: folder to create.
        overwrite: replace the folder of a classifier.

    Raises:
        EncoderError: the checkpoint is damaged, or from another method.
        OutputExistsError: the folder exists and `overwrite` is False, or it is not a classifier.
    """
    content = read_checkpoint(checkpoint, METHOD)
    described = content[CHECKPOINT_KEY]
    with damaged(checkpoint):
        classifier = build_checked(
            lambda: build(described["network"], str(checkpoint)),
            weights_below(content["state_dict"], "classifier."),
            "this classifier's",
            str(checkpoint),
        )
        meta = {name: described[name] for name in ("method", "seed", "step", "data")}
    return save_classifier(folder, classifier, meta, overwrite)

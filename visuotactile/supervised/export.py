"""From a training checkpoint to a classifier."""

from __future__ import annotations

import os

from visuotactile.encoders.weights import check_state
from visuotactile.errors import EncoderError
from visuotactile.supervised.classifier_file import THESE, build, save_classifier
from visuotactile.supervised.network import Classifier
from visuotactile.training.checkpoints import CHECKPOINT_KEY, read_checkpoint

METHOD = "classifier"
PREFIX = "classifier."


def export_classifier(
    checkpoint: str | os.PathLike[str], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> Classifier:
    """Take the classifier out of a checkpoint that `visuotactile fit` wrote, as a folder.

    The paper's choice is `best.ckpt`, the epoch with the lowest training loss; `last.ckpt` lies beside it.

    Args:
        checkpoint: a `.ckpt` file; read without unpickling objects.
        folder: to make.
        overwrite: replace a classifier that lies there.

    Raises:
        EncoderError: the file is no checkpoint of a classifier, is damaged, or its weights do not fit.
        OutputExistsError: the folder exists and `overwrite` is False, or holds something else.
    """
    content = read_checkpoint(checkpoint)
    described = content[CHECKPOINT_KEY]
    if described["method"] != METHOD:
        raise EncoderError(f"{checkpoint} holds a {described['method']}, not a classifier")
    classifier = build(described["network"], str(checkpoint))
    state = {
        key.removeprefix(PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(PREFIX)
    }
    check_state(state, classifier.state_dict(), THESE, str(checkpoint))
    classifier.load_state_dict(state)
    meta = {name: described[name] for name in ("method", "seed", "step", "data")}
    return save_classifier(folder, classifier, meta, overwrite)

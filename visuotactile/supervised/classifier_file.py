"""The classifier folder.

FOLDER/classifier.safetensors       weights of encoders, attention and linear layer
FOLDER/classifier.json              modalities with their contracts, classes, data, seed, versions
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visuotactile.encoders.branch import BranchNetwork
from visuotactile.encoders.folders import ArtefactFolder, on_device, understood
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.network import Classifier

CLASSIFIER = ArtefactFolder(
    name="classifier",
    kind="a classifier",
    format=2,
    entries={"network": dict},
    source="`visuotactile export` makes one of a classifier's checkpoint",
)


def save_classifier(
    folder: str | os.PathLike[str], classifier: Classifier, meta: Mapping[str, Any], overwrite: bool = False
) -> Classifier:
    """Write a classifier folder atomically, and return the classifier read back from it.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    entries = {"network": classifier.description()}
    CLASSIFIER.write(folder, classifier.state_dict(), entries, meta, overwrite=overwrite)
    return load_classifier(folder)


def load_classifier(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Classifier:
    """Read and validate a classifier folder; the classifier is frozen, in evaluation mode.

    Its `meta` describes the training data.

    Raises:
        EncoderError: a file is missing, damaged or edited; or the device does not exist.
    """
    where = Path(folder) / CLASSIFIER.description
    described = CLASSIFIER.read(folder)
    state = CLASSIFIER.read_weights(
        folder, described, lambda: build(described["network"], str(where)).state_dict()
    )
    classifier = build(described["network"], str(where))
    classifier.load_state_dict(state)
    classifier.meta = described["meta"]
    classifier.requires_grad_(False).eval()
    with on_device(device):
        return classifier.to(device)


def build(network: Mapping[str, Any], where: str) -> Classifier:
    """A classifier with random weights from its `description()`.

    Raises:
        EncoderError: `network` does not describe a classifier.
    """
    with understood(where, CLASSIFIER.kind):
        branches = {
            name: BranchNetwork.from_description(entry) for name, entry in network["branches"].items()
        }
        attention = None if network["attention"] is None else Attention(**network["attention"])
        return Classifier(branches, network["classes"], attention)

"""The classifier folder: every weight, and what they are.

FOLDER/classifier.safetensors       weights of encoders, attention and linear layer
FOLDER/classifier.json              modalities with their contracts, classes, data, seed, versions, hashes
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from visuotactile.encoders.backbone import create_backbone
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.folders import (
    check_weights,
    description_hash,
    on_device,
    read_description,
    read_weights,
)
from visuotactile.encoders.weights import check_state
from visuotactile.errors import ContractError, EncoderError, OutputExistsError
from visuotactile.files import (
    atomic_folder,
    atomic_path,
    provenance,
    refuse_overwrite,
    sha256_file,
    write_json,
)
from visuotactile.supervised.attention import Attention
from visuotactile.supervised.network import BranchNetwork, Classifier

FORMAT = 1
WEIGHTS, DESCRIPTION = "classifier.safetensors", "classifier.json"
KEYS = {"format", "network", "meta", "weights_sha256", "hash"}
THESE = "this classifier's"


def save_classifier(
    folder: str | os.PathLike[str], classifier: Classifier, meta: Mapping[str, Any], overwrite: bool = False
) -> Classifier:
    """Write a classifier folder, whole or not at all, and return what `load_classifier` would.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    folder = Path(folder)
    refuse_overwrite(folder, overwrite)
    if folder.exists() and not (folder / DESCRIPTION).is_file():
        raise OutputExistsError(f"{folder} holds no classifier; it is not replaced, choose another folder")
    state = {key: value.detach().cpu().contiguous().clone() for key, value in classifier.state_dict().items()}
    check_state(state, state, THESE, "the classifier")
    with atomic_folder(folder) as temporary:
        with atomic_path(temporary / WEIGHTS) as path:
            save_file(state, path)
        description = {
            "format": FORMAT,
            "network": classifier.description(),
            "meta": {"versions": provenance()["versions"], **copy.deepcopy(dict(meta))},
            "weights_sha256": sha256_file(temporary / WEIGHTS),
        }
        try:
            write_json(temporary / DESCRIPTION, description | {"hash": description_hash(description)})
        except (TypeError, ValueError) as why:
            raise EncoderError(f"meta cannot be written as JSON ({why}); give plain values") from None
    return load_classifier(folder)


def load_classifier(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Classifier:
    """Read a classifier folder, believing nothing; it comes in evaluation mode, without gradients.

    Its `meta` says what it was trained on.

    Raises:
        EncoderError: something is missing, damaged or edited; or there is no such device.
    """
    folder = Path(folder)
    where = folder / DESCRIPTION
    if not where.is_file():
        raise EncoderError(
            f"{folder} is not a classifier: it has no {DESCRIPTION}; `visuotactile export` makes one of a "
            "classifier's checkpoint"
        )
    description = read_description(where, KEYS, FORMAT, "the classifier")
    if description.pop("hash") != description_hash(description):
        raise EncoderError(f"{where} was edited: its hash does not fit; export the classifier again")
    weights = folder / WEIGHTS
    check_weights(weights, description["weights_sha256"], DESCRIPTION)
    classifier = build(description["network"], str(where))
    state = read_weights(weights, "the classifier")
    check_state(state, classifier.state_dict(), THESE, str(weights))
    classifier.load_state_dict(state)
    classifier.meta = description["meta"]
    classifier.requires_grad_(False).eval()
    with on_device(device):
        return classifier.to(device)


def build(network: Mapping[str, Any], where: str) -> Classifier:
    """A classifier with new weights from its `description()`.

    Raises:
        EncoderError: `network` describes none.
    """
    try:
        branches = {
            name: BranchNetwork(
                create_backbone(entry["architecture"], size=entry["contract"]["size"])[0],
                entry["architecture"],
                InputContract.from_dict(entry["contract"]),
                entry["frozen"],
                entry["origin"],
            )
            for name, entry in network["branches"].items()
        }
        attention = None if network["attention"] is None else Attention(**network["attention"])
        return Classifier(branches, network["classes"], attention)
    except (KeyError, TypeError, AttributeError, ContractError) as why:
        raise EncoderError(f"{where} does not describe a classifier of this version ({why!r})") from None

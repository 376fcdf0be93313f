"""The predictor folder: weights, what they are, their calibration, and the frozen encoders it looks through.

FOLDER/predictor.safetensors        every weight that was trained
FOLDER/predictor.json               network, outcomes, action space, calibration, data, seed, versions, hashes
FOLDER/encoders/BRANCH/             a whole encoder folder for each branch that is a frozen encoder
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from visuotactile.encoders.branch import BranchNetwork
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.folders import (
    check_weights,
    description_hash,
    on_device,
    read_description,
    read_weights,
)
from visuotactile.encoders.frozen import FrozenEncoder, load_encoder, save_encoder
from visuotactile.encoders.weights import check_state
from visuotactile.errors import ContractError, EncoderError, OutputExistsError, PlanError
from visuotactile.files import (
    atomic_folder,
    atomic_path,
    provenance,
    refuse_overwrite,
    sha256_file,
    write_json,
)
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.network import Predictor

FORMAT = 2
WEIGHTS, DESCRIPTION, ENCODERS = "predictor.safetensors", "predictor.json", "encoders"
KEYS = {"format", "network", "calibration", "meta", "weights_sha256", "hash"}


def save_predictor(
    folder: str | os.PathLike[str],
    predictor: Predictor,
    calibration: Calibration,
    meta: Mapping[str, Any],
    overwrite: bool = False,
) -> Predictor:
    """Write a predictor folder, whole or not at all, and return what `load_predictor` would.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    folder = Path(folder)
    refuse_overwrite(folder, overwrite)
    if folder.exists() and not (folder / DESCRIPTION).is_file():
        raise OutputExistsError(f"{folder} holds no predictor; it is not replaced, choose another folder")
    predictor.set_calibration(calibration.slope, calibration.intercept)
    state = {key: value.detach().cpu().contiguous().clone() for key, value in _learned(predictor).items()}
    check_state(state, state, "the predictor's", "the predictor")
    meta = {"versions": provenance()["versions"], **copy.deepcopy(dict(meta))}
    with atomic_folder(folder) as temporary:
        for name, network in predictor.networks().items():
            if network.frozen and network.origin is not None:
                contract = InputContract.from_dict(network.origin["contract"])
                where, meta_of = temporary / ENCODERS / name, network.origin["meta"]
                save_encoder(where, network.backbone, network.architecture, contract, meta_of)
        with atomic_path(temporary / WEIGHTS) as path:
            save_file(state, path)
        description = {
            "format": FORMAT,
            "network": predictor.description(),
            "calibration": asdict(calibration),
            "meta": meta,
            "weights_sha256": sha256_file(temporary / WEIGHTS),
        }
        try:
            write_json(temporary / DESCRIPTION, description | {"hash": description_hash(description)})
        except (TypeError, ValueError) as why:
            raise EncoderError(f"meta cannot be written as JSON ({why}); give plain values") from None
    return load_predictor(folder)


def load_predictor(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Predictor:
    """Read a predictor folder, believing nothing; it comes calibrated, in evaluation mode, without gradients.

    Its `meta` says what it was trained and calibrated on.

    Raises:
        EncoderError: something is missing, damaged or edited, or an encoder is not the one of its training.
    """
    folder = Path(folder)
    where = folder / DESCRIPTION
    if not where.is_file():
        raise EncoderError(
            f"{folder} is not a predictor: it has no {DESCRIPTION}; `visuotactile export` makes one"
        )
    description = read_description(where, KEYS, FORMAT, "the predictor")
    if description.pop("hash") != description_hash(description):
        raise EncoderError(f"{where} was edited: its hash does not fit; export the predictor again")
    weights = folder / WEIGHTS
    check_weights(weights, description["weights_sha256"], DESCRIPTION)
    predictor = build(description["network"], str(where))
    for name, network in predictor.networks().items():
        if network.frozen:
            network.backbone.load_state_dict(_encoder(folder, name, network).backbone.state_dict())
    state = read_weights(weights, "the predictor")
    try:
        calibration = Calibration.from_dict(description["calibration"])
        predictor.set_calibration(calibration.slope, calibration.intercept)
    except (TypeError, ContractError) as why:
        raise EncoderError(f"{folder} is damaged ({why}); export the predictor again") from None
    check_state(state, _learned(predictor), "the predictor's", str(weights))
    predictor.load_state_dict(state, strict=False)  # the encoders, checked above, have their own files
    predictor.meta = {**description["meta"], "calibration": description["calibration"]}
    predictor.requires_grad_(False).eval()
    with on_device(device):
        return predictor.to(device)


def build(network: Mapping[str, Any], where: str) -> Predictor:
    """A predictor with new weights from its `description()`.

    Raises:
        EncoderError: `network` describes none.
    """
    try:
        branches = {
            name: BranchNetwork.from_description(entry) for name, entry in network["branches"].items()
        }
        return Predictor(
            branches,
            network["outcomes"],
            ActionSpace(**network["action_space"]),
            action=network["action"],
            pose=network["pose"],
            cylinder=network["cylinder"],
            width=network["width"],
        )
    except (KeyError, TypeError, AttributeError, ContractError, PlanError) as why:
        raise EncoderError(f"{where} does not describe a predictor of this version ({why!r})") from None


def _encoder(folder: Path, name: str, network: BranchNetwork) -> FrozenEncoder:
    """The frozen encoder of a branch, from the predictor's folder."""
    found, origin = load_encoder(folder / ENCODERS / name), network.origin or {}
    if found.hash != origin.get("hash"):
        raise EncoderError(
            f"{folder / ENCODERS / name} is not the encoder that branch {name} was trained with "
            f"({found.architecture}, hash {found.hash[:12]}; expected {network.architecture}, "
            f"{str(origin.get('hash'))[:12]}); copy the whole predictor again"
        )
    return found


def _learned(predictor: Predictor) -> dict[str, Tensor]:
    """The weights that are the predictor's own: all but those of frozen encoders."""
    frozen = tuple(f"branches.{name}." for name, network in predictor.networks().items() if network.frozen)
    return {key: value for key, value in predictor.state_dict().items() if not key.startswith(frozen)}

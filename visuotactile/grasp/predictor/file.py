"""The predictor folder: weights, calibration and frozen encoders.

FOLDER/predictor.safetensors        every weight that was trained
FOLDER/predictor.json               network, embodiment, outcomes, calibration, data, seed, versions
FOLDER/encoders/BRANCH/             an encoder folder for each branch that is a frozen encoder
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.encoders.branch import BranchNetwork
from visuotactile.encoders.contract import InputContract
from visuotactile.encoders.folders import ENCODERS, ArtefactFolder, on_device, understood
from visuotactile.encoders.frozen import FrozenEncoder, load_encoders, save_encoders
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import EncoderError
from visuotactile.grasp.predictor.calibration import Calibration
from visuotactile.grasp.predictor.network import Predictor

PREDICTOR = ArtefactFolder(
    name="predictor",
    kind="a predictor",
    format=3,  # 2 had one action network, and no dropout
    entries={"network": dict, "calibration": dict},
    others=(ENCODERS,),
)


def save_predictor(
    folder: str | os.PathLike[str],
    predictor: Predictor,
    calibration: Calibration,
    meta: Mapping[str, Any],
    overwrite: bool = False,
) -> Predictor:
    """Write a predictor folder atomically, and return the predictor read back from it.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    predictor.set_calibration(calibration.slope, calibration.intercept)
    frozen = {
        name: FrozenEncoder(
            network.backbone,
            network.architecture,
            InputContract.from_dict(network.origin["contract"]),
            network.origin["meta"],
        )
        for name, network in predictor.networks().items()
        if network.frozen and network.origin is not None
    }
    PREDICTOR.write(
        folder,
        _learned(predictor),
        {"network": predictor.description(), "calibration": asdict(calibration)},
        meta,
        overwrite=overwrite,
        inside=lambda new: save_encoders(new, frozen),
    )
    return load_predictor(folder)


def load_predictor(
    folder: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    streams: Mapping[str, str] | None = None,
) -> Predictor:
    """Read and validate a predictor folder; the predictor is calibrated, frozen, in evaluation mode.

    Its `meta` describes the data that it was trained and calibrated on.

    Args:
        folder: the folder.
        device: PyTorch device of the predictor.
        streams: names of its streams on the robot or in the store, where they differ from its own, such as
            tactile_left → gelsight.

    Raises:
        ContractError: it does not look at a stream of `streams`, or two become one.
        EncoderError: a file is missing, damaged or edited, or an encoder is not that of its training.
    """
    folder = Path(folder)
    where = folder / PREDICTOR.description
    described = PREDICTOR.read(folder)
    network = described["network"]
    with understood(where, PREDICTOR.kind):
        hashes = {
            name: entry["origin"]["hash"] for name, entry in network["branches"].items() if entry["frozen"]
        }
        calibration = Calibration.from_dict(described["calibration"])
    encoders = load_encoders(folder, hashes, "the predictor")
    state = PREDICTOR.read_weights(folder, described, lambda: _learned(build(network, where)))
    predictor = build(network, where)
    predictor.load_state_dict(state, strict=False)  # the encoders have files of their own
    with understood(where, PREDICTOR.kind):
        for name, encoder in encoders.items():
            predictor.networks()[name].backbone.load_state_dict(encoder.backbone.state_dict())
        predictor.set_calibration(calibration.slope, calibration.intercept)
    predictor.meta = {**described["meta"], "calibration": described["calibration"]}
    if streams:
        predictor.rename_streams(StreamNames.given(streams))
    predictor.requires_grad_(False).eval()
    with on_device(device):
        return predictor.to(device)


def predictor_hash(folder: str | os.PathLike[str]) -> str:
    """Hash of a predictor, from its description; raises `EncoderError` if there is none."""
    return str(PREDICTOR.read(folder)["hash"])


@functools.lru_cache(maxsize=16)
def loaded(folder: Path, expected: str, streams: tuple[tuple[str, str], ...] = ()) -> Predictor:
    """The predictor with this hash, read once in each process, with the names of `load_predictor`.

    Raises:
        EncoderError: the folder holds another predictor.
    """
    predictor = load_predictor(folder, streams=dict(streams))
    if predictor_hash(folder) != expected:
        raise EncoderError(
            f"{folder} holds another predictor than when this began; put the first one back, or begin anew"
        )
    return predictor


def build(network: Mapping[str, Any], where: str | os.PathLike[str]) -> Predictor:
    """A predictor with random weights from its `description()`.

    Raises:
        EncoderError: `network` does not describe a predictor.
    """
    with understood(where, PREDICTOR.kind):
        branches = {
            name: BranchNetwork.from_description(entry) for name, entry in network["branches"].items()
        }
        return Predictor(
            branches,
            Embodiment.from_dict(network["embodiment"]),
            network["outcomes"],
            network["vectors"],
            action=network["action"],
            width=network["width"],
            separate=network["separate"],
            dropout=network["dropout"],
        )


def _learned(predictor: Predictor) -> dict[str, Tensor]:
    """Weights of the predictor without those of frozen encoders."""
    frozen = tuple(f"branches.{name}." for name, network in predictor.networks().items() if network.frozen)
    return {key: value for key, value in predictor.state_dict().items() if not key.startswith(frozen)}

"""The estimator folder.

FOLDER/estimator.safetensors        weights, and the residuals that state the intervals
FOLDER/estimator.json               kind, settings, what was fitted, span of the numbers, provenance, hashes
FOLDER/encoders/frozen/             the frozen encoder, where it has one
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visuotactile.encoders.folders import ArtefactFolder, understood
from visuotactile.encoders.frozen import FrozenEncoder, load_encoders, save_encoders
from visuotactile.errors import EncoderError
from visuotactile.estimation.conformal import Scores
from visuotactile.estimation.contact_mechanics import ContactMechanics
from visuotactile.estimation.estimator import Estimator
from visuotactile.estimation.features import FrozenFeatures
from visuotactile.estimation.network import EndToEnd

FROZEN = "frozen"
DTYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64}

ESTIMATOR = ArtefactFolder(
    name="estimator",
    kind="an estimator",
    format=1,
    entries={
        "estimator": str,
        "settings": dict,
        "fitted": dict,
        "span": list,
        "encoders": dict,
        "tensors": dict,
    },
    source="`visuotactile estimate fit` makes one",
    others=("encoders",),
)


def save_estimator(
    folder: str | os.PathLike[str], estimator: Estimator, meta: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write a fitted estimator as a folder, atomically.

    Raises:
        OutputExistsError: the folder exists and `overwrite` is False, or it holds something else.
        EncoderError: a weight is NaN or infinite, or `meta` is not JSON.
    """
    state = {f"weights.{name}": value for name, value in estimator.state().items()}
    for mode, scores in estimator.scores.items():
        state[f"scores.{_MODES[mode]}.values"] = torch.from_numpy(scores.values)
        state[f"scores.{_MODES[mode]}.weights"] = torch.from_numpy(scores.weights)
    encoder: FrozenEncoder | None = getattr(estimator, "encoder", None)
    entries = {
        "estimator": estimator.kind,
        "settings": estimator.settings(),
        "fitted": estimator.fitted(),
        "span": list(estimator.span),
        "encoders": {} if encoder is None else {FROZEN: encoder.hash},
        "tensors": {name: [str(value.dtype)[6:], list(value.shape)] for name, value in state.items()},
    }

    def inside(temporary: Path) -> None:
        if encoder is not None:
            save_encoders(temporary, {FROZEN: encoder})

    ESTIMATOR.write(folder, state, entries, meta, overwrite=overwrite, inside=inside)


def load_estimator(folder: str | os.PathLike[str]) -> Estimator:
    """Read and validate an estimator folder.

    Raises:
        EncoderError: a file is missing, damaged or edited.
    """
    where = Path(folder) / ESTIMATOR.description
    described = ESTIMATOR.read(folder)

    def expected() -> dict[str, Tensor]:
        return {
            name: torch.empty([int(side) for side in shape], dtype=DTYPES[kind])
            for name, (kind, shape) in described["tensors"].items()
        }

    state = ESTIMATOR.read_weights(folder, described, expected)
    with understood(where, ESTIMATOR.kind):
        estimator = _empty(Path(folder), described)
        estimator.load(described["fitted"], _below(state, "weights."))
        for mode, name in _MODES.items():
            if f"scores.{name}.values" in state:
                scores = _below(state, f"scores.{name}.")
                estimator.scores[mode] = Scores(scores["values"].numpy(), scores["weights"].numpy())
        low, high = described["span"]
        estimator.span = float(low), float(high)
        if not np.isfinite(estimator.span).all():
            raise ValueError("its span is not finite")
    estimator.meta = described["meta"]
    return estimator


def _empty(folder: Path, described: Mapping[str, Any]) -> Estimator:
    kind, settings = described["estimator"], described["settings"]
    if kind == ContactMechanics.kind:
        return ContactMechanics(**settings)
    if kind == FrozenFeatures.kind:
        (encoder,) = load_encoders(folder, described["encoders"], "the estimator").values()
        return FrozenFeatures(encoder, **settings)
    if kind == EndToEnd.kind:
        return EndToEnd(**settings)
    raise EncoderError(f"{folder} holds an estimator of kind {kind!r}, which this version does not know")


_MODES = {True: "radius", False: "no_radius"}
"""Radius given or not → part of the names of its scores."""


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}

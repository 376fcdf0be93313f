"""Point clouds of a map: one for each encoder, or one with all modalities for each joint space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.store import Store
from visuotactile.encoders import FrozenEncoder, InputContract, untrained_encoder
from visuotactile.encoders.joint import JointSpace
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import ContractError, EncoderError
from visuotactile.probes.features import trial_features
from visuotactile.probes.rows import UNTRAINED, load_rows, rename_streams, tell_apart
from visuotactile.retrieval.spaces import (
    SpaceRow,
    is_joint,
    load_spaces,
    rename_spaces,
    trial_embeddings,
    untrained_space,
)

FELT = ("touch", "tactile")


@dataclass(frozen=True)
class Cloud:
    """Point cloud of one panel.

    Attributes:
        name: title of the panel.
        kind: method of the pretraining.
        features: computes [trials, D] of an encoder, or [trials, modalities, D] of a joint space.
    """

    name: str
    kind: str
    features: Callable[[], NDArray[np.float32]]


Clouds = tuple[tuple[str, ...], list[InputContract], list[Cloud]]
"""Modalities, dark ones first (none for encoders); contracts of the pictures; and the clouds."""


def of_spaces(sources: Sequence[Any]) -> bool:
    """True for a map of joint spaces; `ContractError` where they are mixed with encoders."""
    kinds = {is_joint(source) for source in sources}
    if len(kinds) > 1:
        raise ContractError(
            "a map shows encoders, with a point for each trial, or joint spaces, with one for each of its "
            "modalities; draw two maps, or name an encoder of the joint space: JOINT/encoders/MODALITY"
        )
    return kinds == {True}


def clouds_of_encoders(
    sources: Sequence[Any], store: Store, cache: Path, device: str, seed: int, names: StreamNames
) -> Clouds:
    """One cloud for each encoder, and one for each architecture and contract with random weights.

    Raises:
        EncoderError: a row holds several encoders.
    """
    rows = rename_streams(load_rows(sources, device), names, store)
    encoders: list[tuple[str, FrozenEncoder]] = []
    for row in rows:
        if not isinstance(row.encoders, FrozenEncoder):
            raise EncoderError(
                f"{row.name} holds one encoder per fold, but a map shows one encoder; give one of them"
            )
        if row.beside:
            raise EncoderError(
                f"{row.name} is several concatenated encoders, but a map shows one; give each alone"
            )
        encoders.append((row.name, row.encoders))
    where = next(encoders[0][1].parameters()).device
    for kind, text in tell_apart(list(dict.fromkeys(row.kind for row in rows))).items():
        name = f"{UNTRAINED} · {text}".removesuffix(" · ")
        encoders.append((name, untrained_encoder(*kind[0], seed).to(where)))

    def cloud(name: str, encoder: FrozenEncoder) -> Cloud:
        method = str(encoder.meta.get("method", ""))
        return Cloud(name, method, lambda: trial_features(encoder, store, cache=cache, name=name))

    return (), [encoders[0][1].contract], [cloud(*each) for each in encoders]


def clouds_of_spaces(
    sources: Sequence[Any], store: Store, cache: Path, device: str, seed: int, names: StreamNames
) -> Clouds:
    """One cloud for each joint space, and one for each kind of them with random weights.

    Raises:
        EncoderError: the spaces have different modalities.
    """
    rows = rename_spaces(load_spaces(sources, device), names, store)
    given = rows[0].space.modalities
    if any(set(row.space.modalities) != set(given) for row in rows):
        listed = "; ".join(f"{row.name}: {', '.join(row.space.modalities)}" for row in rows)
        raise EncoderError(f"the joint spaces have different modalities ({listed}); draw a map for each kind")
    modalities = tuple(sorted(given, key=lambda name: not name.startswith(FELT)))
    kinds: dict[Any, JointSpace] = {}
    for row in rows:
        kinds.setdefault(
            tuple((each.architecture, each.contract) for each in row.space.encoders.values()), row.space
        )
    random = [
        SpaceRow(f"{UNTRAINED} · {text}".removesuffix(" · "), untrained_space(kinds[kind], seed))
        for kind, text in tell_apart(list(kinds)).items()
    ]

    def cloud(row: SpaceRow) -> Cloud:
        def features() -> NDArray[np.float32]:
            found = trial_embeddings(row.space, store, cache=cache, name=row.name)
            return np.stack([found[name] for name in modalities], axis=1)

        return Cloud(row.label or row.name, str(row.space.meta.get("method", "")), features)

    contracts = [rows[0].space.encoders[name].contract for name in given]
    return modalities, contracts, [cloud(row) for row in [*rows, *random]]

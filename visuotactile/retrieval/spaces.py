"""Joint spaces, trained and untrained, and their embeddings: one unit vector per trial and modality.

A trial's features are pooled as in the probes (fingers averaged; of a clip the mean of its frames) and then
go through the modality's head, so that probes, maps and retrieval share the cached features.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.store import Store
from visuotactile.encoders import untrained_encoder
from visuotactile.encoders.backbone import seeded
from visuotactile.encoders.joint import JOINT, JointSpace, load_joint, projection_head
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import EncoderError
from visuotactile.probes.features import trial_features
from visuotactile.probes.rows import parse_source, short_name

Embeddings = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class SpaceRow:
    """A joint space and its name in reports; rows with one label are one method."""

    name: str
    space: JointSpace
    label: str | None = None

    @property
    def method(self) -> str:
        """The label, or the method in the space's meta."""
        return self.label or str(self.space.meta.get("method") or self.name)


def is_joint(source: Any) -> bool:
    """True for a joint space's folder, LABEL=FOLDER of one, or a row with one."""
    if isinstance(source, SpaceRow):
        return True
    return isinstance(source, str | Path) and JOINT.lies_at(parse_source(source)[1])


def load_spaces(sources: Sequence[str | Path | SpaceRow], device: str = "cpu") -> list[SpaceRow]:
    """Rows from joint folders, each plain or as LABEL=FOLDER.

    Raises:
        EncoderError: there is none, one cannot be read, or two have the same name.
    """
    if not sources:
        raise EncoderError("no joint space was given; `visuotactile export` makes one")
    paths = [parse_source(source)[1] for source in sources if not isinstance(source, SpaceRow)]
    if len({path.resolve() for path in paths}) < len(paths):
        raise EncoderError("a joint space was given twice")
    rows = []
    for source in sources:
        if isinstance(source, SpaceRow):
            rows.append(source)
            continue
        label, path = parse_source(source)
        rows.append(SpaceRow(short_name(path, paths), load_joint(path, device), label))
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise EncoderError(f"two rows have the same name: {', '.join(sorted(names))}")
    return rows


def rename_spaces(rows: Sequence[SpaceRow], names: StreamNames, store: Store) -> list[SpaceRow]:
    """Rows whose encoders look at the store's streams; see `StreamNames`.

    Raises:
        ContractError: a mapped stream is looked at by none, or is not in the store.
    """
    if not names.names:
        return list(rows)
    encoders = [encoder for row in rows for encoder in row.space.encoders.values()]
    names.check((name for each in encoders for name in each.contract.streams), store)
    made = []
    for row in rows:
        space = copy.copy(row.space)
        space.encoders = {name: names.encoder(each, store) for name, each in space.encoders.items()}
        made.append(replace(row, space=space))
    return made


def untrained_space(space: JointSpace, seed: int) -> JointSpace:
    """The same encoders and heads with random weights, drawn from `seed` alone."""
    encoders = {
        # Two modalities of one architecture must not start equal: that would align them.
        name: untrained_encoder(encoder.architecture, encoder.contract, seed + 1000 * place)
        for place, (name, encoder) in enumerate(space.encoders.items())
    }
    with seeded(seed):
        heads = {name: projection_head(each.width, space.dimension) for name, each in encoders.items()}
    made = JointSpace(encoders, heads, space.temperature, {"method": "untrained", "seed": seed})
    device = next(space.heads.parameters()).device
    for encoder in encoders.values():
        encoder.to(device)
    made.heads.to(device)
    return made


def trial_embeddings(space: JointSpace, store: Store, *, cache: Path | None, name: str) -> Embeddings:
    """Unit vectors float32 [trials, D] of each modality, for every trial of the store.

    Raises:
        StoreError: the store lacks a stream or phase of a contract.
        EncoderError: an encoder gives NaN or infinity.
    """
    found = {}
    for modality, encoder in space.encoders.items():
        features = trial_features(encoder, store, cache=cache, name=f"{name} {modality}")
        found[modality] = space.project(modality, features[:, : encoder.width])
    return found

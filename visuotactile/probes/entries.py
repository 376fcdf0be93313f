"""The lines of an evaluation: the rows, and the baselines that always stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders import FrozenEncoder, untrained_encoder
from visuotactile.probes.features import RawPixels, trial_features
from visuotactile.probes.rows import (
    MAJORITY,
    PRETRAINED,
    RAW,
    SESSION,
    UNTRAINED,
    Kind,
    Row,
    describe,
    tell_apart,
)

Features = NDArray[np.float32]

# Random weights differ by 0.02 AUROC from draw to draw (slip recordings): one draw is no baseline.
UNTRAINED_DRAWS = 5


@dataclass(frozen=True)
class Entry:
    """One line of the evaluation: a row or a baseline.

    Attributes:
        name: of this line, unique.
        method: lines of the same method are averaged.
        kind: PRETRAINED, UNTRAINED, RAW, SESSION or MAJORITY.
        features: (split, number of the fold) → float32 [trials, D'].
        only: the one probe that makes sense for it, whose answer stands in every column; None for all.
        untrained: the method that it is compared with, or None.
        saw_test_objects: share of the test objects whose images it was pretrained on; None if unknown.
        saw_test_trials: whether the test trials themselves may be among those; None if unknown.
        facts: what a report says about where it comes from.
    """

    name: str
    method: str
    kind: str
    features: Callable[[Split, int], Features]
    only: str | None = None
    untrained: str | None = None
    saw_test_objects: float | None = 0.0
    saw_test_trials: bool | None = False
    facts: dict[str, Any] = field(default_factory=dict)


def make_entries(
    rows: Sequence[Row], store: Store, splits: Sequence[Split], *, cache: Path | None, seed: int = 0
) -> list[Entry]:
    """The rows, and for each kind (architectures, contracts) among them the baselines that belong to it."""
    known: dict[str, Features] = {}
    device = next(rows[0].first.parameters()).device

    def features(encoder: FrozenEncoder | RawPixels, name: str) -> Features:
        if encoder.hash not in known:
            known[encoder.hash] = trial_features(encoder, store, cache=cache, name=name)
        return known[encoder.hash]

    def side_by_side(encoders: Sequence[FrozenEncoder | RawPixels], name: str) -> Features:
        found = [features(encoder, name) for encoder in encoders]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    kinds = list(dict.fromkeys(row.kind for row in rows))
    said = tell_apart(kinds)
    untrained = {kind: f"{UNTRAINED} · {said[kind]}".removesuffix(" · ") for kind in kinds}
    entries = []
    for row, method in zip(rows, _methods(rows), strict=True):

        def of_row(split: Split, fold: int, row: Row = row) -> Features:
            return side_by_side([part.encoder(split, fold) for part in row.parts], row.name)

        entries.append(
            Entry(
                name=row.name,
                method=method,
                kind=PRETRAINED,
                features=of_row,
                untrained=untrained[row.kind],
                saw_test_objects=row.saw_test_objects(store, splits),
                saw_test_trials=row.saw_test_trials(store, splits),
                facts=_facts(row),
            )
        )
    for kind, method in untrained.items():
        for draw in range(seed, seed + UNTRAINED_DRAWS):
            encoders = [untrained_encoder(*part, draw).to(device) for part in kind]
            name = f"{method} {draw}"
            row = Row(name, encoders[0], beside=tuple(Row(name, each) for each in encoders[1:]))
            values = side_by_side(encoders, name)
            entries.append(Entry(name, method, UNTRAINED, _constant(values), facts=_facts(row)))
    # Pixels do not depend on the architecture, and are the same for those that look at the same.
    pixels = {
        tuple(RawPixels(contract).hash for _, contract in kind): tuple(("", each) for _, each in kind)
        for kind in kinds
    }
    for kind, text in tell_apart(list(pixels.values())).items():
        name = f"{RAW} · {text}".removesuffix(" · ")
        values = side_by_side([RawPixels(contract) for _, contract in kind], name)
        entries.append(Entry(name, name, RAW, _constant(values)))
    sessions = np.unique(store.sessions, return_inverse=True)[1]
    if sessions.max() > 0:
        # One-hot sessions are all equally far apart, so only the linear probe says anything about them.
        one_hot = np.eye(sessions.max() + 1, dtype=np.float32)[sessions]
        entries.append(Entry(SESSION, SESSION, SESSION, _constant(one_hot), only="linear"))
    nothing = np.zeros((len(store), 1), np.float32)
    entries.append(Entry(MAJORITY, MAJORITY, MAJORITY, _constant(nothing), only=MAJORITY))
    return entries


def _methods(rows: Sequence[Row]) -> list[str]:
    kinds: dict[str, list[Kind]] = {}
    for row in rows:
        kinds.setdefault(row.method, []).append(row.kind)
    baselines = {UNTRAINED, RAW, SESSION, MAJORITY}
    methods = []
    for row in rows:
        told = tell_apart(list(dict.fromkeys(kinds[row.method])))[row.kind]
        name = row.method if row.label else f"{row.method} · {told}".removesuffix(" · ")
        methods.append(f"{name} (given)" if name in baselines else name)
    return methods


def _facts(row: Row) -> dict[str, Any]:
    encoders = [
        encoder
        for part in row.parts
        for encoder in ([part.encoders] if isinstance(part.encoders, FrozenEncoder) else part.encoders)
    ]
    meta = row.first.meta
    return {
        "architecture": " + ".join(dict.fromkeys(architecture for architecture, _ in row.kind)),
        "input": describe(tuple(("", contract) for _, contract in row.kind)),
        "contracts": [contract.to_dict() for _, contract in row.kind],
        "hashes": [encoder.hash for encoder in encoders],
        "pretraining": {key: meta[key] for key in ("seed", "step", "store") if key in meta},
    }


def _constant(values: Features) -> Callable[[Split, int], Features]:
    return lambda split, fold: values

"""Who answers: the given encoders, and the baselines that always stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders import FrozenEncoder, InputContract, load_encoder, untrained_encoder
from visuotactile.errors import EncoderError
from visuotactile.probes.features import RawPixels, trial_features

Features = NDArray[np.float32]

PRETRAINED, UNTRAINED, RAW, SESSION, MAJORITY = (
    "pretrained",
    "untrained",
    "raw pixels",
    "session only",
    "majority",
)
# Random weights differ by 0.02 AUROC from draw to draw (slip recordings): one draw is no baseline.
UNTRAINED_DRAWS = 5


@dataclass(frozen=True)
class Row:
    """A pretrained encoder, or several that were each pretrained without one fold's test objects.

    Args:
        name: what reports call it.
        encoders: one, used for every fold; or a sequence whose members say in their meta which split
            (`split_hash`) and `fold` they were made for, and are used for that fold only.
        label: rows with the same label are one method with several pretraining seeds; by default the
            method in the encoder's meta.
    """

    name: str
    encoders: FrozenEncoder | Sequence[FrozenEncoder]
    label: str | None = None

    @property
    def first(self) -> FrozenEncoder:
        """The encoder, or the first of them: all share architecture and contract."""
        return self.encoders if isinstance(self.encoders, FrozenEncoder) else self.encoders[0]

    def __post_init__(self) -> None:
        """Refuse encoders that do not belong together, or do not say which fold is theirs."""
        if isinstance(self.encoders, FrozenEncoder):
            return
        if not self.encoders:
            raise EncoderError(f"row {self.name!r} has no encoder")
        for encoder in self.encoders:
            if not {"split_hash", "fold"} <= encoder.meta.keys():
                raise EncoderError(
                    f"row {self.name!r} has several encoders, one of which does not say in its meta for "
                    "which split_hash and fold it was pretrained; give it as a row of its own"
                )
            if (encoder.architecture, encoder.contract) != (self.first.architecture, self.first.contract):
                raise EncoderError(f"the encoders of row {self.name!r} differ in architecture or contract")

    def encoder(self, split: Split, fold: int) -> FrozenEncoder:
        """The encoder that may be tested on this fold."""
        if isinstance(self.encoders, FrozenEncoder):
            return self.encoders
        for encoder in self.encoders:
            if (encoder.meta["split_hash"], encoder.meta["fold"]) == (split.hash, fold):
                return encoder
        raise EncoderError(
            f"row {self.name!r} has no encoder for fold {fold} of split {split.hash[:12]} ({split.name}, "
            f"seed {split.seed}); probe with the split file that it was pretrained with"
        )

    def saw_test_objects(self, store: Store, splits: Iterable[Split]) -> float | None:
        """The share of test objects whose images were seen in pretraining; None where not recorded."""
        seen: list[bool] = []
        for split in splits:
            for fold in range(len(split.folds)):
                pretrained_on = self.encoder(split, fold).meta.get("pretraining_objects")
                if pretrained_on is None:
                    return None
                _, test = split.indices(store, fold)
                seen += [name in set(pretrained_on) for name in np.unique(store.objects[test]).tolist()]
        return float(np.mean(seen))


def load_rows(sources: Sequence[str | Path | Row], device: str = "cpu") -> list[Row]:
    """Rows from encoder folders.

    Args:
        sources: each a folder made by `visuotactile export`; or a folder of such folders, one per fold; or
            either as LABEL=FOLDER, where equal labels become one method; or a `Row`.
        device: where the encoders run.

    Raises:
        EncoderError: there is none, or one of them cannot be read.
    """
    if not sources:
        raise EncoderError("no encoder was given; a report needs at least one, the baselines are added to it")
    folders: dict[Path, None] = {}
    rows = []
    for source in sources:
        if isinstance(source, Row):
            rows.append(source)
            continue
        label, path = _parse(source)
        if path.resolve() in folders:
            raise EncoderError(f"{path} was given twice")
        folders[path.resolve()] = None
        parts = sorted(file.parent for file in path.glob("*/encoder.json"))
        one = (path / "encoder.json").exists() or not parts
        encoders = load_encoder(path, device) if one else [load_encoder(part, device) for part in parts]
        rows.append(Row(_name(path, sources), encoders, label))
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise EncoderError(f"two rows have the same name: {', '.join(sorted(names))}")
    return rows


def _parse(source: str | Path) -> tuple[str | None, Path]:
    if isinstance(source, Path) or Path(source).exists() or "=" not in source:
        return None, Path(source)
    label, _, folder = source.partition("=")
    return label, Path(folder)


def _name(path: Path, sources: Sequence[str | Path | Row]) -> str:
    """As many of the folder's last parts as tell it from the others."""
    others = [_parse(source)[1].resolve() for source in sources if not isinstance(source, Row)]
    path = path.resolve()
    for depth in range(1, len(path.parts)):
        tail = path.parts[-depth:]
        if sum(other.parts[-depth:] == tail for other in others) == 1:
            return "/".join(tail)
    return str(path)


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
        facts: what a report says about where it comes from.
    """

    name: str
    method: str
    kind: str
    features: Callable[[Split, int], Features]
    only: str | None = None
    untrained: str | None = None
    saw_test_objects: float | None = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


def make_entries(
    rows: Sequence[Row], store: Store, splits: Sequence[Split], *, cache: Path | None, seed: int = 0
) -> list[Entry]:
    """The rows, and for each architecture and contract among them the baselines that belong to it."""
    known: dict[str, Features] = {}
    device = next(rows[0].first.parameters()).device

    def features(encoder: FrozenEncoder | RawPixels, name: str) -> Features:
        if encoder.hash not in known:
            known[encoder.hash] = trial_features(encoder, store, cache=cache, name=name)
        return known[encoder.hash]

    kinds = list(dict.fromkeys((row.first.architecture, row.first.contract) for row in rows))
    untrained = {kind: UNTRAINED if len(kinds) == 1 else f"untrained · {describe(*kind)}" for kind in kinds}
    entries = []
    for row, method in zip(rows, _methods(rows), strict=True):
        first = row.first

        def of_row(split: Split, fold: int, row: Row = row) -> Features:
            return features(row.encoder(split, fold), row.name)

        entries.append(
            Entry(
                name=row.name,
                method=method,
                kind=PRETRAINED,
                features=of_row,
                untrained=untrained[first.architecture, first.contract],
                saw_test_objects=row.saw_test_objects(store, splits),
                facts=_facts(row),
            )
        )
    for (architecture, contract), method in untrained.items():
        for draw in range(seed, seed + UNTRAINED_DRAWS):
            encoder = untrained_encoder(architecture, contract, draw).to(device)
            name = f"{method} {draw}"
            values = features(encoder, name)
            entries.append(
                Entry(name, method, UNTRAINED, _constant(values), facts=_facts(Row(name, encoder)))
            )
    pixels = {raw.hash: raw for raw in (RawPixels(contract) for _, contract in kinds)}
    for raw in pixels.values():
        name = RAW if len(pixels) == 1 else f"{RAW} · {describe('', raw.contract)}"
        entries.append(Entry(name, name, RAW, _constant(features(raw, name))))
    sessions = np.unique(store.sessions, return_inverse=True)[1]
    if sessions.max() > 0:
        # One-hot sessions are all equally far apart, so only the linear probe says anything about them.
        one_hot = np.eye(sessions.max() + 1, dtype=np.float32)[sessions]
        entries.append(Entry(SESSION, SESSION, SESSION, _constant(one_hot), only="linear"))
    nothing = np.zeros((len(store), 1), np.float32)
    entries.append(Entry(MAJORITY, MAJORITY, MAJORITY, _constant(nothing), only=MAJORITY))
    return entries


def describe(architecture: str, contract: InputContract) -> str:
    """An architecture and its contract in a few words; different contracts read differently."""
    seen = contract.phase if contract.reference is None else f"{contract.phase} − {contract.reference}"
    scale = f"{contract.normalisation}-normalised"
    if contract.normalisation == "dataset":
        scale += f" {contract.mean} {contract.std}"
    parts = [architecture, f"{contract.size} px", seen, "+".join(contract.streams), scale]
    return ", ".join(part for part in parts if part)


def _methods(rows: Sequence[Row]) -> list[str]:
    labels = [row.label or str(row.first.meta.get("method") or row.name) for row in rows]
    kinds = [describe(row.first.architecture, row.first.contract) for row in rows]
    baselines = {UNTRAINED, RAW, SESSION, MAJORITY}
    methods = []
    for row, label, kind in zip(rows, labels, kinds, strict=True):
        mixed = len({other for each, other in zip(labels, kinds, strict=True) if each == label}) > 1
        name = f"{label} · {kind}" if mixed and not row.label else label
        methods.append(f"{name} (given)" if name in baselines else name)
    return methods


def _facts(row: Row) -> dict[str, Any]:
    encoders = [row.encoders] if isinstance(row.encoders, FrozenEncoder) else list(row.encoders)
    first = row.first
    return {
        "architecture": first.architecture,
        "input": describe("", first.contract),
        "contract": first.contract.to_dict(),
        "hashes": [encoder.hash for encoder in encoders],
        "pretraining": {key: first.meta[key] for key in ("seed", "step", "store") if key in first.meta},
    }


def _constant(values: Features) -> Callable[[Split, int], Features]:
    return lambda split, fold: values

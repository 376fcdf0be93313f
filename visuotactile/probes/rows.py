"""Who answers: encoders from folders, alone or with their features laid side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders import FrozenEncoder, InputContract, load_encoder
from visuotactile.encoders.folders import ENCODERS
from visuotactile.encoders.joint import JOINT, load_joint
from visuotactile.errors import EncoderError

PRETRAINED, UNTRAINED, RAW, SESSION, MAJORITY = (
    "pretrained",
    "untrained",
    "raw pixels",
    "session only",
    "majority",
)
Kind = tuple[tuple[str, InputContract], ...]
"""Architecture and contract of each encoder of a row: what its baselines must share."""


@dataclass(frozen=True)
class Row:
    """A pretrained encoder, or several that were each pretrained without one fold's test objects.

    Args:
        name: what reports call it.
        encoders: one, used for every fold; or a sequence whose members say in their meta which split
            (`split_hash`) and `fold` they were made for, and are used for that fold only.
        label: rows with the same label are one method with several pretraining seeds; by default the
            method in the encoder's meta.
        beside: rows whose features are laid beside this one's, trial by trial: sight beside touch.
    """

    name: str
    encoders: FrozenEncoder | Sequence[FrozenEncoder]
    label: str | None = None
    beside: tuple[Row, ...] = ()

    @property
    def first(self) -> FrozenEncoder:
        """The encoder, or the first of them: all share architecture and contract."""
        return self.encoders if isinstance(self.encoders, FrozenEncoder) else self.encoders[0]

    @property
    def parts(self) -> tuple[Row, ...]:
        """This row alone, and those beside it alone."""
        return (replace(self, beside=()), *chain.from_iterable(row.parts for row in self.beside))

    @property
    def kind(self) -> Kind:
        """Architecture and contract of each part."""
        return tuple((part.first.architecture, part.first.contract) for part in self.parts)

    @property
    def method(self) -> str:
        """The label, or what the parts' metas name."""
        named = [str(part.first.meta.get("method") or part.name) for part in self.parts]
        return self.label or " + ".join(dict.fromkeys(named))

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
        """The share of test objects whose images any part saw in pretraining; None where not recorded."""
        seen: list[bool] = []
        for split in splits:
            for fold in range(len(split.folds)):
                metas = [part.encoder(split, fold).meta for part in self.parts]
                if any(meta.get("pretraining_objects") is None for meta in metas):
                    return None
                known = set(chain.from_iterable(meta["pretraining_objects"] for meta in metas))
                _, test = split.indices(store, fold)
                seen += [name in known for name in np.unique(store.objects[test]).tolist()]
        return float(np.mean(seen))

    def saw_test_trials(self, store: Store, splits: Iterable[Split]) -> bool | None:
        """Whether some part's pretraining may have seen some fold's test trials; None where not recorded."""
        told = [
            saw_test_trials(part.encoder(split, fold).meta, store, split, fold)
            for split in splits
            for fold in range(len(split.folds))
            for part in self.parts
        ]
        return None if None in told else any(told)


def saw_test_trials(meta: Mapping[str, Any], store: Store, split: Split, fold: int) -> bool | None:
    """Whether pretraining may have seen a trial that this fold tests; None where that was not recorded.

    Pretraining writes down its store, its split and fold, and its conditions. On this store it has left the
    test side out if it learned from this fold of this split, or if its conditions exclude what is tested.
    """
    if "fingerprint" not in meta:
        return None
    if meta["fingerprint"] != store.fingerprint:
        return False
    if (meta.get("split_hash"), meta.get("fold")) == (split.hash, fold):
        return False
    where = [(name, value) for name, values in (meta.get("where") or {}).items() for value in values]
    _, test = split.indices(store, fold)
    return bool(np.isin(test, matching(store, where)).any())


def load_rows(sources: Sequence[str | Path | Row], device: str = "cpu") -> list[Row]:
    """Rows from encoder folders.

    Args:
        sources: each a folder made by `visuotactile export`; or a folder of such folders, one per fold; or
            several with a + between them, whose features are laid side by side; or a joint space, which
            becomes a row for each modality and one for all together; or any of these as LABEL=FOLDER,
            where equal labels become one method; or a `Row`.
        device: where the encoders run.

    Raises:
        EncoderError: there is none, or one of them cannot be read.
    """
    if not sources:
        raise EncoderError("no encoder was given; a report needs at least one, the baselines are added to it")
    given: dict[tuple[Path, ...], None] = {}
    paths = [path for each in sources if not isinstance(each, Row) for path in _folders(each)]
    # The same folder may stand alone and in a sum.
    paths = list(dict.fromkeys(path.resolve() for path in paths))
    rows: list[Row] = []
    for source in sources:
        if isinstance(source, Row):
            rows.append(source)
            continue
        folders = _folders(source)
        key = tuple(sorted(path.resolve() for path in folders))
        if key in given:
            raise EncoderError(f"{' + '.join(map(str, folders))} was given twice")
        given[key] = None
        label, _ = parse_source(source)
        if any(JOINT.lies_at(path) for path in folders):
            rows += _joint(folders, label, paths, device)
        else:
            first, *others = (_one(path, paths, device) for path in folders)
            name = " + ".join(row.name for row in (first, *others))
            rows.append(Row(name, first.encoders, label, tuple(others)))
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise EncoderError(f"two rows have the same name: {', '.join(sorted(names))}")
    return rows


def _one(path: Path, paths: Sequence[Path], device: str) -> Row:
    parts = sorted(file.parent for file in path.glob("*/encoder.json"))
    one = (path / "encoder.json").exists() or not parts
    encoders = load_encoder(path, device) if one else [load_encoder(part, device) for part in parts]
    return Row(short_name(path, paths), encoders)


def _joint(folders: Sequence[Path], label: str | None, paths: Sequence[Path], device: str) -> list[Row]:
    """Each modality of a joint space, and all of them together."""
    if len(folders) > 1:
        raise EncoderError(
            f"{' + '.join(map(str, folders))}: a joint space stands for all its modalities already; to add "
            f"one of its encoders to another, name that: JOINT/{ENCODERS}/MODALITY"
        )
    space, name = load_joint(folders[0], device), short_name(folders[0], paths)
    method = label or str(space.meta.get("method") or name)
    alone = [
        Row(f"{name} · {modality}", encoder, f"{method} · {modality}")
        for modality, encoder in space.encoders.items()
    ]
    every = " + ".join(space.modalities)
    together = Row(f"{name} · {every}", alone[0].encoders, f"{method} · {every}", tuple(alone[1:]))
    return [*alone, together]


def parse_source(source: str | Path) -> tuple[str | None, Path]:
    """LABEL=FOLDER as label and folder; the label is None where there is none, or the name holds the "="."""
    if isinstance(source, Path) or Path(source).exists() or "=" not in source:
        return None, Path(source)
    label, _, folder = source.partition("=")
    return label, Path(folder)


def _folders(source: str | Path) -> list[Path]:
    """The folders of A+B; a folder with a "+" in its name is one."""
    _, path = parse_source(source)
    return [path] if path.exists() or "+" not in str(path) else [Path(each) for each in str(path).split("+")]


def short_name(path: Path, paths: Iterable[Path]) -> str:
    """As many of the folder's last parts as tell it from the others."""
    path, others = path.resolve(), [other.resolve() for other in paths]
    for depth in range(1, len(path.parts)):
        tail = path.parts[-depth:]
        if sum(other.parts[-depth:] == tail for other in others) == 1:
            return "/".join(tail)
    return str(path)


def describe(kind: Kind) -> str:
    """Architectures and contracts in a few words; different ones read differently."""
    return " + ".join(", ".join(text for text in _words(*part) if text) for part in kind)


def tell_apart(kinds: Sequence[Kind]) -> dict[Kind, str]:
    """For each of several kinds the fewest words that no other shares; nothing where there is one only."""
    if len(kinds) == 1:
        return {kinds[0]: ""}
    told = {kind: [_words(*part) for part in kind] for kind in kinds}
    for place in (4, 0, 1, 2, 3):
        short = {
            kind: " + ".join(dict.fromkeys(words[place] for words in parts)) for kind, parts in told.items()
        }
        if len(set(short.values())) == len(kinds):
            return short
    return {kind: describe(kind) for kind in kinds}


def _words(architecture: str, contract: InputContract) -> tuple[str, str, str, str, str]:
    """Architecture, size, what is seen, its scale, and the streams."""
    seen = contract.phase if contract.reference is None else f"{contract.phase} − {contract.reference}"
    scale = f"{contract.normalisation}-normalised"
    if contract.normalisation == "dataset":
        scale += f" {contract.mean} {contract.std}"
    return architecture, f"{contract.size} px", seen, scale, "+".join(contract.streams)

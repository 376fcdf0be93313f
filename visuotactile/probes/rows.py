"""Rows of an evaluation: pretrained encoders, alone or concatenated, and the baselines beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.encoders import (
    FrozenEncoder,
    InputContract,
    imagenet_encoder,
    load_encoder,
    untrained_encoder,
)
from visuotactile.encoders.adapt import ADAPTATIONS, adapted, has_statistics
from visuotactile.encoders.folders import ENCODERS
from visuotactile.encoders.imagenet import imagenet_file
from visuotactile.encoders.joint import JOINT, load_joint
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import EncoderError
from visuotactile.probes.features import (
    RAW_SIZE,
    ImageEncoder,
    MeanColour,
    RawPixels,
    Rim,
    trial_features,
)

PRETRAINED, UNTRAINED, ADAPTED, IMAGENET, RAW, MAJORITY, NUISANCE = (
    "pretrained",
    "untrained",
    "untrained, adapted",
    "ImageNet",
    "raw pixels",
    "majority",
    "nuisance",
)
"""Kinds of entries. All but the first and the last are the baselines that an encoder must beat."""

MEAN, SESSION, COLOUR, RIM, ORDER = "mean", "session only", "mean colour", "rim", "order in time"
UNTRAINED_DRAWS = 5
"""Random weights differ by 0.02 AUROC from draw to draw (slip recordings): one draw is no baseline."""

ADAPTED_DRAWS = 2
"""Each is adapted, and encodes every trial, once for each fold."""

Kind = tuple[tuple[str, InputContract], ...]
"""Architecture and contract of each encoder of a row, which its baselines share."""

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """A pretrained encoder, or several that were each pretrained without one fold's test objects.

    Args:
        name: name in reports.
        encoders: one, used for every fold; or a sequence whose members name in their meta the split
            (`split_hash`) and `fold` they were made for, and are used for that fold only.
        label: method of the row; rows with the same label are pretraining seeds of one method. By default
            the method in the encoder's meta.
        beside: rows whose features are concatenated with this one's, trial by trial: sight beside touch.
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
    def several(self) -> Sequence[FrozenEncoder]:
        """The encoders, without those of rows beside; one alone where it serves every fold."""
        return [self.encoders] if isinstance(self.encoders, FrozenEncoder) else self.encoders

    @property
    def parts(self) -> tuple[Row, ...]:
        """This row and those beside it, each alone."""
        return (replace(self, beside=()), *chain.from_iterable(row.parts for row in self.beside))

    @property
    def kind(self) -> Kind:
        """Architecture and contract of each part."""
        return tuple((part.first.architecture, part.first.contract) for part in self.parts)

    @property
    def method(self) -> str:
        """The label, or the methods in the parts' metas."""
        named = [str(part.first.meta.get("method") or part.name) for part in self.parts]
        return self.label or " + ".join(dict.fromkeys(named))

    def __post_init__(self) -> None:
        """Refuse encoders that do not belong together, or do not name their fold."""
        if isinstance(self.encoders, FrozenEncoder):
            return
        if not self.encoders:
            raise EncoderError(f"row {self.name!r} has no encoder")
        for encoder in self.encoders:
            if fold_of(encoder.meta) is None:
                raise EncoderError(
                    f"row {self.name!r} has several encoders, one of which lacks split_hash and fold in its "
                    "meta; give it as a row of its own"
                )
            if (encoder.architecture, encoder.contract) != (self.first.architecture, self.first.contract):
                raise EncoderError(f"the encoders of row {self.name!r} differ in architecture or contract")

    def encoder(self, split: Split, fold: int) -> FrozenEncoder:
        """The encoder that may be tested on this fold."""
        if isinstance(self.encoders, FrozenEncoder):
            return self.encoders
        for encoder in self.encoders:
            if fold_of(encoder.meta) == (split.hash, fold):
                return encoder
        raise EncoderError(
            f"row {self.name!r} has no encoder for fold {fold} of split {split.hash[:12]} ({split.name}, "
            f"seed {split.seed}); probe with the split file that it was pretrained with"
        )

    def saw_test_objects(self, store: Store, splits: Iterable[Split]) -> float | None:
        """Share of the test objects whose images any part saw in pretraining; None where not recorded."""
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
        """True if some part's pretraining may have seen some fold's test trials; None where not recorded."""
        seen = [
            saw_test_trials(part.encoder(split, fold).meta, store, split, fold)
            for split in splits
            for fold in range(len(split.folds))
            for part in self.parts
        ]
        return None if None in seen else any(seen)


def fold_of(meta: Mapping[str, Any]) -> tuple[str, int] | None:
    """Hash of the split, and fold, that an encoder was pretrained for, or last adapted for; None for none."""
    for each in (*reversed(meta.get(ADAPTATIONS, ())), meta):
        if each.get("split_hash") and each.get("fold") is not None:
            return each["split_hash"], each["fold"]
    return None


def saw_test_trials(meta: Mapping[str, Any], store: Store, split: Split, fold: int) -> bool | None:
    """True if pretraining or adaptation may have seen a trial that this fold tests; None where not recorded.

    Pretraining records its store, its split and fold, and its conditions. On this store it has left the test
    side out if it was trained on this fold of this split, or if its conditions exclude the test trials.
    """
    later = [saw_test_trials(each, store, split, fold) for each in meta.get(ADAPTATIONS, ())]
    if any(later):
        return True
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
            several joined by +, whose features are concatenated; or a joint space, which becomes a row for
            each modality and one for all together; or any of these as LABEL=FOLDER, where equal labels are
            one method; or a `Row`.
        device: PyTorch device of the encoders.

    Raises:
        EncoderError: there is none, or one of them cannot be read.
    """
    if not sources:
        raise EncoderError("no encoder was given; give at least one: the baselines are added to it")
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


def rename_streams(rows: Sequence[Row], names: StreamNames, store: Store) -> list[Row]:
    """Rows whose encoders look at the store's streams; see `StreamNames`.

    Raises:
        ContractError: a mapped stream is looked at by none, or is not in the store.
    """
    if not names.names:
        return list(rows)
    every = [encoder for row in rows for part in row.parts for encoder in part.several]
    names.check((name for each in every for name in each.contract.streams), store)
    return [_renamed(row, names, store) for row in rows]


def _renamed(row: Row, names: StreamNames, store: Store) -> Row:
    found = [names.encoder(each, store) for each in row.several]
    return replace(
        row,
        encoders=found[0] if isinstance(row.encoders, FrozenEncoder) else found,
        beside=tuple(_renamed(each, names, store) for each in row.beside),
    )


def _one(path: Path, paths: Sequence[Path], device: str) -> Row:
    parts = sorted(file.parent for file in path.glob("*/encoder.json"))
    one = (path / "encoder.json").exists() or not parts
    encoders = load_encoder(path, device) if one else [load_encoder(part, device) for part in parts]
    return Row(short_name(path, paths), encoders)


def _joint(folders: Sequence[Path], label: str | None, paths: Sequence[Path], device: str) -> list[Row]:
    """Each modality of a joint space, and all of them together."""
    if len(folders) > 1:
        raise EncoderError(
            f"{' + '.join(map(str, folders))}: a joint space cannot be added to other encoders; add one of "
            f"its encoders instead: JOINT/{ENCODERS}/MODALITY"
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
    """LABEL=FOLDER as label and folder; the label is None where there is none, or the path holds the "="."""
    if isinstance(source, Path) or Path(source).exists() or "=" not in source:
        return None, Path(source)
    label, _, folder = source.partition("=")
    return label, Path(folder)


def _folders(source: str | Path) -> list[Path]:
    """Folders of A+B; a folder with a "+" in its name is one."""
    _, path = parse_source(source)
    return [path] if path.exists() or "+" not in str(path) else [Path(each) for each in str(path).split("+")]


def short_name(path: Path, paths: Iterable[Path]) -> str:
    """The last parts of a folder's path, as many as distinguish it from the others."""
    path, others = path.resolve(), [other.resolve() for other in paths]
    for depth in range(1, len(path.parts)):
        tail = path.parts[-depth:]
        if sum(other.parts[-depth:] == tail for other in others) == 1:
            return "/".join(tail)
    return str(path)


def describe(kind: Kind) -> str:
    """Architectures and contracts as text, different for different kinds."""
    return " + ".join(", ".join(text for text in _words(*part) if text) for part in kind)


def tell_apart(kinds: Sequence[Kind]) -> dict[Kind, str]:
    """Shortest text for each of several kinds that no other shares; empty where there is only one."""
    if len(kinds) == 1:
        return {kinds[0]: ""}
    known = {kind: [_words(*part) for part in kind] for kind in kinds}
    for place in (4, 0, 1, 2, 3):
        short = {
            kind: " + ".join(dict.fromkeys(words[place] for words in parts)) for kind, parts in known.items()
        }
        if len(set(short.values())) == len(kinds):
            return short
    return {kind: describe(kind) for kind in kinds}


def _words(architecture: str, contract: InputContract) -> tuple[str, str, str, str, str]:
    """Architecture, size, phases, normalisation and streams."""
    seen = contract.phase if contract.reference is None else f"{contract.phase} − {contract.reference}"
    scale = f"{contract.normalisation}-normalised"
    if contract.normalisation == "dataset":
        scale += f" {contract.mean} {contract.std}"
    return architecture, f"{contract.size} px", seen, scale, "+".join(contract.streams)


@dataclass(frozen=True)
class Entry:
    """Entry of the evaluation: a row or a baseline.

    Attributes:
        name: unique name.
        method: method of the entry; entries of one method are averaged.
        kind: PRETRAINED, a kind of baseline, or NUISANCE.
        features: (split, number of the fold) → float32 [trials, D'].
        only: the one probe that makes sense for it, whose figure stands in every column; None for all.
        baselines: the methods that it must beat: those of its architecture and input.
        saw_test_objects: share of the test objects whose images it was pretrained on; None if unknown.
        saw_test_trials: True if the test trials themselves may be among those; None if unknown.
        facts: provenance of the encoder, for the report.
    """

    name: str
    method: str
    kind: str
    features: Callable[[Split, int], Features]
    only: str | None = None
    baselines: tuple[str, ...] = ()
    saw_test_objects: float | None = 0.0
    saw_test_trials: bool | None = False
    facts: dict[str, Any] = field(default_factory=dict)


def make_entries(
    rows: Sequence[Row],
    store: Store,
    splits: Sequence[Split],
    *,
    cache: Path | None,
    seed: int = 0,
    adapt: bool = False,
    numbers: bool = False,
) -> list[Entry]:
    """Entries of the rows, the baselines of each kind (architectures, contracts) among them, and nuisances.

    Args:
        rows: pretrained encoders.
        store: the trials.
        splits: one for each seed.
        cache: folder of cached features, or None.
        seed: first seed of the untrained draws.
        adapt: add each row, and ImageNet, with statistics adapted inside each fold on its training side.
        numbers: the target is a number, whose mean takes the place of the majority.
    """
    make = _Maker(store, cache, next(rows[0].first.parameters()).device)
    kinds = list(dict.fromkeys(row.kind for row in rows))
    constant = MEAN if numbers else MAJORITY
    texts = tell_apart(kinds)
    inputs = {kind: tuple(("", contract) for _, contract in kind) for kind in kinds}
    seen = tell_apart(list(dict.fromkeys(inputs.values())))
    # Pixels at 32×32 do not depend on the size, either.
    pixels = {kind: tuple(("", replace(each, size=RAW_SIZE)) for _, each in kind) for kind in kinds}
    shown = tell_apart(list(dict.fromkeys(pixels.values())))
    beside = [
        [
            *make.networks(kind, texts[kind], seed),
            *make.imagenet(kind, seen[inputs[kind]], adapt=adapt),
            make.pixels(kind, shown[pixels[kind]], RAW, RawPixels, RAW),
        ]
        for kind in kinds
    ]
    baselines = {
        kind: (*dict.fromkeys(entry.method for entry in found), constant)
        for kind, found in zip(kinds, beside, strict=True)
    }
    entries: list[Entry] = []
    for row, method in zip(rows, _methods(rows), strict=True):
        about: dict[str, Any] = {
            "kind": PRETRAINED,
            "baselines": baselines[row.kind],
            "saw_test_objects": row.saw_test_objects(store, splits),
            "saw_test_trials": row.saw_test_trials(store, splits),
            "facts": _facts(row),
        }
        entries.append(Entry(name=row.name, method=method, features=make.of_row(row), **about))
        if adapt and make.adaptable(row.first):
            entries.append(
                Entry(
                    name=f"{row.name}, adapted",
                    method=f"{method}, adapted",
                    features=make.of_row(row, adapt=True),
                    **about,
                )
            )
    entries += list({entry.name: entry for found in beside for entry in found}.values())
    nothing = np.zeros((len(store), 1), np.float32)
    entries.append(Entry(constant, constant, MAJORITY, _constant(nothing), only=MAJORITY))
    nuisances = [
        make.pixels(kind, shown[pixels[kind]], NUISANCE, sort, name)
        for name, sort in ((COLOUR, MeanColour), (RIM, Rim))
        for kind in kinds
    ]
    entries += list({entry.name: entry for entry in nuisances}.values())
    return entries + _without_touch(store)


class _Maker:
    """Features of rows and baselines, each computed once."""

    def __init__(self, store: Store, cache: Path | None, device: Any) -> None:
        self.store, self.cache, self.device = store, cache, device
        self._known: dict[str, Features] = {}
        self._adapted: dict[tuple[str, str, int], FrozenEncoder] = {}

    def features(self, encoder: ImageEncoder, name: str) -> Features:
        """Features of every trial."""
        if encoder.hash not in self._known:
            self._known[encoder.hash] = trial_features(encoder, self.store, cache=self.cache, name=name)
        return self._known[encoder.hash]

    def concatenated(self, encoders: Sequence[ImageEncoder], name: str) -> Features:
        """Features of several encoders side by side."""
        found = [self.features(encoder, name) for encoder in encoders]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def adaptable(self, encoder: FrozenEncoder) -> bool:
        """True if the encoder has statistics of images."""
        return encoder.contract.kind == "image" and has_statistics(encoder)

    def adapted(self, encoder: FrozenEncoder, split: Split, fold: int) -> FrozenEncoder:
        """The encoder, adapted to the training side of a fold if it has statistics."""
        if not self.adaptable(encoder):
            return encoder
        key = encoder.hash, split.hash, fold
        if key not in self._adapted:
            about = {"split_hash": split.hash, "fold": fold}
            train, _ = split.indices(self.store, fold)
            self._adapted[key] = adapted(encoder, self.store, train, about=about)
        return self._adapted[key]

    def of_row(self, row: Row, *, adapt: bool = False) -> Callable[[Split, int], Features]:
        """Features of a row under a split and fold."""

        def features(split: Split, fold: int) -> Features:
            encoders = [part.encoder(split, fold) for part in row.parts]
            if adapt:
                encoders = [self.adapted(encoder, split, fold) for encoder in encoders]
            return self.concatenated(encoders, row.name)

        return features

    def networks(self, kind: Kind, text: str, seed: int) -> list[Entry]:
        """Draws of random weights, and some of them adapted inside each fold on its training side."""
        drawn = [
            [untrained_encoder(*part, draw).to(self.device) for part in kind]
            for draw in range(seed, seed + UNTRAINED_DRAWS)
        ]
        plain, fitted = _named(UNTRAINED, text), _named(ADAPTED, text)
        found = [
            self._baseline(f"{plain} {draw}", plain, UNTRAINED, encoders)
            for draw, encoders in enumerate(drawn, start=seed)
        ]
        if any(map(self.adaptable, drawn[0])):
            found += [
                self._baseline(f"{fitted} {draw}", fitted, ADAPTED, encoders, adapt=True)
                for draw, encoders in enumerate(drawn[:ADAPTED_DRAWS], start=seed)
            ]
        return found

    def imagenet(self, kind: Kind, text: str, *, adapt: bool) -> list[Entry]:
        """EfficientNet-Lite0 with ImageNet's weights, of images, where the extra is installed."""
        contracts = [contract for _, contract in kind]
        if imagenet_file() is None or any(contract.kind != "image" for contract in contracts):
            return []
        encoders = [imagenet_encoder(contract).to(self.device) for contract in contracts]
        name = _named(IMAGENET, text)
        found = [self._baseline(name, name, IMAGENET, encoders)]
        if adapt:
            name = f"{name}, adapted"
            found.append(self._baseline(name, name, IMAGENET, encoders, adapt=True))
        return found

    def _baseline(
        self,
        name: str,
        method: str,
        kind: str,
        encoders: Sequence[FrozenEncoder],
        *,
        adapt: bool = False,
    ) -> Entry:
        row = Row(name, encoders[0], beside=tuple(Row(name, each) for each in encoders[1:]))
        return Entry(name, method, kind, self.of_row(row, adapt=adapt), facts=_facts(row))

    def pixels(
        self, kind: Kind, text: str, sort: str, make: Callable[[InputContract], ImageEncoder], name: str
    ) -> Entry:
        """Features of the pixels of each contract, without a network."""
        name = _named(name, text)
        values = self.concatenated([make(contract) for _, contract in kind], name)
        return Entry(name, name, sort, _constant(values))


def _without_touch(store: Store) -> list[Entry]:
    """The session, where there are several, and the order in time, in which trials are stored."""
    found = []
    sessions = np.unique(store.sessions, return_inverse=True)[1]
    if sessions.max() > 0:
        # One-hot sessions are all equally far apart, so only the linear probe is meaningful.
        one_hot = np.eye(sessions.max() + 1, dtype=np.float32)[sessions]
        found.append(Entry(SESSION, SESSION, NUISANCE, _constant(one_hot), only="linear"))
    within = np.zeros(len(sessions))
    for number in np.unique(sessions):
        within[sessions == number] = np.arange((sessions == number).sum())
    time = np.stack([np.arange(len(sessions)), within], axis=1).astype(np.float32)
    return [*found, Entry(ORDER, ORDER, NUISANCE, _constant(time))]


def _named(name: str, text: str) -> str:
    return f"{name} · {text}" if text else name


def _methods(rows: Sequence[Row]) -> list[str]:
    kinds: dict[str, list[Kind]] = {}
    for row in rows:
        kinds.setdefault(row.method, []).append(row.kind)
    baselines = {UNTRAINED, ADAPTED, IMAGENET, RAW, MAJORITY, MEAN, SESSION, COLOUR, RIM, ORDER}
    methods = []
    for row in rows:
        text = tell_apart(list(dict.fromkeys(kinds[row.method])))[row.kind]
        name = row.method if row.label else f"{row.method} · {text}".removesuffix(" · ")
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

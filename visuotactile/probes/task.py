"""Prediction task of an evaluation: the target, the folds of training and test trials, the units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.samples import UNLABELLED, class_labels, group_numbers
from visuotactile.datasets.splits import Split, make_split
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, SplitError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

OBJECT = "object"


@dataclass(frozen=True)
class Task:
    """Prediction task: target, folds, and independent units.

    Attributes:
        store: the trials.
        target: full name of the column, such as "outcome/success"; or "object".
        classes: its values, in ascending order; a label is an index into them.
        labels: [trials]; `UNLABELLED` where the target was not recorded: such trials are in no fold. All 0
            where the target is a number.
        numbers: [trials] the target where it is a number, NaN where it was not recorded; else None.
        objects: [trials] number of the trial's object, in the order of `object_names`.
        object_names: [objects].
        unit: name of the independent units: "object", "trial", or a column.
        units: [trials] number of the trial's unit.
        within: column of the strata, or None.
        strata: [trials] number of the trial's stratum, or None.
        splits: one for each seed.
        seeds: seeds of the shuffle, where the split has one, and of the probe.
        instead_of: unit that was asked for, or is the default, but is the same as the class; or None.
    """

    store: Store
    target: str
    classes: tuple[int, ...] | tuple[str, ...]
    labels: Ints
    objects: Ints
    object_names: tuple[str, ...]
    unit: str
    units: Ints
    within: str | None
    strata: Ints | None
    splits: tuple[Split, ...]
    seeds: tuple[int, ...]
    instead_of: str | None = None
    numbers: Floats | None = None

    def folds(self, split: int) -> list[tuple[Ints, Ints]]:
        """Labelled training and test trials [n] of each fold of the split with this number."""
        chosen, known = self.splits[split], self.labels != UNLABELLED
        sides = [chosen.indices(self.store, fold) for fold in range(len(chosen.folds))]
        return [(train[known[train]], test[known[test]]) for train, test in sides]

    @property
    def known(self) -> Ints | Floats:
        """[trials] what is predicted: labels, or numbers."""
        return self.labels if self.numbers is None else self.numbers

    def groups(self, split: int) -> Ints:
        """[trials] number of each trial's group, which the split with this number keeps on one side."""
        unit = self.splits[split].unit
        return group_numbers(self.store, None if unit == "trial" else unit)

    @property
    def predicts_object(self) -> bool:
        """True if the target is the object itself."""
        return self.target == OBJECT

    def tested_units(self) -> NDArray[np.bool_]:
        """Units of which any trial is tested under any seed: [units]."""
        tested = np.zeros(int(self.units.max()) + 1, bool)
        for split in range(len(self.splits)):
            for _, test in self.folds(split):
                tested[self.units[test]] = True
        return tested

    @property
    def within_repeats(self) -> bool:
        """True if every fold tests one stratum only, so that the AUROC compares within strata anyway."""
        return self.strata is not None and all(
            len(np.unique(self.strata[test])) == 1
            for split in range(len(self.splits))
            for _, test in self.folds(split)
        )

    @property
    def compares(self) -> bool:
        """True if some fold tests two classes, whose trials an AUROC can compare, or numbers."""
        return self.numbers is not None or any(
            len(np.unique(self.labels[test])) > 1
            for split in range(len(self.splits))
            for _, test in self.folds(split)
        )

    def shared_objects(self) -> float:
        """Share of test trials whose object is among the training trials too."""
        shared = [
            np.isin(self.objects[test], self.objects[train])
            for split in range(len(self.splits))
            for train, test in self.folds(split)
        ]
        return float(np.concatenate(shared).mean())


def make_task(
    store: Store,
    target: str,
    split: str | Path,
    *,
    seeds: int,
    within: str | None = None,
    group: str | None = None,
    seed: int = 0,
    numbers: bool = False,
) -> Task:
    """Check the target and the split, and make one split for each seed.

    Args:
        store: the trials.
        target: an outcome, "success" or "outcome/success": of whole numbers or words, which are classes, or
            of other numbers; or "object".
        split: a split file, the same for every seed; or what `make_split` takes, shuffled anew for each.
        seeds: number of seeds.
        within: a column whose values are strata, such as "session"; see `metrics.auroc_within`.
        group: columns, joined by +, whose values are the independent units: by default the objects, or the
            trials where the object is the target and cannot be resampled.
        seed: first seed; the others follow it.
        numbers: whole numbers of the target are numbers, too, and not classes.

    Raises:
        ContractError: the target is no outcome, or the same in all trials; or it is also the unit.
        StoreError: there is no such column.
        SplitError: a probe cannot be fitted on some fold.
    """
    if seeds < 1:
        raise ContractError(f"seeds is {seeds}; expected at least 1")
    object_names, objects = np.unique(store.objects, return_inverse=True)
    classes: tuple[int, ...] | tuple[str, ...]
    measured = None
    if target == OBJECT:
        name, classes, labels = OBJECT, tuple(object_names.tolist()), objects.astype(np.int64)
        if len(classes) < 2:
            raise ContractError(f"{store.path} holds one object only; expected at least two to distinguish")
        if group == OBJECT:
            raise ContractError("the object is the target, so it cannot be the group; give another column")
    else:
        name = outcome_column(store, target)
        classes, labels, measured = _values(store, name, numbers=numbers)
    asked = group or ("trial" if target == OBJECT else OBJECT)
    unit, units = _independent(store, labels, asked)
    each_seed = tuple(range(seed, seed + seeds))
    if Path(split).is_file():
        splits = (Split.load(Path(split), store),) * seeds
    else:
        made = [make_split(store, str(split), number) for number in each_seed]
        # A split that no shuffle changes (by a column) is one split, whatever seed it was made with.
        splits = tuple(made[0] if each.folds == made[0].folds else each for each in made)
    task = Task(
        store=store,
        target=name,
        classes=classes,
        labels=labels,
        objects=objects.astype(np.int64),
        object_names=tuple(object_names.tolist()),
        unit=unit,
        units=units,
        instead_of=asked if asked != unit else None,
        within=within,
        strata=None if within is None else strata(store, within),
        splits=splits,
        seeds=each_seed,
        numbers=measured,
    )
    for number in range(seeds):
        for fold, (train, test) in enumerate(task.folds(number)):
            if not len(test):
                raise SplitError(
                    f"fold {fold} of {splits[number].name!r} tests no trial whose {name} was recorded; use "
                    "fewer folds or another split"
                )
            unknown = np.setdiff1d(labels[test], labels[train])
            if task.predicts_object and len(unknown):
                raise SplitError(
                    f"fold {fold} of {splits[number].name!r} tests {len(unknown)} objects that its training "
                    f"side lacks, the first being {classes[unknown[0]]!r}: a probe can only distinguish "
                    "objects that it was fitted on; split by trial, as with random:N/M or column:NAME:trial"
                )
            if len(np.unique(task.known[train])) < 2:
                one = "class" if measured is None else "value"
                raise SplitError(
                    f"the training side of fold {fold} of {splits[number].name!r} holds one {one} of {name} "
                    "only; a probe needs two: use fewer folds or another split"
                )
    return task


def _independent(store: Store, labels: Ints, unit: str) -> tuple[str, Ints]:
    """The unit to resample, and each trial's number of it [trials].

    Where each class is one unit and each unit one class, a resample of units would leave classes out rather
    than vary them: a smaller unit is taken, the unit's sessions where there are several, or the trials.
    """
    columns = unit.split("+")
    smaller = ["+".join([*columns, "session"])] if unit != "trial" and "session" not in columns else []
    for name in (unit, *smaller, "trial"):
        units = group_numbers(store, None if name == "trial" else name)
        known = labels != UNLABELLED
        pairs = np.unique(np.stack([units[known], labels[known]]), axis=1)
        coincide = pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))
        if not coincide:
            break
    return name, units


def outcome_column(store: Store, target: str) -> str:
    """The full name of an outcome; `ContractError` for anything else, a simulator's hidden truth included."""
    name = target if target in store.columns else f"outcome/{target}"
    outcomes = [column for column in store.columns if column.startswith("outcome/")]
    if name not in outcomes:
        raise ContractError(
            f"{target!r} is not an outcome of {store.path}; a probe predicts one of "
            f"{', '.join([*outcomes, OBJECT])} (other columns may colour a map)"
        )
    return name


def strata(store: Store, column: str) -> Ints:
    """Number of each trial's stratum [trials], from any recorded column of the table."""
    return np.unique(store.recorded(column), return_inverse=True)[1].astype(np.int64)


def _values(
    store: Store, name: str, *, numbers: bool
) -> tuple[tuple[int, ...] | tuple[str, ...], Ints, Floats | None]:
    """Classes, labels and, of an outcome that is no class, the numbers themselves."""
    labels, values = class_labels(store, name)
    if len(values) < 2:
        known = int((labels >= 0).sum())
        found = f"{_plain(values[0])} in all {known} trials" if len(values) else "recorded nowhere"
        raise ContractError(f"{name} is {found}; there is nothing to predict")
    if values.dtype.kind == "U":
        if numbers:
            raise ContractError(f"{name} holds words, such as {values[0]!r}, and no numbers; drop --numbers")
        return tuple(values.tolist()), labels, None
    if numbers or (values != np.round(values)).any():
        measured = np.where(labels >= 0, values[labels].astype(np.float64), np.nan)
        return (), np.where(labels >= 0, 0, UNLABELLED).astype(np.int64), measured
    return tuple(values.astype(np.int64).tolist()), labels, None


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"

"""Search pool: the trials of a test side, the correct answers among them, and the independent units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.samples import group_numbers
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError, SplitError
from visuotactile.probes.task import OBJECT

Ints = NDArray[np.int64]

FEWEST_TRIALS = 12


@dataclass(frozen=True)
class Pool:
    """Test side of a fold as a search pool, with its independent units.

    Attributes:
        store: the trials.
        split, fold: split and fold of the test side.
        trials: [n] index in the store.
        group: the columns whose values make trials each other's correct answers, or None for the trial alone.
        groups: [n] number of the trial's group.
        objects: [n] number of its object.
        label: the column that clusters are compared with.
        labels: [n] number of its value.
        shared: True if the training side holds trials of these objects.
        unit: name of the independent units, in the plural: "objects" where they are new to the space; where
            they are known, only the pose is new, so the groups ("trials" if single).
        units: [n] number of the unit.
    """

    store: Store
    split: Split
    fold: int
    trials: Ints
    group: str | None
    groups: Ints
    objects: Ints
    label: str
    labels: Ints
    shared: bool
    unit: str
    units: Ints

    @property
    def group_name(self) -> str:
        """Name of the groups, in the plural."""
        return "trials" if self.groups.max() + 1 == len(self.groups) else "groups"

    @property
    def within_object(self) -> bool:
        """True if some object has several groups here, so that its poses can be distinguished."""
        pairs = np.unique(np.stack([self.objects, self.groups], 1), axis=0)
        return len(np.unique(pairs[:, 0])) > 1 and bool((np.bincount(pairs[:, 0]) > 1).any())


def make_pool(
    store: Store,
    split: Split,
    fold: int,
    *,
    group: str | None = None,
    label: str = OBJECT,
    where: Sequence[tuple[str, str]] = (),
) -> Pool:
    """Make the search pool of a fold's test side.

    Args:
        store: the trials.
        split: split of that store.
        fold: number of the fold.
        group: columns, joined by +; trials that agree in all of them are each other's correct answers.
        label: column that clusters are compared with.
        where: (column, value) pairs; only trials with one of the values of each column.

    Raises:
        SplitError: there is no such fold, or it has too few trials.
        StoreError: there is no such column or value.
        ContractError: all trials are of one group.
    """
    train, test = split.indices(store, fold)
    trials = test.astype(np.int64)
    if where:
        trials = np.intersect1d(trials, matching(store, where))
    if len(trials) < FEWEST_TRIALS:
        raise SplitError(
            f"fold {fold} of {split.name!r} tests {len(trials)} trials, too few to search; "
            f"expected {FEWEST_TRIALS} or more"
        )
    groups, objects, labels = (
        np.unique(values[trials], return_inverse=True)[1].astype(np.int64)
        for values in (group_numbers(store, group), store.objects, store.recorded(label))
    )
    if groups.max() == 0:
        raise ContractError(f"all test trials agree in {group}: any answer would be correct; leave it out")
    shared = bool(np.isin(store.objects[trials], store.objects[train]).any())
    single = groups.max() + 1 == len(groups)
    by_object = not shared and objects.max() > 0
    return Pool(
        store=store,
        split=split,
        fold=fold,
        trials=trials,
        group=group,
        groups=groups,
        objects=objects,
        label=label,
        labels=labels,
        shared=shared,
        unit="objects" if by_object else "trials" if single else "groups",
        units=objects if by_object else groups,
    )

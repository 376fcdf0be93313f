"""Predictions of unseen presses: the folds of each split, estimators fitted to their training sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.hardness.claims import KNOWN, UNKNOWN
from experiments.hardness.experiment import HEMISPHERE, Experiment, Floats, Rows
from visuotactile.datasets.splits import make_split
from visuotactile.datasets.store import Store
from visuotactile.estimation.estimator import Estimates, Known
from visuotactile.files import atomic_path
from visuotactile.reports.intervals import draw_units
from visuotactile.reports.regression import Numbers

Folds = Sequence[tuple[Rows, Rows]]

COLUMNS = {"radius": "column/radius", "level": "column/level", "sensor": "sensor", "family": "column/family"}
"""Split → column whose values are left out, some at a time."""
MOST_FOLDS = 6
FORCE = "force"
LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels of the stated intervals that are kept; the second last is the claims'."""
STATED = 0.9


@dataclass(frozen=True)
class Predicted:
    """Predictions of presses that the estimator was not fitted on.

    Attributes:
        rows: [n] rows of the store.
        value: [n].
        low, high: [levels, n] ends of the intervals of `LEVELS`.
    """

    rows: Rows
    value: Floats
    low: Floats
    high: Floats

    def save(self, file: Path) -> None:
        """Write the predictions."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as path, open(path, "wb") as opened:
            np.savez(opened, rows=self.rows, value=self.value, low=self.low, high=self.high)

    @classmethod
    def load(cls, file: Path) -> Predicted:
        """Read them."""
        with np.load(file) as found:
            return cls(found["rows"], found["value"], found["low"], found["high"])

    @classmethod
    def joined(cls, parts: Sequence[Predicted]) -> Predicted:
        """Those of several folds."""
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.low for part in parts], axis=1),
            np.concatenate([part.high for part in parts], axis=1),
        )

    @classmethod
    def of(cls, rows: Rows, at_levels: Sequence[Estimates]) -> Predicted:
        """From estimates at each of `LEVELS`."""
        return cls(
            rows,
            at_levels[0].value,
            np.stack([each.low for each in at_levels]),
            np.stack([each.high for each in at_levels]),
        )

    def numbers(self, truth: Floats, samples: Rows, level: float = STATED) -> Numbers:
        """For the metrics; `truth` and the number of the sample are those of the whole store."""
        at = LEVELS.index(level)
        return Numbers(
            truth=truth[self.rows],
            predicted=self.value,
            drawn=samples[self.rows],
            low=self.low[at],
            high=self.high[at],
        )


def folds(store: Store, split: str, count: int) -> Folds:
    """Training and test rows of each fold.

    "sample" leaves out samples; "radius", "level", "sensor" and "family" values of that column, each on its
    own or, of many, some at a time; "force" thirds of the presses by their peak force.
    """
    if split == "sample":
        made = make_split(store, f"object:{count}", 0)
        return [made.indices(store, fold) for fold in range(count)]
    if split == FORCE:
        peak = store.column("hidden/force_peak")
        group = np.searchsorted(np.quantile(peak, [1 / 3, 2 / 3]), peak)
    else:
        names, value = np.unique(store.column(COLUMNS[split]), return_inverse=True)
        order = np.random.default_rng(0).permutation(len(names))
        group = (order % min(len(names), MOST_FOLDS))[value]
        if split == "family":
            group = np.where(store.column(COLUMNS[split]) == HEMISPHERE, -1, group)
    found = [(np.flatnonzero(group != fold), np.flatnonzero(group == fold)) for fold in np.unique(group)]
    return [(train, test) for train, test in found if not (group[test] < 0).any()]


def predict(
    experiment: Experiment, store: str, estimator: str, split: str, *, radius: bool, kept: Path | None = None
) -> Predicted:
    """Predictions of every test side of a split, by an estimator fitted to each training side."""
    file = kept or (
        experiment.work
        / "predicted"
        / store
        / f"{split}-{estimator.replace(', ', '-')}-{(KNOWN if radius else UNKNOWN).split()[1]}.npz"
    )
    if file.exists():
        return Predicted.load(file)
    parts = [
        fitted(experiment, store, estimator, train, test, radius=radius)
        for train, test in folds(experiment.store(store), split, experiment.preset.folds)
    ]
    found = Predicted.joined(parts)
    found.save(file)
    return found


def fitted(
    experiment: Experiment, store: str, name: str, train: Rows, test: Rows, *, radius: bool, seed: int = 0
) -> Predicted:
    """Predictions of `test` by an estimator fitted to `train`.

    Contact mechanics learns from samples of known radius in any case. Presses that show no contact, which an
    estimator refuses, are left out.
    """
    opened, measured = experiment.store(store), experiment.measured(name, store)
    seen = np.isfinite(measured.reshape(len(measured), -1)).all(axis=1)
    train, test = train[seen[train]], test[seen[test]]
    known = experiment.known(store)
    estimator = experiment.estimator(name, store, radius=radius)
    shown = _shown(known, radius or ", " not in name)
    estimator.fit(
        measured[train],
        experiment.target(store)[train],
        opened.objects[train],
        shown.only(train),
        seed=seed,
    )
    asked = _shown(known, radius).only(test)
    return Predicted.of(test, [estimator.predict(measured[test], asked, level=level) for level in LEVELS])


def _shown(known: Known, radius: bool) -> Known:
    return known if radius else known.without_radius()


def sample_numbers(store: Store) -> tuple[Rows, Floats]:
    """Number of each press's sample, and how often each resample draws each sample, [draws, samples]."""
    names, number = np.unique(store.objects, return_inverse=True)
    return number.astype(np.int64), draw_units(np.ones(len(names), bool), seed=0)

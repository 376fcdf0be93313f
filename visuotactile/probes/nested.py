"""Capacity of a probe, chosen on the training side alone: nested cross-validation by group.

A probe of fixed capacity handicaps features unequally: on the slip recordings raw pixels reach an AUROC of
0.78 with 2 principal components and 0.72 with 20. So every probe chooses, for every encoder and baseline
alike, first the number of components, then the strength of its regularisation, by cross-validation within the
training side, in which no group (object, as a rule) is on both sides either. The criterion for two classes is
the mean of AUROC and balanced accuracy, since a probe may rank well and call all trials one class; for more
classes the balanced accuracy; for numbers the squared error. Of settings that tie, the simplest is taken.

Features are standardised and reduced by PCA, fitted once for each training side and shared by all probes and
numbers of components, then divided by one number so that their mean square is 1; otherwise a wider encoder
would be regularised less.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from visuotactile.probes.estimators import PROBES
from visuotactile.probes.metrics import ordered_pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 3
COMPONENTS = (2, 4, 8, 16, 32, 64, 128)
TRIALS_PER_COMPONENT = 2
"""Training trials for each component at least: with fewer, a linear probe fits any labels."""

USUAL_TRIALS_PER_COMPONENT = 8
"""Training trials for each component, with too few groups to choose."""


@dataclass(frozen=True)
class Choice:
    """Capacity of a probe."""

    components: int
    strength: float


@dataclass(frozen=True)
class Fitted:
    """A fitted probe, with the test side's features as it takes them.

    Attributes:
        estimator: of scikit-learn.
        test: [m, components].
        choice: the capacity that was chosen.
        centre, scale: of the numbers that it predicts; 0 and 1 for classes.
    """

    estimator: Any
    test: Floats
    choice: Choice
    centre: float = 0.0
    scale: float = 1.0

    def scores(self) -> Floats:
        """Score of each class that it knows [m, classes]; only the order within a class matters."""
        return class_scores(self.estimator, self.test)

    def predicted(self) -> NDArray[Any]:
        """Classes or numbers [m]."""
        found: NDArray[Any] = self.estimator.predict(self.test)
        return found if self.scale == 1.0 and self.centre == 0.0 else found * self.scale + self.centre


@dataclass(frozen=True)
class _Side:
    """Principal components of a training side [n, K] and of a test side [m, K], and what is predicted."""

    train: Floats
    test: Floats
    known: NDArray[Any]
    truth: NDArray[Any]

    def first(self, components: int) -> tuple[Floats, Floats]:
        """The first components of both sides, in one scale."""
        train, test = self.train[:, :components], self.test[:, :components]
        scale = float(np.sqrt(np.mean(np.square(train)))) or 1.0
        return train / scale, test / scale


def fit_probes(
    names: Sequence[str],
    train: NDArray[np.floating[Any]],
    test: NDArray[np.floating[Any]],
    known: NDArray[Any],
    groups: Ints,
    seed: int,
) -> dict[str, Fitted]:
    """Choose the capacity of each probe on the training side, and fit it there.

    Args:
        names: of probes.
        train, test: features [n, D] and [m, D].
        known: [n] classes (integers), or numbers (floating-point), of the training side.
        groups: [n] number of the group of each training trial.
        seed: of the inner folds and of the estimators.
    """
    numbers = known.dtype.kind == "f"
    centre, scale = (float(known.mean()), float(known.std()) or 1.0) if numbers else (0.0, 1.0)
    wanted = (known - centre) / scale if numbers else known
    # Features and settings are checked already; checking them in each of thousands of small fits takes time.
    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        # The number of steps is part of a probe's fixed settings; reaching it needs no warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        inner = [
            _reduced(train[fit], train[judge], wanted[fit], wanted[judge], _most(len(fit), train.shape[1]))
            for fit, judge in inner_folds(wanted, groups, seed)
        ]
        choices: dict[str, Choice] = {}
        for name in names:
            _choose(name, inner, len(train), train.shape[1], seed, choices)
        most = max(choices[name].components for name in names)
        whole = _reduced(train, test, wanted, wanted[:0], most)
        found = {}
        for name in names:
            mine, theirs = whole.first(choices[name].components)
            estimator = _make(name, numbers, len(mine), seed, choices[name].strength).fit(mine, wanted)
            found[name] = Fitted(estimator, theirs, choices[name], centre, scale)
    return found


def inner_folds(known: NDArray[Any], groups: Ints, seed: int) -> list[tuple[Ints, Ints]]:
    """Rows to fit and rows to judge by, of each usable inner fold; none where there are too few groups.

    A fold is usable if both of its sides hold two classes, or two numbers.
    """
    count = len(np.unique(groups))
    numbers = known.dtype.kind == "f"
    if count < FOLDS or (not numbers and np.bincount(known).max(initial=0) < FOLDS):
        return []
    alone = count == len(groups)
    splitter: Any
    if numbers:
        splitter = (KFold if alone else GroupKFold)(FOLDS, shuffle=True, random_state=seed)
    else:
        splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(
            FOLDS, shuffle=True, random_state=seed
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = list(splitter.split(known, known, None if alone else groups))
    return [sides for sides in folds if all(len(np.unique(known[side])) > 1 for side in sides)]


def class_scores(estimator: Any, features: Floats) -> Floats:
    """Score of each class [n, classes]: the decision function where there is one, else probabilities.

    Of more than two classes probabilities come first: logits of several classes rank the classes of one
    trial, but not the trials of one class.
    """
    ways = ("predict_log_proba", "predict_proba", "decision_function")
    several = len(estimator.classes_) > 2
    way = next(way for way in (ways if several else ways[::-1]) if hasattr(estimator, way))
    with np.errstate(divide="ignore"):
        raw: Floats = getattr(estimator, way)(features)
    return np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw


def _most(trials: int, width: int) -> int:
    return max(1, min(COMPONENTS[-1], trials // TRIALS_PER_COMPONENT, trials - 1, width))


def _reduced(
    train: NDArray[np.floating[Any]],
    test: NDArray[np.floating[Any]],
    known: NDArray[Any],
    truth: NDArray[Any],
    most: int,
) -> _Side:
    # Wide features are decomposed from random projections; a fixed seed makes that reproducible.
    reduction = make_pipeline(StandardScaler(), PCA(most, random_state=0))
    with np.errstate(invalid="ignore"):  # features that are all equal have no variance to share
        return _Side(reduction.fit_transform(train), reduction.transform(test), known, truth)


def _make(name: str, numbers: bool, trials: int, seed: int, strength: float) -> Any:
    probe = PROBES[name]
    return (probe.regressor if numbers else probe.classifier)(trials, seed, strength)


def _choose(
    name: str, inner: Sequence[_Side], trials: int, width: int, seed: int, choices: dict[str, Choice]
) -> Choice:
    """The capacity of a probe, kept in `choices`, where that of the probe it follows is found, too."""
    if name in choices:
        return choices[name]
    probe = PROBES[name]
    if not inner:
        few = max(2, trials // USUAL_TRIALS_PER_COMPONENT)
        choices[name] = Choice(min(few, _most(trials, width)), probe.usual)
        return choices[name]
    most = min(side.train.shape[1] for side in inner)
    grid = [each for each in COMPONENTS if each < most] + [most]
    if probe.components_of is not None:
        components = _choose(probe.components_of, inner, trials, width, seed, choices).components
    else:
        components = _best(grid, [_judge(name, inner, seed, each, probe.usual) for each in grid])
    judged = [_judge(name, inner, seed, components, each) for each in probe.strengths]
    choices[name] = Choice(components, _best(probe.strengths, judged))
    return choices[name]


def _best(settings: Sequence[Any], judged: Sequence[float]) -> Any:
    return settings[int(np.argmax(np.round(judged, 9)))]


def _judge(name: str, inner: Sequence[_Side], seed: int, components: int, strength: float) -> float:
    """Criterion over the inner folds; higher is better."""
    numbers = inner[0].known.dtype.kind == "f"
    right, compared = 0.0, 0.0
    for side in inner:
        train, test = side.first(components)
        estimator = _make(name, numbers, len(train), seed, strength)
        estimator = estimator.set_params(**PROBES[name].search).fit(train, side.known)
        if numbers:
            right -= float(((estimator.predict(test) - side.truth) ** 2).sum())
            compared += len(test)
        elif len(estimator.classes_) == 2 and set(np.unique(side.truth)) == set(estimator.classes_):
            positive = side.truth == estimator.classes_[1]
            ones = np.ones((1, len(test)))
            above, pairs = ordered_pairs(class_scores(estimator, test)[:, 1], positive, ones)
            right += (float(above[0] / pairs[0]) + _balanced(estimator, test, side.truth)) / 2
            compared += 1
        else:
            right += _balanced(estimator, test, side.truth)
            compared += 1
    return right / compared


def _balanced(estimator: Any, test: Floats, truth: NDArray[Any]) -> float:
    hits = estimator.predict(test) == truth
    return float(np.mean([hits[truth == each].mean() for each in np.unique(truth)]))

"""Metrics of out-of-fold predictions under thousands of resamples at once.

A resample of the independent units (objects, as a rule) is a weight per trial. So every metric here takes
weights `[draws, n]` and returns one value per draw, `[draws]`; the figure itself is the metric at weight one,
where it equals scikit-learn's. A resample in which a metric is undefined (one class only) gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """Predictions of a probe on trials that it was not fitted on, fold after fold.

    Attributes:
        trials: [m] index in the store.
        labels: [m] true class, 0 … K-1.
        predicted: [m] predicted class.
        scores: [m, K] score of each class; only the order matters.
        objects: [m] number of the trial's object.
        folds: [m] number of the fold that the trial was tested in.
        strata: [m] number of the stratum (session) within which pairs are compared, or None.
        units: [m] number of the independent unit; None where that is the object.
        by_group: [m] predicted class of two, with a threshold set for each object without its labels
            (`top_share`), or None.
    """

    trials: Ints
    labels: Ints
    predicted: Ints
    scores: Floats
    objects: Ints
    folds: Ints
    strata: Ints | None = None
    units: Ints | None = None
    by_group: Ints | None = None

    @property
    def drawn(self) -> Ints:
        """[m] number of the unit, which a resample draws."""
        return self.objects if self.units is None else self.units


Metric = Callable[[Predictions, Floats], Floats]


def accuracy(found: Predictions, weights: Floats) -> Floats:
    """Share of trials predicted correctly."""
    return _mean(weights, found.predicted == found.labels)


def accuracy_by_group(found: Predictions, weights: Floats) -> Floats:
    """Share predicted correctly with a threshold for each object, set without its labels."""
    if found.by_group is None:
        raise ValueError("these predictions carry no thresholds by group")
    return _mean(weights, found.by_group == found.labels)


def top_share(scores: Floats, groups: Ints, known: Ints) -> Ints:
    """Class of each test trial, if the training side's share of the second class holds within each group.

    In each group the highest scores are of the second class, as many as that share of the group. So a score's
    offset, which often does not carry over to a new object, plays no part. It needs the group's trials
    together, but no label of theirs.

    Args:
        scores: [m, 2].
        groups: [m] such as the object.
        known: [n] labels of the training side.
    """
    share = float((known == 1).mean())
    found = np.full(len(scores), int(share >= 0.5), np.int64)
    for group in np.unique(groups) if scores.shape[1] == 2 else ():
        members = np.flatnonzero(groups == group)
        mine, positives = scores[members, 1], round(share * len(members))
        ranked = np.sort(mine)[::-1]
        # Scores that tie across the threshold tell nothing: they keep the more frequent class.
        if positives < len(members):
            found[members[mine < ranked[max(positives - 1, 0)]]] = 0
        if positives > 0:
            found[members[mine > ranked[min(positives, len(members) - 1)]]] = 1
        if positives == 0:
            found[members] = 0
        elif positives == len(members):
            found[members] = 1
    return found


def object_accuracy(found: Predictions, weights: Floats) -> Floats:
    """Accuracy averaged over objects, so that an object grasped often counts no more than another."""
    return _mean(weights / np.bincount(found.objects)[found.objects], found.predicted == found.labels)


def balanced_accuracy(found: Predictions, weights: Floats) -> Floats:
    """Mean recall over the classes; chance is 1/K."""
    recalls = [
        _mean(weights[:, found.labels == label], found.predicted[found.labels == label] == label)
        for label in np.unique(found.labels)
    ]
    return np.asarray(np.mean(recalls, axis=0))


def auroc(found: Predictions, weights: Floats) -> Floats:
    """Probability that a trial of the class scores above one of another class; ties count one half.

    Only trials of the same fold are compared. Each fold's probe has a scale of its own, and an offset that
    is anticorrelated with the fold's share of the class: pooled over folds, a baseline that knows only the
    session scored 0.36 within a session on the slip recordings, where it must be 0.5. Folds are weighted by
    their number of pairs. With more than two classes, the mean over classes of one against the rest.
    """
    return _auroc(found, weights, found.folds)


def auroc_within(found: Predictions, weights: Floats) -> Floats:
    """AUROC over pairs of trials from the same stratum, so that differences between strata do not count.

    Strata are weighted by their number of pairs; one with a single class has none.
    """
    if found.strata is None:
        raise ValueError("these predictions carry no strata")
    return _auroc(found, weights, found.strata * (found.folds.max() + 1) + found.folds)


def _auroc(found: Predictions, weights: Floats, strata: Ints) -> Floats:
    classes = range(found.scores.shape[1])
    values = []
    # With two classes, the AUROC of the second determines that of the first.
    for label in classes[1:] if len(classes) == 2 else classes:
        above = np.zeros(len(weights))
        pairs = np.zeros(len(weights))
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            scores, positive = found.scores[members, label], found.labels[members] == label
            won, compared = ordered_pairs(scores, positive, weights[:, members])
            again, counted = _copies(scores, positive, found.drawn[members], weights[:, members])
            above += won - again
            pairs += compared - counted
        values.append(_ratio(above, pairs))
    return np.asarray(np.mean(values, axis=0))


def _copies(
    scores: Floats, positive: NDArray[np.bool_], units: Ints, weights: Floats
) -> tuple[Floats, Floats]:
    """Excess of `ordered_pairs` where a unit is drawn more than once; each [draws].

    Two copies of one object are not two objects. Pairs within it count as often as it is drawn, w, and not
    w²; otherwise every resample would hold about twice as many such pairs, the hardest ones, as the data.
    """
    again, counted = np.zeros(len(weights)), np.zeros(len(weights))
    for number in np.intersect1d(units[positive], units[~positive]):
        own = np.flatnonzero(units == number)
        won, compared = ordered_pairs(scores[own], positive[own], np.ones((1, len(own))))
        drawn = weights[:, own[0]]
        again += (drawn**2 - drawn) * won
        counted += (drawn**2 - drawn) * compared
    return again, counted


def ordered_pairs(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Weight of (positive, negative) pairs in the right order, and of all; each [draws]."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    weights = weights[:, order]
    positives = np.add.reduceat(weights * positive[order], starts, axis=1)
    negatives = np.add.reduceat(weights * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return (positives * below).sum(1), positives.sum(1) * negatives.sum(1)


def _mean(weights: Floats, hits: NDArray[np.bool_]) -> Floats:
    return _ratio(np.asarray(weights @ hits.astype(np.float64)), weights.sum(1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


WITHIN, PER_OBJECT, BY_GROUP = "auroc_within", "object_accuracy", "accuracy_by_group"
METRICS: dict[str, Metric] = {
    "auroc": auroc,
    WITHIN: auroc_within,
    "accuracy": accuracy,
    BY_GROUP: accuracy_by_group,
    "balanced_accuracy": balanced_accuracy,
    PER_OBJECT: object_accuracy,
}

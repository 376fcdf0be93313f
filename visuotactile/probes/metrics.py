"""How well out-of-fold predictions do, and how sure one can be of it.

A resample of the independent units (objects, as a rule) is nothing but a weight per trial. So every metric
here takes weights `[draws, n]` and returns one value per draw, `[draws]`; the figure itself is the metric at
weight one. A resample in which a metric is undefined (one class only) gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Enough that the ends of a 95% interval move by less than a tenth of its width from seed to seed.
DRAWS = 2000
LEVEL = 0.95
# Weights [draws, n] of at most this many numbers (64 MB) are held at once.
CHUNK = 8_000_000


@dataclass(frozen=True)
class Predictions:
    """What a probe said about trials that it was not fitted on, fold after fold.

    Attributes:
        trials: [m] index in the store.
        labels: [m] true class, 0 … K-1.
        predicted: [m] predicted class.
        scores: [m, K] the higher, the more of that class; only its order means anything.
        objects: [m] number of the trial's object.
        folds: [m] number of the fold that the trial was tested in.
        strata: [m] number of the stratum (session) within which pairs are compared, or None.
        units: [m] number of the independent unit; None where that is the object.
    """

    trials: Ints
    labels: Ints
    predicted: Ints
    scores: Floats
    objects: Ints
    folds: Ints
    strata: Ints | None = None
    units: Ints | None = None

    @property
    def drawn(self) -> Ints:
        """[m] number of what a resample draws: the unit."""
        return self.objects if self.units is None else self.units


Metric = Callable[[Predictions, Floats], Floats]


def accuracy(found: Predictions, weights: Floats) -> Floats:
    """Share of trials predicted right."""
    return _mean(weights, found.predicted == found.labels)


def object_accuracy(found: Predictions, weights: Floats) -> Floats:
    """Accuracy averaged over objects, so that an object grasped often counts no more than another."""
    return _mean(weights / np.bincount(found.objects)[found.objects], found.predicted == found.labels)


def balanced_accuracy(found: Predictions, weights: Floats) -> Floats:
    """Mean over the classes of the share of the class predicted right; chance is 1/K."""
    recalls = [
        _mean(weights[:, found.labels == label], found.predicted[found.labels == label] == label)
        for label in np.unique(found.labels)
    ]
    return np.asarray(np.mean(recalls, axis=0))


def auroc(found: Predictions, weights: Floats) -> Floats:
    """Probability that a trial of the class scores above one of another class; ties count one half.

    Only trials of the same fold are compared. Each fold's probe has a scale of its own, and an offset that
    runs against the fold's share of the class: pooled over folds, what knows nothing but the session came
    out at 0.36 within a session on the slip recordings, where it must be 0.5. A fold counts by its number of
    pairs. With more than two classes, the mean over classes of one against the rest.
    """
    return _auroc(found, weights, found.folds)


def auroc_within(found: Predictions, weights: Floats) -> Floats:
    """The same, over pairs of trials from one stratum only: what the stratum gives away does not count.

    A stratum counts by its number of pairs, so that one with a single class counts nothing.
    """
    if found.strata is None:
        raise ValueError("these predictions carry no strata")
    return _auroc(found, weights, found.strata * (found.folds.max() + 1) + found.folds)


def _auroc(found: Predictions, weights: Floats, strata: Ints) -> Floats:
    classes = range(found.scores.shape[1])
    values = []
    # With two classes the second one's AUROC is that of the first, turned round.
    for label in classes[1:] if len(classes) == 2 else classes:
        above = np.zeros(len(weights))
        pairs = np.zeros(len(weights))
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            scores, positive = found.scores[members, label], found.labels[members] == label
            won, compared = _ordered_pairs(scores, positive, weights[:, members])
            again, counted = _copies(scores, positive, found.drawn[members], weights[:, members])
            above += won - again
            pairs += compared - counted
        values.append(_ratio(above, pairs))
    return np.asarray(np.mean(values, axis=0))


def _copies(
    scores: Floats, positive: NDArray[np.bool_], units: Ints, weights: Floats
) -> tuple[Floats, Floats]:
    """What `_ordered_pairs` counts too much where a unit is drawn more than once; each [draws].

    Two copies of one object are not two objects. Pairs within it count as often as it is drawn, w, and not
    w²; else every resample would hold about twice as many such pairs, which are the hardest, as the data.
    """
    again, counted = np.zeros(len(weights)), np.zeros(len(weights))
    for number in np.intersect1d(units[positive], units[~positive]):
        own = np.flatnonzero(units == number)
        won, compared = _ordered_pairs(scores[own], positive[own], np.ones((1, len(own))))
        drawn = weights[:, own[0]]
        again += (drawn**2 - drawn) * won
        counted += (drawn**2 - drawn) * compared
    return again, counted


def _ordered_pairs(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
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


WITHIN, PER_OBJECT = "auroc_within", "object_accuracy"
METRICS: dict[str, Metric] = {
    "auroc": auroc,
    WITHIN: auroc_within,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    PER_OBJECT: object_accuracy,
}


@dataclass(frozen=True)
class Estimate:
    """A figure, and what it comes to when the units are drawn again.

    Attributes:
        per_seed: [seeds] the metric for each seed.
        resampled: [draws] the mean over seeds in each resample of the units.
    """

    per_seed: Floats
    resampled: Floats

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.per_seed))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds: how much the shuffle and the start matter; NaN for a single seed."""
        return float(np.std(self.per_seed, ddof=1)) if len(self.per_seed) > 1 else float("nan")

    def interval(self) -> tuple[float, float]:
        """The 95% percentile interval; NaN when fewer than half of the resamples are defined."""
        if np.isfinite(self.resampled).mean() < 0.5:
            return float("nan"), float("nan")
        low, high = np.nanquantile(self.resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)

    def __sub__(self, other: Estimate) -> Estimate:
        """The paired difference: seed for seed where the seeds correspond, and resample for resample."""
        paired = len(self.per_seed) == len(other.per_seed)
        return Estimate(
            self.per_seed - (other.per_seed if paired else other.per_seed.mean()),
            self.resampled - other.resampled,
        )


def mean(estimates: Iterable[Estimate]) -> Estimate:
    """The mean of several estimates on the same seeds and resamples: those of several pretrainings."""
    estimates = list(estimates)
    return Estimate(
        np.mean([each.per_seed for each in estimates], axis=0),
        np.mean([each.resampled for each in estimates], axis=0),
    )


def gain(ours: Sequence[Estimate], baseline: Sequence[Estimate], seed: int) -> Estimate:
    """By how much encoders of one method beat the draws of an untrained one, on the same seeds and resamples.

    Each resample draws the units anew, for both sides alike, and adds what other encoders might have given:
    random weights alone move an AUROC by some hundredths, and without this one lucky draw would pass
    for learning. That noise is Student's t with the spread pooled over both sides, as in the t-test of two
    means; so a method with a single encoder is taken to spread as the untrained draws do.

    Args:
        ours: one estimate for each pretrained encoder.
        baseline: one for each untrained draw, at least two.
        seed: of the noise.
    """
    values = [np.array([each.value for each in side]) for side in (ours, baseline)]
    spread, freedom = pooled_spread(values)
    error = spread * math.sqrt(sum(1 / len(side) for side in values))
    return with_noise(mean(ours) - mean(baseline), error, freedom, seed)


def pooled_spread(sides: Iterable[Floats]) -> tuple[float, int]:
    """Standard deviation within several sides, each around its own mean, and its degrees of freedom."""
    sides = list(sides)
    freedom = sum(len(side) - 1 for side in sides)
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
    return (math.sqrt(squares / freedom) if freedom else float("nan")), freedom


def with_noise(centre: Estimate, error: float, freedom: int, seed: int) -> Estimate:
    """An estimate whose resamples also hold Student's t of a standard error, as in a t-test."""
    noise = error * np.random.default_rng(seed).standard_t(freedom, len(centre.resampled))
    return Estimate(centre.per_seed, centre.resampled + noise)


def draw_units(tested: NDArray[np.bool_], seed: int, draws: int = DRAWS) -> Floats:
    """How often each independent unit is drawn in each resample with replacement of the tested ones.

    Args:
        tested: [units] whether any trial of the unit is tested; the others are never drawn.
        seed: of the draw.
        draws: how many resamples.

    Returns:
        [draws, units]; NaN where a single unit is tested: there is nothing to draw from, and no interval.
    """
    units = int(tested.sum())
    if units < 2:
        return np.full((draws, len(tested)), np.nan)
    counts = np.zeros((draws, len(tested)))
    counts[:, tested] = np.random.default_rng(seed).multinomial(units, [1 / units] * units, size=draws)
    return counts


def estimate(metric: Metric, per_seed: Sequence[Predictions], counts: Floats) -> Estimate:
    """The metric for each seed, and its mean over seeds under each resample `counts` [draws, units]."""
    values = np.array([metric(found, np.ones((1, len(found.labels))))[0] for found in per_seed])
    if not np.isfinite(counts).all():
        return Estimate(values, np.full(len(counts), np.nan))
    total = np.zeros(len(counts))
    for found in per_seed:
        step = max(1, CHUNK // len(found.labels))
        chunks = [counts[start : start + step] for start in range(0, len(counts), step)]
        total += np.concatenate([metric(found, chunk[:, found.drawn]) for chunk in chunks])
    return Estimate(values, total / len(per_seed))

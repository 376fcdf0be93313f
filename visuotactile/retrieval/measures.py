"""Measures of a joint space: cross-modal retrieval, alignment, uniformity, modality gap, clusters.

Every embedding is a unit vector, and row i of each modality belongs to the same trial. A resample of the
independent units is a weight per row, as in `probes/metrics.py`: `[draws, n]` weights give `[draws]` values.

A query is answered when any of its correct answers is among the first k. Answers with equal scores count as
if in random order, so that an encoder that gives everything the same vector is exactly at chance, and not at
1 or 0 depending on the sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KS = (1, 5, 10)
TIE = 1e-6
"""Cosines closer than this are tied: equal images differ by about 1e-7 with their place in a batch."""
STARTS = 10
SHUFFLES = 200
CHUNK = 512


@dataclass(frozen=True)
class Ranking:
    """Rank of each query's best correct answer.

    Attributes:
        above: [n] wrong answers with a higher score.
        tied_wrong: [n] wrong answers with the same score.
        tied_right: [n] correct answers with the same score, itself included.
        right: [n] correct answers in the pool.
        pool: [n] answers in all.
    """

    above: Ints
    tied_wrong: Ints
    tied_right: Ints
    right: Ints
    pool: Ints

    def recall(self, k: int) -> Floats:
        """[n] probability that a correct answer is among the first k."""
        places = np.clip(k - self.above, 0, None)
        return 1 - _all_wrong(self.tied_wrong, self.tied_right, places)

    def chance(self, k: int) -> Floats:
        """[n] the same for answers in random order."""
        return 1 - _all_wrong(self.pool - self.right, self.right, np.full(len(self.pool), k))

    def rank(self) -> Floats:
        """[n] expected rank of the first correct answer, from 1."""
        return 1 + self.above + self.tied_wrong / (self.tied_right + 1)

    def chance_rank(self) -> float:
        """Median rank of the first correct answer for answers in random order."""
        kinds, count = np.unique(np.stack([self.pool, self.right], 1), axis=0, return_counts=True)
        places = np.arange(1, int(self.pool.max()) + 1)
        reached = np.zeros(len(places))
        for (pool, right), times in zip(kinds.tolist(), count.tolist(), strict=True):
            wrong, among = np.full(len(places), pool - right), np.full(len(places), right)
            reached += times * (1 - _all_wrong(wrong, among, places))
        return float(places[np.searchsorted(reached, len(self.pool) / 2 - 1e-9)])


def rank_answers(
    queries: NDArray[np.float32], answers: NDArray[np.float32], groups: Ints, pools: Ints | None = None
) -> Ranking:
    """Rank every answer for every query by cosine.

    Args:
        queries: [n, D] unit vectors of one modality.
        answers: [n, D] of the other, of the same trials.
        groups: [n]; an answer is correct when its group is the query's.
        pools: [n]; only answers of the query's pool count (the object's other trials); None for all.
    """
    size = len(queries)
    wide, found = answers.astype(np.float64), np.zeros((5, size), np.int64)
    for start in range(0, size, CHUNK):
        rows = np.arange(start, min(start + CHUNK, size))
        scores = queries[rows].astype(np.float64) @ wide.T
        searched = np.ones(scores.shape, bool) if pools is None else pools[rows, None] == pools
        right = (groups[rows, None] == groups) & searched
        wrong = searched & ~right
        best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
        level = np.abs(scores - best) <= TIE
        found[:, rows] = [
            (wrong & (scores > best) & ~level).sum(1),
            (wrong & level).sum(1),
            (right & level).sum(1),
            right.sum(1),
            searched.sum(1),
        ]
    return Ranking(*found)


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """[draws] the median of values [n] under weights [draws, n]; numpy's where all weights are one."""
    order = np.argsort(values, kind="stable")
    ranked, reached = values[order], np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    low, high = (reached < half).sum(1), (reached <= half).sum(1)
    last = len(values) - 1
    return np.asarray((ranked[np.minimum(low, last)] + ranked[np.minimum(high, last)]) / 2)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """[draws] the mean of values [n] under weights [draws, n]."""
    return np.asarray(weights @ values / weights.sum(1))


def pair_distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> Floats:
    """[n] squared distance between the two embeddings of each trial, 0 to 4.

    Its mean is the alignment of Wang and Isola, "Understanding contrastive representation learning through
    alignment and uniformity on the hypersphere" (2020), with their α = 2: smaller is better.
    """
    return np.asarray(((first.astype(np.float64) - second) ** 2).sum(1))


def uniformity(points: NDArray[np.float32], units: Ints, counts: Floats) -> Floats:
    """[draws] log of the mean of exp(-2·distance²) over pairs of different trials; 0 when all are one point.

    Wang and Isola's uniformity with t = 2, smaller is better. Two copies of a unit are not two units: pairs
    within it count as often as it is drawn, and no trial is paired with itself.

    Args:
        points: [n, D] unit vectors.
        units: [n] number of the independent unit.
        counts: [draws, units] how often each is drawn.
    """
    size = counts.shape[1]
    order = np.argsort(units, kind="stable")
    wide, sorted_units = points[order].astype(np.float64), units[order]
    present, starts = np.unique(sorted_units, return_index=True)
    rows_by_unit = np.empty((len(wide), len(present)))
    for start in range(0, len(wide), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(wide)))
        # On the sphere the squared distance is 2 - 2·cosine.
        near = np.exp(-2 * np.clip(2 - 2 * wide[rows] @ wide.T, 0, None))
        near[np.arange(len(rows)), rows] = 0
        rows_by_unit[rows] = np.add.reduceat(near, starts, axis=1)
    between = np.zeros((size, size))
    between[np.ix_(present, present)] = np.add.reduceat(rows_by_unit, starts, axis=0)
    members = np.bincount(units, minlength=size).astype(np.float64)
    pairs = np.outer(members, members)
    np.fill_diagonal(pairs, members * (members - 1))
    return np.asarray(np.log(_over_pairs(between, counts) / _over_pairs(pairs, counts)))


def modality_gap(first: NDArray[np.float32], second: NDArray[np.float32], weights: Floats) -> Floats:
    """[draws] the distance between the centroids of the two modalities, 0 to 2.

    Liang et al., "Mind the gap: understanding the modality gap in multi-modal contrastive representation
    learning" (2022).
    """
    apart = weights @ (first.astype(np.float64) - second) / weights.sum(1, keepdims=True)
    return np.asarray(np.linalg.norm(apart, axis=1))


def gap_by_chance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The gap (root mean square) when the two embeddings of each trial change places at random."""
    return float(np.sqrt(pair_distances(first, second).mean() / len(first)))


def cluster(points: NDArray[np.float32], k: int, seed: int) -> Ints:
    """[n] k-means cluster of each unit vector, the best of ten starts."""
    return np.asarray(
        KMeans(k, n_init=STARTS, random_state=seed).fit_predict(points.astype(np.float64)), np.int64
    )


def purity(clusters: Ints, labels: Ints, weights: Floats) -> Floats:
    """[draws] cluster purity: share of the points whose label is the most frequent one of their cluster."""
    tables = (_contingency(clusters, labels, row) for row in weights)
    return np.array([table.max(axis=1).sum() / table.sum() for table in tables])


def purity_by_chance(clusters: Ints, labels: Ints, seed: int) -> float:
    """The mean purity of the same clusters when the labels are shuffled."""
    rng, one = np.random.default_rng(seed), np.ones((1, len(labels)))
    return float(np.mean([purity(clusters, rng.permutation(labels), one)[0] for _ in range(SHUFFLES)]))


def adjusted_rand_index(clusters: Ints, labels: Ints, weights: Floats) -> Floats:
    """[draws] agreement of clusters and labels over pairs of points: 0 is chance, 1 is equality."""
    return np.array([_adjusted_rand_index(_contingency(clusters, labels, row)) for row in weights])


def _adjusted_rand_index(table: Floats) -> float:
    both, ours, theirs = (_pairs(part) for part in (table, table.sum(1), table.sum(0)))
    expected, most = ours * theirs / max(_pairs(np.asarray(table.sum())), 1.0), (ours + theirs) / 2
    # One cluster and one label, or each point alone in both: they agree trivially.
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _all_wrong(wrong: Ints, right: Ints, drawn: Ints) -> Floats:
    """Probability that `drawn` answers, drawn at random from wrong and right ones, are all wrong."""
    some = np.minimum(drawn, wrong)
    log = (
        gammaln(wrong + 1) - gammaln(wrong - some + 1)
        + gammaln(wrong + right - some + 1) - gammaln(wrong + right + 1)
    )  # fmt: skip
    return np.where(drawn > wrong, 0.0, np.exp(log))


def _over_pairs(between: Floats, counts: Floats) -> Floats:
    """Sum of [units, units] over pairs of drawn units: between two by both counts, within one by its own."""
    within = np.diag(between)
    return np.asarray(
        np.einsum("du,uv,dv->d", counts, between - np.diag(within), counts, optimize=True) + counts @ within
    )


def _contingency(clusters: Ints, labels: Ints, weights: Floats) -> Floats:
    """[clusters, labels] weight of the points in each cell; weights [n]."""
    k, classes = int(clusters.max()) + 1, int(labels.max()) + 1
    table = np.bincount(clusters * classes + labels, weights, k * classes)
    return np.asarray(table, np.float64).reshape(k, classes)


def _pairs(count: Floats) -> float:
    return float((count * (count - 1) / 2).sum())

"""Retrieval, alignment, uniformity, gap and clusters against naive loops and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from visuotactile.reports.intervals import draw_units
from visuotactile.retrieval import measures


def unit_vectors(count, width=6, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, width))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def ones(count):
    return np.ones((1, count))


def first_right_by_every_order(scores, right, k=None):
    """The mean place of the first right answer over every order in which ties can stand; or recall at k."""
    places = []
    for shuffle in itertools.permutations(range(len(scores))):
        order = sorted(shuffle, key=lambda i: -scores[i])
        places.append(1 + min(place for place, i in enumerate(order) if right[i]))
    return float(np.mean(places if k is None else [place <= k for place in places]))


@pytest.mark.parametrize("seed", range(4))
def test_tied_answers_stand_in_random_order(seed):
    rng = np.random.default_rng(seed)
    levels = rng.integers(3, size=6) / 4
    # One axis carries the score against the query [1, 0]; the other makes the vectors unit length.
    answers = np.stack([levels, np.sqrt(1 - levels**2)], 1).astype(np.float32)
    queries = np.tile(np.float32([1, 0]), (6, 1))
    groups = np.array([0, 0, 1, 2, 2, 2])
    ranking = measures.rank_answers(queries, answers, groups)
    for query in range(6):
        right = groups == groups[query]
        assert ranking.rank()[query] == pytest.approx(first_right_by_every_order(levels, right))
        for k in (1, 2, 5):
            expected = first_right_by_every_order(levels, right, k)
            assert ranking.recall(k)[query] == pytest.approx(expected)
            by_chance = first_right_by_every_order(np.zeros(6), right, k)
            assert ranking.chance(k)[query] == pytest.approx(by_chance)


def test_recall_and_rank_agree_with_sorting_where_nothing_ties():
    queries, answers = unit_vectors(50), unit_vectors(50, seed=1)
    ranking = measures.rank_answers(queries, answers, np.arange(50))
    for query in range(50):
        order = np.argsort(-(answers @ queries[query]))
        place = int(np.flatnonzero(order == query)[0]) + 1
        assert ranking.rank()[query] == place
        for k in measures.KS:
            assert ranking.recall(k)[query] == (place <= k)


def test_equal_embeddings_find_themselves_and_collapsed_ones_are_exactly_at_chance():
    points, groups = unit_vectors(40), np.arange(40)
    found = measures.rank_answers(points, points, groups)
    assert found.recall(1).mean() == 1
    assert (found.rank() == 1).all()
    collapsed = np.repeat(points[:1], 40, axis=0)
    found = measures.rank_answers(collapsed, collapsed, groups)
    for k in measures.KS:
        assert found.recall(k).mean() == pytest.approx(k / 40)
        assert found.chance(k).mean() == pytest.approx(k / 40)
    assert np.median(found.rank()) == 20.5


def test_images_that_differ_by_rounding_tie():
    points = np.repeat(unit_vectors(1), 30, axis=0)
    points += np.random.default_rng(0).uniform(-1, 1, points.shape).astype(np.float32) * 1e-7
    found = measures.rank_answers(points, points, np.arange(30))
    assert found.recall(1).mean() == pytest.approx(1 / 30)


def test_only_the_querys_pool_is_searched():
    queries, answers = unit_vectors(24), unit_vectors(24, seed=1)
    pools = np.repeat([0, 1, 2], [4, 8, 12])
    found = measures.rank_answers(queries, answers, np.arange(24), pools)
    for pool in range(3):
        rows = pools == pool
        alone = measures.rank_answers(queries[rows], answers[rows], np.arange(rows.sum()))
        np.testing.assert_array_equal(found.rank()[rows], alone.rank())
        np.testing.assert_allclose(found.chance(5)[rows], min(1, 5 / rows.sum()))


@pytest.mark.parametrize(("pool", "right"), [(7, 1), (8, 1), (9, 3), (30, 4)])
def test_the_chance_rank_is_the_median_over_random_orders(pool, right):
    places = sorted(min(chosen) + 1 for chosen in itertools.combinations(range(pool), right))
    size = np.array([pool])
    ranking = measures.Ranking(size * 0, size - right, size * 0 + right, size * 0 + right, size)
    assert ranking.chance_rank() == places[math.ceil(len(places) / 2) - 1]
    assert measures.Ranking(*(np.repeat(part, 5) for part in vars(ranking).values())).chance_rank() == (
        ranking.chance_rank()
    )


@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_the_weighted_median_is_that_of_repeated_values(count):
    rng = np.random.default_rng(count)
    values = rng.integers(6, size=count).astype(float)
    assert measures.weighted_median(values, ones(count))[0] == np.median(values)
    weights = rng.integers(1, 4, size=(5, count)).astype(float)
    expected = [np.median(np.repeat(values, row.astype(int))) for row in weights]
    np.testing.assert_array_equal(measures.weighted_median(values, weights), expected)


def test_alignment_is_zero_for_equal_and_four_for_opposite_vectors():
    points = unit_vectors(20)
    np.testing.assert_array_equal(measures.pair_distances(points, points), 0)
    np.testing.assert_allclose(measures.pair_distances(points, -points), 4, rtol=1e-6)


def naive_uniformity(points, units, row):
    """Loop over pairs of drawn copies: copies of different units, or one copy's own trials."""
    total, pairs = 0.0, 0.0
    copies = np.repeat(np.arange(len(row)), row.astype(int))
    for a, b in itertools.product(range(len(copies)), repeat=2):
        if a != b and copies[a] == copies[b]:
            continue
        for i in np.flatnonzero(units == copies[a]):
            for j in np.flatnonzero(units == copies[b]):
                if i == j:
                    continue
                total += math.exp(-2 * float(((points[i].astype(float) - points[j]) ** 2).sum()))
                pairs += 1
    return math.log(total / pairs)


def test_uniformity_agrees_with_a_loop_over_pairs_also_under_resampling():
    points, units = unit_vectors(14), np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4, 5, 5])
    counts = np.vstack([np.ones(6), draw_units(np.ones(6, bool), 0, draws=4)])
    expected = [naive_uniformity(points, units, row) for row in counts]
    np.testing.assert_allclose(measures.uniformity(points, units, counts), expected, rtol=1e-6)


def test_uniformity_is_zero_at_one_point_and_known_on_a_cross():
    assert measures.uniformity(np.repeat(unit_vectors(1), 9, 0), np.arange(9), ones(9))[0] == pytest.approx(
        0, abs=1e-6
    )
    cross = np.float32([[1, 0], [-1, 0], [0, 1], [0, -1]])
    expected = math.log((2 * math.exp(-4) + math.exp(-8)) / 3)
    assert measures.uniformity(cross, np.arange(4), ones(4))[0] == pytest.approx(expected)


def test_the_gap_is_the_distance_of_the_centroids():
    first, second = unit_vectors(30), unit_vectors(30, seed=1)
    expected = np.linalg.norm(first.mean(0) - second.mean(0))
    assert measures.modality_gap(first, second, ones(30))[0] == pytest.approx(expected, rel=1e-5)
    assert measures.modality_gap(first, -first, ones(30))[0] == pytest.approx(
        2 * np.linalg.norm(first.mean(0)), rel=1e-5
    )
    assert measures.modality_gap(first, first, ones(30))[0] == 0


def test_the_gap_by_chance_is_that_of_randomly_swapped_pairs():
    first, second = unit_vectors(40), unit_vectors(40, seed=1)
    rng, swapped = np.random.default_rng(0), []
    for _ in range(4000):
        swap = rng.random(40)[:, None] < 0.5
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        swapped.append(measures.modality_gap(one, other, ones(40))[0] ** 2)
    assert measures.gap_by_chance(first, second) == pytest.approx(np.sqrt(np.mean(swapped)), rel=0.03)


def test_purity_and_rand_index_agree_with_loops_and_scikit_learn():
    rng = np.random.default_rng(0)
    clusters, labels = rng.integers(4, size=60), rng.integers(3, size=60)
    members = [labels[clusters == number] for number in range(4)]
    expected = sum(max((each == label).sum() for label in range(3)) for each in members) / 60
    assert measures.purity(clusters, labels, ones(60))[0] == pytest.approx(expected)
    found = measures.adjusted_rand_index(clusters, labels, ones(60))[0]
    assert found == pytest.approx(adjusted_rand_score(labels, clusters))
    weights = rng.integers(0, 3, size=(3, 60)).astype(float)
    for row, pure, rand in zip(
        weights,
        measures.purity(clusters, labels, weights),
        measures.adjusted_rand_index(clusters, labels, weights),
        strict=True,
    ):
        again = np.repeat(np.arange(60), row.astype(int))
        assert pure == pytest.approx(measures.purity(clusters[again], labels[again], ones(len(again)))[0])
        assert rand == pytest.approx(adjusted_rand_score(labels[again], clusters[again]))


def test_separate_objects_are_found_and_shuffled_labels_give_chance():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    points = (unit_vectors(4)[labels] + rng.normal(0, 0.02, (120, 6))).astype(np.float32)
    clusters = measures.cluster(points, 4, seed=0)
    assert measures.purity(clusters, labels, ones(120))[0] == 1
    assert measures.adjusted_rand_index(clusters, labels, ones(120))[0] == 1
    shuffled = rng.permutation(labels)
    by_chance = measures.purity_by_chance(clusters, labels, seed=0)
    assert measures.purity(clusters, shuffled, ones(120))[0] == pytest.approx(by_chance, abs=0.08)
    assert measures.adjusted_rand_index(clusters, shuffled, ones(120))[0] == pytest.approx(0, abs=0.05)
    assert measures.adjusted_rand_index(labels * 0, labels * 0, ones(120))[0] == 1

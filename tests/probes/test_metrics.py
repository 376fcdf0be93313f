from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from visuotactile.probes.metrics import (
    Predictions,
    accuracy,
    auroc,
    auroc_within,
    balanced_accuracy,
    object_accuracy,
    top_share,
)
from visuotactile.reports.intervals import draw_units, estimate


def predictions(seed=0, trials=120, objects=12, classes=2, folds=1, strata=2, ties=False) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=trials)
    scores = rng.normal(size=(trials, classes)) + np.eye(classes)[labels]
    if ties:
        scores = np.round(scores)
    return Predictions(
        trials=np.arange(trials),
        labels=labels,
        predicted=scores.argmax(axis=1),
        scores=scores,
        objects=rng.integers(objects, size=trials),
        folds=rng.integers(folds, size=trials),
        strata=rng.integers(strata, size=trials),
    )


def ones(found: Predictions) -> np.ndarray:
    return np.ones((1, len(found.labels)))


def naive_auroc(found, weight, comparable) -> float:
    """The definition, pair by pair: an object's own pairs count as often as it is drawn."""
    values = []
    classes = range(found.scores.shape[1])
    for label in classes[1:] if len(classes) == 2 else classes:
        won = total = 0.0
        for i, j in product(range(len(found.labels)), repeat=2):
            if found.labels[i] == label and found.labels[j] != label and comparable(i, j):
                own = found.objects[i] == found.objects[j]
                pair = weight[i] if own else weight[i] * weight[j]
                difference = found.scores[i, label] - found.scores[j, label]
                won += pair * (1.0 if difference > 0 else 0.5 if difference == 0 else 0.0)
                total += pair
        values.append(won / total)
    return float(np.mean(values))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_metrics_at_weight_one_are_scikit_learns(classes, ties):
    found = predictions(classes=classes, ties=ties)
    assert accuracy(found, ones(found)) == pytest.approx(accuracy_score(found.labels, found.predicted))
    assert balanced_accuracy(found, ones(found)) == pytest.approx(
        balanced_accuracy_score(found.labels, found.predicted)
    )
    one_against_rest = np.mean(
        [roc_auc_score(found.labels == label, found.scores[:, label]) for label in range(classes)]
        if classes > 2
        else roc_auc_score(found.labels, found.scores[:, 1])
    )
    assert auroc(found, ones(found)) == pytest.approx(one_against_rest)


@pytest.mark.parametrize("classes", [2, 3])
def test_auroc_equals_a_loop_over_pairs_under_any_resample(classes):
    found = predictions(trials=60, classes=classes, folds=2, ties=True)
    counts = draw_units(np.ones(12, bool), seed=1, draws=4)
    weights = counts[:, found.objects]
    same_fold = lambda i, j: found.folds[i] == found.folds[j]  # noqa: E731
    same_both = lambda i, j: same_fold(i, j) and found.strata[i] == found.strata[j]  # noqa: E731
    assert auroc(found, weights) == pytest.approx([naive_auroc(found, w, same_fold) for w in weights])
    assert auroc_within(found, weights) == pytest.approx([naive_auroc(found, w, same_both) for w in weights])


def test_average_per_object_counts_each_object_once():
    found = predictions()
    right = found.predicted == found.labels
    expected = np.mean([right[found.objects == number].mean() for number in np.unique(found.objects)])
    assert object_accuracy(found, ones(found)) == pytest.approx(expected)


def test_what_only_the_session_gives_away_vanishes_within_sessions():
    rng = np.random.default_rng(0)
    session = np.repeat([0, 1], 200)
    labels = (rng.random(400) < np.where(session, 0.7, 0.2)).astype(int)
    scores = np.stack([-session, session], axis=1).astype(float)
    nothing = np.zeros(400, int)
    found = Predictions(np.arange(400), labels, session, scores, np.arange(400) // 10, nothing, session)
    assert auroc(found, ones(found))[0] > 0.7
    assert auroc_within(found, ones(found))[0] == 0.5


def test_an_offset_between_folds_changes_nothing():
    found = predictions(folds=5)
    shifted = Predictions(**{**vars(found), "scores": found.scores + 100.0 * found.folds[:, None]})
    assert auroc(shifted, ones(found)) == pytest.approx(auroc(found, ones(found)))


def test_resampled_weights_equal_trials_written_out_again():
    found = predictions()
    counts = draw_units(np.ones(12, bool), seed=3, draws=3)
    for row in counts:
        again = np.concatenate(
            [np.flatnonzero(found.objects == o) for o in np.repeat(np.arange(12), row.astype(int))]
        )
        weights = row[None, found.objects]
        labels, predicted = found.labels[again], found.predicted[again]
        assert accuracy(found, weights)[0] == pytest.approx(accuracy_score(labels, predicted))
        assert balanced_accuracy(found, weights)[0] == pytest.approx(
            balanced_accuracy_score(labels, predicted)
        )


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    # Objects differ in how hard they are, so that trials of one object are not independent.
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(150):
        objects = np.repeat(np.arange(40), 6)
        hard = np.clip(rng.normal(0.7, 0.2, 40), 0, 1)
        right = rng.random(240) < hard[objects]
        nothing = np.zeros(240, int)
        labels = rng.integers(2, size=240)
        predicted = np.where(right, labels, 1 - labels)
        found = Predictions(np.arange(240), labels, predicted, np.eye(2)[predicted], objects, nothing)
        low, high = estimate(accuracy, [found], draw_units(np.ones(40, bool), seed, 400)).interval()
        hits += low <= 0.6965 <= high  # the mean of the clipped normal
    assert 0.88 <= hits / 150 <= 0.99


def test_resampling_does_not_pull_the_auroc_down():
    # Objects know their class better than trials know theirs, so pairs within an object are the hardest.
    rng = np.random.default_rng(0)
    objects = np.repeat(np.arange(8), 10)
    leaning = rng.normal(0, 2, 8)
    labels = (rng.normal(size=80) + leaning[objects] > 0).astype(int)
    score = leaning[objects] + rng.normal(0, 0.1, 80)
    found = Predictions(
        np.arange(80), labels, labels, np.stack([-score, score], 1), objects, np.zeros(80, int)
    )
    got = estimate(auroc, [found], draw_units(np.ones(8, bool), 0))
    assert np.nanmean(got.resampled) == pytest.approx(got.value, abs=0.02)


def test_resamples_with_one_class_are_left_out():
    objects = np.array([0, 0, 1, 2])
    labels = np.array([1, 1, 0, 0])
    scores = np.array([[-1.0, 1.0], [-2, 2], [3, -3], [-1.5, 1.5]])
    found = Predictions(np.arange(4), labels, labels, scores, objects, np.zeros(4, int))
    got = estimate(auroc, [found], draw_units(np.ones(3, bool), 0))
    assert 0 < np.isnan(got.resampled).mean() < 0.5
    assert np.isfinite(got.interval()).all()


def test_a_single_object_gives_a_figure_but_no_interval():
    found = predictions(objects=1)
    got = estimate(accuracy, [found], draw_units(np.ones(1, bool), 0))
    assert np.isfinite(got.value)
    assert np.isnan(got.interval()).all()


def test_a_paired_difference_is_narrower_than_its_parts():
    first = predictions(0)
    flipped = np.arange(len(first.labels)) % 25 == 0
    second = Predictions(
        **{**vars(first), "predicted": np.where(flipped, 1 - first.predicted, first.predicted)}
    )
    counts = draw_units(np.ones(12, bool), 0)
    a, b = (estimate(accuracy, [each], counts) for each in (first, second))
    width = lambda each: np.ptp(each.interval())  # noqa: E731
    assert width(a - b) < 0.7 * width(a)
    assert (a - b).value == pytest.approx(a.value - b.value)


@pytest.mark.parametrize(
    ("scores", "known", "expected"),
    [
        ([5, 4, 3, 2, 1], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0]),
        ([-5, -4, -3, -2, -1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]),
        ([7, 7, 7, 7, 7], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]),  # a constant tells nothing: the majority
        ([7, 7, 7, 7, 7], [0, 0, 1], [0, 0, 0, 0, 0]),
        ([3, 2, 2, 1], [0, 1], [1, 1, 1, 0]),  # those that tie at the threshold
        ([2, 1], [0, 0, 0, 1], [0, 0]),
        ([2, 1], [1, 1], [1, 1]),
    ],
)
def test_in_each_object_as_many_are_positive_as_the_training_sides_share(scores, known, expected):
    score = np.array(scores, float)
    twice = np.concatenate([score, score + 100])  # another object, whose scores have an offset
    groups = np.repeat([0, 1], len(score))
    found = top_share(np.stack([-twice, twice], axis=1), groups, np.array(known))
    assert found.tolist() == expected * 2

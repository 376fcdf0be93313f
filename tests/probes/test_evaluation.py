from __future__ import annotations

import dataclasses

import joblib
import numpy as np
import pytest

from visuotactile.probes.evaluation import BUDGET_DRAWS, Job, _subsets, evaluate, fit_predict
from visuotactile.probes.rows import Entry
from visuotactile.probes.task import make_task
from visuotactile.reports.intervals import draw_units

PROBES = ("knn", "svm", "mlp", "linear")


def entry(features, name="made", only=None) -> Entry:
    values = np.asarray(features, np.float32)
    return Entry(name, name, "pretrained", lambda split, fold: values, only=only)


def informative(task, strength=1.5, width=10, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(len(task.labels), width)) + strength * np.eye(3, width)[task.labels]


def run(task, entries, probes=PROBES, budgets=(), **options):
    counts = draw_units(task.tested_units(), 0, draws=100)
    return evaluate(task, entries, counts, probes=probes, budgets=budgets, **options)


@pytest.fixture(scope="module")
def task(table):
    return make_task(table, "success", "object:4", seeds=2, within="session")


@pytest.mark.parametrize("target", ["success", "grade"])
def test_every_probe_finds_what_is_there(table, target):
    task = make_task(table, target, "object:3", seeds=1)
    made = entry(informative(task, strength=2.5))
    found = run(task, [made])
    for probe in PROBES:
        assert found.estimate(made, probe, "auroc").value > 0.85
        assert found.estimate(made, probe, "accuracy").value > 0.65


def test_permuted_labels_give_chance(task):
    rng = np.random.default_rng(0)
    features = informative(task)
    values = []
    for _ in range(6):
        shuffled = dataclasses.replace(task, labels=rng.permutation(task.labels))
        made = entry(features)
        found = run(shuffled, [made], probes=("knn", "linear"))
        values += [
            found.estimate(made, p, m).value
            for p in ("knn", "linear")
            for m in ("auroc", "balanced_accuracy")
        ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)


def test_every_trial_is_tested_once_per_seed_and_by_a_probe_that_never_saw_its_object(task):
    made = entry(informative(task))
    found = run(task, [made], probes=("linear",))
    for split, predictions in enumerate(found.predictions["made", "linear"]):
        assert sorted(predictions.trials) == list(range(160))
        for fold, (train, test) in enumerate(task.folds(split)):
            np.testing.assert_array_equal(predictions.trials[predictions.folds == fold], test)
            assert not set(task.objects[train]) & set(task.objects[test])


def test_the_session_alone_is_worth_nothing_within_sessions(task):
    one_hot = np.eye(2)[task.strata]
    session, majority = entry(one_hot, "session", "linear"), entry(np.zeros((160, 1)), "majority", "majority")
    found = run(task, [session, majority])
    for probe in PROBES:
        assert found.estimate(session, probe, "auroc").value > 0.6
        assert found.estimate(session, probe, "auroc_within").value == 0.5
        assert found.estimate(majority, probe, "auroc").value == 0.5
        assert found.estimate(majority, probe, "balanced_accuracy").value == 0.5


def test_the_budget_curve_rises_and_ends_at_the_whole_training_side(task):
    made = entry(informative(task, strength=1.0))
    found = run(task, [made], probes=("linear",), budgets=(0.01, 0.33, 1.0))
    curve = [found.budget("made", share).value for share in (0.01, 0.33, 1.0)]
    assert curve[0] < curve[1] < curve[2]
    assert curve[2] == pytest.approx(found.estimate(made, "linear", "auroc").value)
    assert len(found.budgets["made", 0.01]) == 2 * BUDGET_DRAWS


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5])
def test_a_budget_holds_every_class_in_proportion(task, share):
    train, _ = task.folds(0)[0]
    for few in _subsets(task, train, share, seed=0, fold=0):
        assert set(few) <= set(train)
        counts, whole = np.bincount(task.labels[few]), np.bincount(task.labels[train])
        np.testing.assert_array_equal(counts, np.maximum(1, np.round(share * whole)))


@pytest.mark.parametrize("probe", PROBES)
def test_trials_are_ranked_within_a_class_that_lies_between_two_others(probe):
    # Its logit is flat along the line on which the classes lie; only its probability peaks there.
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 100)
    features = np.stack([4.0 * labels, np.zeros(300)], 1) + rng.normal(0, 0.5, (300, 2))
    job = Job((probe,), features.astype(np.float32), np.arange(240), np.arange(240, 300), np.arange(300), 0)
    _, scores = fit_predict(job, labels, 3)[probe]
    middle = scores[labels[240:] == 1, 1]
    others = scores[labels[240:] != 1, 1]
    assert (middle[:, None] > others).mean() > 0.97


def test_a_class_that_training_lacks_is_ranked_last():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)).astype(np.float32), np.repeat([0, 2, 1], 10)
    job = Job(("linear",), features, np.arange(20), np.arange(20, 30), np.arange(30), 0)
    predicted, scores = fit_predict(job, labels, 3)["linear"]
    assert set(predicted) <= {0, 2}
    assert (scores[:, 1] == -np.inf).all()
    assert np.isfinite(scores[:, [0, 2]]).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_same_seed_gives_the_same_figures_in_any_number_of_jobs(task):
    made = entry(informative(task))
    task = dataclasses.replace(task, splits=task.splits[:1], seeds=task.seeds[:1])
    one = run(task, [made], probes=("knn", "mlp"), budgets=(0.1,))
    with joblib.parallel_config(backend="threading"):
        two = run(task, [made], probes=("knn", "mlp"), budgets=(0.1,), n_jobs=2)
    for key, predictions in one.predictions.items():
        for a, b in zip(predictions, two.predictions[key], strict=True):
            np.testing.assert_array_equal(a.scores, b.scores)
    np.testing.assert_array_equal(one.budget("made", 0.1).per_seed, two.budget("made", 0.1).per_seed)


def against(task, ours, *draws, kind="untrained"):
    """An evaluation of one method and its untrained draws."""
    named = [
        dataclasses.replace(entry(features, f"{kind} {number}"), method=kind, kind=kind)
        for number, features in enumerate(draws)
    ]
    mine = dataclasses.replace(entry(ours, "moco"), baselines=(kind,))
    return run(task, [mine, *named], probes=("linear",))


def test_a_gain_is_measured_against_the_mean_of_the_untrained_draws(task):
    found = against(task, informative(task, 3), *(informative(task, 0.2, seed=seed) for seed in range(6)))
    gain = found.gain("moco", "untrained", "linear", "auroc")
    untrained = found.of_method("untrained", "linear", "auroc").value
    assert gain.value == pytest.approx(found.of_method("moco", "linear", "auroc").value - untrained)
    assert gain.interval()[0] > 0
    assert found.best_baseline("untrained", "linear", "auroc") is None


def test_the_best_baseline_is_the_one_that_is_best(task):
    weak, strong = (
        dataclasses.replace(entry(informative(task, strength, seed=4), name), kind=name)
        for name, strength in (("raw pixels", 0.1), ("ImageNet", 1.0))
    )
    ours = dataclasses.replace(entry(informative(task, 2), "moco"), baselines=("raw pixels", "ImageNet"))
    found = run(task, [ours, weak, strong], probes=("linear",))
    assert found.best_baseline("moco", "linear", "auroc") == "ImageNet"
    # Neither side was drawn twice: the interval covers the objects alone.
    gain = found.gain("moco", "ImageNet", "linear", "auroc")
    assert np.isfinite(gain.interval()).all()


def test_a_fixed_baseline_adds_no_noise_but_the_encoders_still_vary(task):
    raw = dataclasses.replace(entry(informative(task, 0.3, seed=9), "raw pixels"), kind="raw pixels")
    ours = dataclasses.replace(entry(informative(task, 2), "moco"), baselines=("untrained", "raw pixels"))
    draws = [
        dataclasses.replace(
            entry(informative(task, 0.2, seed=seed), f"{seed}"), method="untrained", kind="untrained"
        )
        for seed in range(3)
    ]
    found = run(task, [ours, *draws, raw], probes=("linear",))
    low, high = found.gain("moco", "raw pixels", "linear", "auroc").interval()
    alone = found.of_method("moco", "linear", "auroc") - found.of_method("raw pixels", "linear", "auroc")
    assert high - low > np.diff(alone.interval())[0]


def test_a_threshold_for_each_object_forgives_an_offset_of_its_scores(task):
    rng = np.random.default_rng(0)
    offset = 6 * rng.normal(size=task.objects.max() + 1)
    features = np.stack([2.5 * task.labels + 0.3 * rng.normal(size=160) + offset[task.objects]], axis=1)
    made = entry(features)
    found = run(task, [made], probes=("linear",))
    assert found.estimate(made, "linear", "accuracy").value < 0.75
    assert found.estimate(made, "linear", "accuracy_by_group").value > 0.75


@pytest.fixture(scope="module")
def forces(table):
    """The task of predicting a number."""
    return make_task(table, "force", "object:4", seeds=1)


def test_a_number_is_predicted_as_one(forces):
    rng = np.random.default_rng(0)
    good = entry(
        np.stack([forces.numbers + 0.05 * rng.normal(size=160), rng.normal(size=160)], axis=1), "good"
    )
    noise = entry(rng.normal(size=(160, 3)), "noise")
    mean = dataclasses.replace(entry(np.zeros((160, 1)), "mean", "majority"), kind="majority")
    good = dataclasses.replace(good, baselines=("mean",))
    found = run(forces, [good, noise, mean], probes=("knn", "svm", "linear"), budgets=(0.1, 1.0))
    for probe in ("knn", "svm", "linear"):
        assert found.estimate(good, probe, "r2").value > 0.5
        assert found.estimate(good, probe, "spearman").value > 0.8
        assert found.estimate(noise, probe, "r2").value < 0.1
        assert found.estimate(mean, probe, "r2").value == pytest.approx(0, abs=0.05)
        assert found.gain("good", "mean", probe, "rmse").value > 0  # a lower error is a gain
    assert found.budget("good", 0.1).value < found.budget("good", 1.0).value


def test_whole_numbers_are_classes_unless_they_are_called_numbers(table):
    assert make_task(table, "grade", "object:4", seeds=1).numbers is None
    as_numbers = make_task(table, "grade", "object:4", seeds=1, numbers=True)
    assert sorted(set(as_numbers.numbers)) == [0, 1, 2]

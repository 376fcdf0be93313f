"""Choice of a probe's capacity on the training side."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.probes import nested
from visuotactile.probes.estimators import PROBES
from visuotactile.probes.nested import fit_probes, inner_folds


def trials(seed=0, n=120, width=40, informative=1, strength=2.0, groups=12):
    """Features whose first directions vary most, of which the first ones tell the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    features = rng.normal(size=(n, width)) * np.linspace(3, 1, width)
    features[:, :informative] += strength * features[:, :informative].std() * (2 * labels[:, None] - 1)
    return features.astype(np.float32), labels, np.arange(n) % groups


def test_no_group_is_on_both_sides_of_an_inner_fold():
    _, labels, groups = trials()
    folds = inner_folds(labels, groups, seed=0)
    assert len(folds) == nested.FOLDS
    for fit, judge in folds:
        assert not set(groups[fit]) & set(groups[judge])
    assert sorted(np.concatenate([judge for _, judge in folds])) == list(range(120))


@pytest.mark.parametrize("name", PROBES)
def test_the_test_side_has_no_part_in_the_choice(name):
    features, labels, groups = trials()
    test, _, _ = trials(1)
    first = fit_probes([name], features, test, labels, groups, 0)[name]
    again = fit_probes([name], features, 100 - 3 * test, labels, groups, 0)[name]
    assert first.choice == again.choice


def pixels(seed, n, groups):
    """300 pixels that 60 latent numbers make, all of which tell the class a little; groups have offsets."""
    mixing = np.random.default_rng(60).normal(size=(60, 300))
    rng = np.random.default_rng(seed)
    labels, group = rng.integers(2, size=n), np.arange(n) % groups
    latent = rng.normal(size=(n, 60)) + rng.normal(size=(groups, 60))[group] + 0.2 * (2 * labels[:, None] - 1)
    return (latent @ mixing + 3 * rng.normal(size=(n, 300))).astype(np.float32), labels, group


def test_a_probe_that_chooses_beats_one_of_fixed_capacity():
    hits = {"chosen": [], "fixed": []}
    for seed in range(5):
        train, known, groups = pixels(seed, 160, 30)
        test, truth, _ = pixels(100 + seed, 800, 30)
        for way, inner in (("chosen", groups), ("fixed", 0 * groups)):
            found = fit_probes(["linear", "knn"], train, test, known, inner, seed)
            hits[way] += [(probe.predicted() == truth).mean() for probe in found.values()]
    assert np.mean(hits["chosen"]) > np.mean(hits["fixed"]) + 0.01


def test_a_probe_that_ranks_well_and_calls_all_one_class_is_not_chosen():
    # With weights near 0 the order is the same, and every trial is of the more frequent class.
    rng = np.random.default_rng(0)
    labels = (np.arange(90) % 3 > 0).astype(np.int64)
    features = (rng.normal(size=(90, 2)) + 1.5 * labels[:, None]).astype(np.float32)
    found = fit_probes(["linear"], features, features, labels, np.arange(90) // 6, 0)["linear"]
    assert found.choice.strength > PROBES["linear"].strengths[0]
    assert (found.predicted() == 0).sum() > 10


@pytest.mark.parametrize("groups", [1, 2])
def test_with_too_few_groups_the_usual_capacity_is_taken(groups):
    features, labels, _ = trials()
    found = fit_probes(["linear", "knn"], features, features, labels, np.arange(120) % groups, 0)
    assert {probe.choice.components for probe in found.values()} == {15}
    assert {probe.choice.strength for probe in found.values()} == {1.0}


def test_a_rare_class_leaves_no_inner_fold_without_two():
    features, labels, groups = trials()
    labels[:] = 0
    labels[groups == 0] = 1
    for fit, judge in inner_folds(labels, groups, 0):
        assert len(set(labels[fit])) == len(set(labels[judge])) == 2
    assert fit_probes(["linear"], features, features, labels, groups, 0)["linear"].scores().shape == (120, 2)


@pytest.mark.parametrize("name", PROBES)
def test_numbers_come_back_in_their_own_unit(name):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(150, 5))
    force = 20 + 6 * features[:, 0] + 0.5 * rng.normal(size=150)
    found = fit_probes([name], features[:100], features[100:], force[:100], np.arange(100) // 8, 0)[name]
    error = found.predicted() - force[100:]
    assert 1 - (error**2).mean() / force[100:].var() > 0.6


@pytest.mark.parametrize("name", PROBES)
def test_a_wider_encoder_is_not_regularised_less(name):
    train, labels, groups = trials(strength=0.7)
    test, _, _ = trials(1, strength=0.7)
    narrow = fit_probes([name], train, test, labels, groups, 0)[name].predicted()
    wide = fit_probes([name], np.tile(train, 4), np.tile(test, 4), labels, groups, 0)[name].predicted()
    assert (narrow == wide).mean() > 0.9


def test_two_labelled_trials_are_enough():
    features, labels, _ = trials()
    labels[:2] = [0, 1]
    found = fit_probes(list(PROBES), features[:2], features, labels[:2], np.arange(2), 0)
    assert all(probe.predicted().shape == (120,) for probe in found.values())

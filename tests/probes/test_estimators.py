from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from visuotactile.errors import ContractError
from visuotactile.probes.estimators import PROBES, NearestNeighbours, UnitScale, make_probe

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def blobs(seed=0, n=90, width=12, classes=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    return (rng.normal(size=(n, width)) + 1.5 * np.eye(classes, width)[labels]).astype(np.float32), labels


def test_knn_on_faiss_equals_scikit_learns():
    train, labels = blobs(0)
    test, _ = blobs(1)
    ours = NearestNeighbours(7).fit(train, labels)
    theirs = KNeighborsClassifier(7).fit(train, labels)
    np.testing.assert_array_equal(ours.predict(test), theirs.predict(test))
    np.testing.assert_allclose(ours.predict_proba(test), theirs.predict_proba(test))


@pytest.mark.parametrize(("trials", "neighbours"), [(6000, 77), (100, 10), (2, 1)])
def test_k_is_the_square_root_of_the_training_trials(trials, neighbours):
    features = np.random.default_rng(0).normal(size=(trials, 2)).astype(np.float32)
    assert NearestNeighbours().fit(features, np.arange(trials) % 2).k_ == neighbours


def test_knn_is_a_scikit_learn_estimator():
    train, labels = blobs()
    names = np.array(["rod", "ball", "cube"])[labels]
    fitted = clone(NearestNeighbours(5)).fit(train, names)
    assert set(fitted.predict(train)) <= {"rod", "ball", "cube"}
    assert fitted.score(train, names) > 0.6
    with pytest.raises(ValueError, match="only 90 training trials"):
        NearestNeighbours(91).fit(train, labels)


def test_unit_scale_makes_the_mean_square_one_and_keeps_proportions():
    features, _ = blobs()
    scaled = UnitScale().fit_transform(features * 40)
    assert np.mean(scaled**2) == pytest.approx(1)
    np.testing.assert_allclose(scaled / scaled[0, 0], features / features[0, 0], rtol=1e-4)


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("trials", [4, 90])
def test_every_probe_learns_from_few_trials_and_many(name, trials):
    features, labels = blobs(n=trials, classes=2)
    labels[:2] = [0, 1]
    probe = make_probe(name, trials, features.shape[1], seed=0).fit(features, labels)
    assert probe.predict(features).shape == (trials,)
    assert probe.score(features, labels) > 0.6


@pytest.mark.parametrize("name", PROBES)
def test_a_wider_encoder_is_not_regularised_less(name):
    train, labels = blobs(0, classes=2)
    test, _ = blobs(1, classes=2)
    narrow = make_probe(name, 90, 12, seed=0).fit(train, labels).predict(test)
    wide = make_probe(name, 90, 48, seed=0).fit(np.tile(train, 4), labels).predict(np.tile(test, 4))
    assert (narrow == wide).mean() > 0.95


def test_an_unknown_probe_is_named_with_those_there_are():
    with pytest.raises(ContractError, match=r"'forest'.*knn, svm, mlp, linear"):
        make_probe("forest", 10, 10, seed=0)

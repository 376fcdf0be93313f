from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from visuotactile.errors import ContractError
from visuotactile.probes.estimators import PROBES, NearestNeighbours, check_probe

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


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("name", PROBES)
def test_every_probe_learns_classes_and_numbers(name, numbers):
    features, labels = blobs(classes=2)
    probe = PROBES[name]
    if numbers:
        labels = (labels - labels.mean()) / labels.std()
    made = (probe.regressor if numbers else probe.classifier)(90, 0, probe.usual).fit(features, labels)
    assert made.predict(features).shape == (90,)
    assert made.score(features, labels) > (0.3 if numbers else 0.6)
    assert probe.usual in probe.strengths


def test_an_unknown_probe_is_named_with_those_there_are():
    with pytest.raises(ContractError, match=r"'forest'.*knn, svm, mlp, linear"):
        check_probe("forest")

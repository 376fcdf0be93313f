"""Probes: simple scikit-learn estimators fitted to a frozen encoder's features.

Their settings are constants, the same for every encoder and baseline: nothing is tuned on test data, and
no row is favoured. Features are first standardised and reduced by PCA (fitted on the training side only),
then divided by one number so that their mean square is 1; otherwise a wider encoder would be regularised
less. PCA keeps one component for every 8 labelled trials, at most 128: with fewer trials each, weights fit
noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from visuotactile.errors import ContractError

TRIALS_PER_COMPONENT = 8
MOST_COMPONENTS = 128
# Below this, the tenth of the trials that early stopping sets aside is too few to stop by.
EARLY_STOPPING_FROM = 1000


class NearestNeighbours(ClassifierMixin, BaseEstimator):
    """k nearest neighbours by Euclidean distance, exact, on faiss.

    On standardised features, Euclidean distance weights the means and the deviations of a clip's features
    equally. Cosine similarity would not: it is dominated by whichever of the two is larger.

    Args:
        n_neighbors: k; None takes the square root of the number of training trials, as the paper does
            (77 for 6,000).
    """

    def __init__(self, n_neighbors: int | None = None) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any) -> Self:
        """Index features [n, D] with their labels [n]."""
        X, y = validate_data(self, X, y, dtype=np.float32, order="C")
        self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        self.k_ = self.n_neighbors or max(1, round(math.sqrt(len(X))))
        if self.k_ > len(X):
            raise ValueError(f"n_neighbors is {self.k_}, but there are only {len(X)} training trials")
        self.index_ = faiss.IndexFlatL2(X.shape[1])
        self.index_.add(X)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of each class among the k neighbours: [n, classes]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        _, neighbours = self.index_.search(X, self.k_)
        shares: NDArray[np.float64] = np.eye(len(self.classes_))[self.labels_[neighbours]].mean(axis=1)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """The most frequent class among the neighbours; the lowest of those that tie, as in scikit-learn."""
        chosen: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return chosen


class UnitScale(TransformerMixin, BaseEstimator):
    """Divide all features by one number, so that their mean square over the training trials is 1."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Measure features [n, D]."""
        X = validate_data(self, X)
        self.scale_ = float(np.sqrt(np.mean(np.square(X)))) or 1.0
        return self

    def transform(self, X: Any) -> NDArray[np.floating[Any]]:
        """Features [n, D], divided."""
        check_is_fitted(self)
        scaled: NDArray[np.floating[Any]] = validate_data(self, X, reset=False) / self.scale_
        return scaled


def _knn(n_train: int, seed: int) -> Any:
    return NearestNeighbours()


def _svm(n_train: int, seed: int) -> Any:
    return SVC(kernel="rbf", C=1.0, gamma="scale")


def _mlp(n_train: int, seed: int) -> Any:
    # One hidden layer and strong weight decay: with some hundred trials, anything larger memorises them.
    return MLPClassifier(
        hidden_layer_sizes=(64,),
        alpha=1.0,
        max_iter=300,
        early_stopping=n_train >= EARLY_STOPPING_FROM,
        random_state=seed,
    )


def _linear(n_train: int, seed: int) -> Any:
    return LogisticRegression(C=1.0, max_iter=2000)


PROBES: dict[str, Callable[[int, int], Any]] = {"knn": _knn, "svm": _svm, "mlp": _mlp, "linear": _linear}
"""Name → factory(number of training trials, seed) of a classifier."""

TITLES = {"knn": "kNN", "svm": "SVM", "mlp": "MLP", "linear": "Linear"}


def title(probe: str) -> str:
    """Title of a probe in tables."""
    return TITLES.get(probe, probe)


def check_probe(name: str) -> str:
    """Return the name if it is a probe's; raise `ContractError` otherwise."""
    if name not in PROBES:
        raise ContractError(f"unknown probe {name!r}; expected one of {', '.join(PROBES)}")
    return name


def make_probe(name: str, n_train: int, n_features: int, seed: int) -> Pipeline:
    """The probe `name`, ready to fit `n_train` trials of `n_features` features.

    Raises:
        ContractError: the table has no such probe.
    """
    components = min(MOST_COMPONENTS, max(2, n_train // TRIALS_PER_COMPONENT), n_train, n_features)
    return make_pipeline(
        StandardScaler(),
        # Wide features are decomposed from random projections; a fixed seed makes that reproducible.
        PCA(components, random_state=0),
        UnitScale(),
        PROBES[check_probe(name)](n_train, seed),
    )

"""Probes: simple scikit-learn estimators fitted to a frozen encoder's features.

Each comes as a classifier and as a regressor, and at a few strengths of regularisation, of which `nested`
chooses on the training side, for every encoder and baseline alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR
from sklearn.utils.validation import check_is_fitted, validate_data

from visuotactile.errors import ContractError

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
        self.k_ = self.n_neighbors or neighbours(len(X))
        if self.k_ > len(X):
            raise ValueError(f"n_neighbors is {self.k_}, but there are only {len(X)} training trials")
        self.index_ = faiss.IndexFlatL2(X.shape[1])
        self.index_.add(X)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of each class among the k neighbours: [n, classes]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        _, nearest = self.index_.search(X, self.k_)
        shares: NDArray[np.float64] = np.eye(len(self.classes_))[self.labels_[nearest]].mean(axis=1)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """The most frequent class among the neighbours; the lowest of those that tie, as in scikit-learn."""
        chosen: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return chosen


def neighbours(trials: int, factor: float = 1.0) -> int:
    """k for so many training trials: their square root, times a factor."""
    return min(trials, max(1, round(factor * math.sqrt(trials))))


Make = Callable[[int, int, float], Any]
"""(training trials, seed, strength) → estimator."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One kind of probe.

    Attributes:
        title: title in tables.
        classifier: makes an estimator of classes.
        regressor: makes an estimator of numbers, whose mean is 0 and deviation 1.
        strengths: settings to choose from, the strongest regularisation first.
        usual: setting where there are too few trials to choose.
        components_of: probe whose number of components it takes, or None to choose its own.
        search: settings while strengths are compared.
    """

    title: str
    classifier: Make
    regressor: Make
    strengths: tuple[float, ...]
    usual: float
    components_of: str | None = None
    search: Mapping[str, Any] = field(default_factory=dict)


def _mlp(kind: type) -> Make:
    # One hidden layer and strong weight decay: with some hundred trials, anything larger memorises them.
    return lambda trials, seed, decay: kind(
        hidden_layer_sizes=(64,),
        alpha=decay,
        max_iter=300,
        early_stopping=trials >= EARLY_STOPPING_FROM,
        random_state=seed,
    )


PROBES: dict[str, Probe] = {
    "knn": Probe(
        title="kNN",
        classifier=lambda trials, seed, factor: NearestNeighbours(neighbours(trials, factor)),
        regressor=lambda trials, seed, factor: KNeighborsRegressor(neighbours(trials, factor)),
        strengths=(2.0, 1.0, 0.5),
        usual=1.0,
    ),
    "svm": Probe(
        title="SVM",
        classifier=lambda trials, seed, C: SVC(C=C),
        regressor=lambda trials, seed, C: SVR(C=C),
        strengths=(0.1, 1.0, 10.0),
        usual=1.0,
    ),
    "mlp": Probe(
        title="MLP",
        classifier=_mlp(MLPClassifier),
        regressor=_mlp(MLPRegressor),
        strengths=(10.0, 1.0, 0.1),
        usual=1.0,
        # A fit takes a hundred times as long as one of the others.
        components_of="linear",
        search={"max_iter": 100},
    ),
    "linear": Probe(
        title="Linear",
        classifier=lambda trials, seed, C: LogisticRegression(C=C, max_iter=2000),
        regressor=lambda trials, seed, C: Ridge(alpha=1 / C),
        strengths=(0.01, 0.1, 1.0, 10.0),
        usual=1.0,
    ),
}
"""Name → kind of probe."""


def title(probe: str) -> str:
    """Title of a probe in tables."""
    return PROBES[probe].title if probe in PROBES else probe


def check_probe(name: str) -> str:
    """Return the name if it is a probe's; raise `ContractError` otherwise."""
    if name not in PROBES:
        raise ContractError(f"unknown probe {name!r}; expected one of {', '.join(PROBES)}")
    return name

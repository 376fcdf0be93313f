"""Embedding of features in the plane, its trustworthiness, and neighbourhoods in feature space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

from visuotactile.datasets.samples import has_value
from visuotactile.datasets.store import Store
from visuotactile.errors import ContractError
from visuotactile.training.monitors import feature_spread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# t-SNE and UMAP start from this many principal components, as usual: the rest is mostly noise.
COMPONENTS = 50
PERPLEXITY = 30.0
UMAP_NEIGHBOURS = 15
NEIGHBOURS = 10
FEWEST = 8
# Features of this rank or a lower one have collapsed: a network's usually have the rank of the trials.
LOW_RANK = 2
# Spread of the features (`training.monitors`) below which they have nearly collapsed; random networks have
# 0.05 or more, on raw images and on differences.
COLLAPSED = 0.01
# Points are at one place if they are as near as this share of the largest distance from the middle.
SAME = 1e-6
# Power of two beyond which features are brought to the order of 1.
EXTREME = 40
# A whole-numbered column with at most this many values is a set of categories.
MOST_NUMBERED_CATEGORIES = 12


@dataclass(frozen=True)
class Points:
    """Points of a map: a trial each, or a trial in one modality.

    Attributes:
        trials: [n] index among the plotted trials.
        modality: [n] index of the modality; all 0 where there are none.
        modalities: names, from the darkest to the lightest; empty for an encoder's features.
    """

    trials: Ints
    modality: Ints
    modalities: tuple[str, ...] = ()

    @classmethod
    def of(cls, trials: int, modalities: tuple[str, ...]) -> Points:
        """Points trial by trial, each with all its modalities, so that no modality covers another."""
        count = max(1, len(modalities))
        every = np.arange(trials * count)
        return cls(every // count, every % count, modalities)

    def chosen(self, which: NDArray[np.bool_]) -> Points:
        """Some of the points."""
        return Points(self.trials[which], self.modality[which], self.modalities)


@dataclass(frozen=True)
class Color:
    """Column that colours the points.

    Attributes:
        name: name of the column.
        values: [n] index into `categories`, or the numbers themselves where there are no categories; NaN
            where a trial has none.
        categories: names, or None for a numeric column.
    """

    name: str
    values: Floats
    categories: tuple[str, ...] | None


@dataclass(frozen=True)
class Agreement:
    """Agreement of a point's colour with that of its nearest neighbours in feature space.

    Attributes:
        kind: "purity", the share of neighbours of the same category, or "correlation", of the number
            with its neighbours' mean.
        value: the purity or the correlation.
        chance: value for random neighbours.
        others: True if only neighbours of other objects count.
    """

    kind: str
    value: float
    chance: float
    others: bool


def read_color(store: Store, name: str, trials: Ints) -> Color:
    """Read a column of the store for some trials; hidden truth may colour a map, but is never a target."""
    found = store.column(name)[trials]
    numbers = found.astype(np.float64) if found.dtype.kind in "fiub" else None
    known = found[has_value(found)]
    whole = numbers is not None and bool((known == np.round(known)).all())
    if numbers is not None and not (whole and len(np.unique(known)) <= MOST_NUMBERED_CATEGORIES):
        return Color(name, numbers, None)
    values, index = np.unique(found, return_inverse=True)
    names = [
        (value if isinstance(value, str) else f"{value:g}") if has_value(values[place]) else "(none)"
        for place, value in enumerate(values.tolist())
    ]
    return Color(name, index.astype(np.float64), tuple(names))


def rank(features: NDArray[np.float32]) -> int:
    """Numerical rank of features [n, D] around their mean; 0 where all are identical but for rounding."""
    wide = _rescaled(features)
    centred = wide - wide.mean(axis=0)
    products = centred @ centred.T if len(wide) < wide.shape[1] else centred.T @ centred
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(products), 0))
    # As `np.linalg.matrix_rank` has it for float32, beside the size of the features themselves.
    tolerance = np.linalg.norm(wide) * max(wide.shape) * np.finfo(np.float32).eps
    return int((values > tolerance).sum())


def collapse(name: str, features: NDArray[np.float32], distinct: int) -> str | None:
    """Sentence on features [n, D] that are identical, of a low rank or nearly so; None for others.

    Args:
        name: of the encoder or joint space.
        features: of each point.
        distinct: number of different places on the map.
    """
    n, found = len(features), rank(features)
    spread = float(feature_spread(torch.from_numpy(_rescaled(features))))
    if found == 0:
        return (
            f"{name}: the features of all {n} points are identical (rank 0), so that all lie at one place: "
            "the network has collapsed, or its images are all the same."
        )
    if found <= LOW_RANK < min(n - 1, features.shape[1]):
        differ = f"; only {distinct} of {n} points differ" if distinct < n else ""
        why = "the network has collapsed, or few images differ"
        return f"{name}: the features have rank {found}{differ}: {why}."
    if distinct < n:
        return f"{name}: {distinct} of {n} points have features of their own; equal ones lie at one place."
    if spread < COLLAPSED:
        return (
            f"{name}: the features hardly differ (spread {spread:.1g}, where 0 is collapsed and 1 is even; "
            f"rank {found}), which the map magnifies."
        )
    return None


def _rescaled(features: NDArray[np.float32]) -> Floats:
    """Features in float64; by a power of two where they are so small or large that squares would vanish."""
    wide = features.astype(np.float64)
    exponent = int(np.frexp(np.abs(wide).max(initial=0.0))[1])
    return np.ldexp(wide, -exponent) if abs(exponent) > EXTREME else wide


def reduce(features: NDArray[np.float32], *, standardise: bool = True) -> Floats:
    """Reduce features [n, D], standardised or not, to their principal components [n, at most 50].

    Identical features become zeros [n, 1]: standardised, their rounding would look like structure.
    """
    if rank(features) == 0:
        return np.zeros((len(features), 1))
    scaled = _rescaled(features)
    if standardise:
        scaled = StandardScaler().fit_transform(scaled)
    components = min(COMPONENTS, *scaled.shape)
    return np.asarray(PCA(components, random_state=0).fit_transform(scaled), np.float64)


def distinct(reduced: Floats) -> tuple[Ints, Ints]:
    """First point of each place in feature space, in order, and the number of each point's place [n]."""
    cells = np.round(reduced / max(float(np.abs(reduced).max()), 1e-300) / SAME)
    _, first, place = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order].astype(np.int64), np.argsort(order)[place.ravel()].astype(np.int64)


def lay_out(reduced: Floats, method: str, seed: int) -> Floats:
    """Embed the reduced features in the plane: [n, 2], centred, the longer axis reaching ±1.

    Equal features lie at one place, without jitter: t-SNE would crash on them, or spread them like others.
    Fewer than 8 different ones, too few for a neighbourhood, are laid out by their principal components.

    Raises:
        ContractError: the method is unknown or not installed, or the trials are too few.
    """
    n = len(reduced)
    if n < FEWEST:
        raise ContractError(f"{n} trials are too few for a map; give at least {FEWEST}")
    if method not in ("tsne", "umap"):
        raise ContractError(f"unknown map method {method!r}; expected tsne or umap")
    first, place = distinct(reduced)
    some = reduced[first]
    some = np.pad(some, ((0, 0), (0, max(0, 2 - some.shape[1]))))
    if len(some) < FEWEST:
        points = some[:, :2]
    elif method == "umap":
        points = _umap(some, seed)
    else:
        # The perplexity must be below a third of the number of points.
        tsne = TSNE(2, perplexity=min(PERPLEXITY, (len(some) - 1) / 3), init="pca", random_state=seed)
        points = tsne.fit_transform(some)
    points = np.asarray(points, np.float64)[place]
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(points / max(float(np.abs(points).max()), 1e-12))


def _umap(reduced: Floats, seed: int) -> Any:
    try:
        from umap import UMAP
    except ImportError:
        raise ContractError(
            "UMAP is not installed; pip install 'visuotactile[umap]', or use --method tsne"
        ) from None
    neighbours = min(UMAP_NEIGHBOURS, len(reduced) - 1)
    # One job, since UMAP is only reproducible in one thread.
    return UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(reduced)


def trust(reduced: Floats, points: Floats) -> float | None:
    """Trustworthiness, 0 to 1: the extent to which neighbours on the map are neighbours in feature space.

    None where all features are equal, so that no point has neighbours.
    """
    if not np.ptp(reduced, axis=0).any():
        return None
    return float(trustworthiness(reduced, points, n_neighbors=min(NEIGHBOURS, (len(points) - 1) // 2)))


def agreement(reduced: Floats, color: Color, objects: Ints, points: Points | None = None) -> Agreement | None:
    """Agreement in colour of neighbours in feature space; None for one colour, or equal features.

    With several modalities, neighbours come from the others, and not from the same trial: a space that is
    sorted within each modality need not be a joint one. Where the colour varies within an object, neighbours
    of the same object are left out: that one object's trials look alike says little about the colour.
    """
    values = color.values
    known = ~np.isnan(values)
    if not known.all():
        some = None if points is None else points.chosen(known)
        return agreement(reduced[known], replace(color, values=values[known]), objects[known], some)
    if len(np.unique(values)) < 2 or not np.ptp(reduced, axis=0).any():
        return None
    others = any(len(np.unique(values[objects == number])) > 1 for number in np.unique(objects))
    distances = pairwise_distances(reduced)
    allowed = objects[:, None] != objects[None] if others else ~np.eye(len(values), dtype=bool)
    if points is not None and points.modalities:
        allowed &= points.modality[:, None] != points.modality
        allowed &= points.trials[:, None] != points.trials
    distances[~allowed] = np.inf
    counted = allowed.sum(axis=1) >= NEIGHBOURS
    if not counted.any():
        return None
    nearest = np.argsort(distances, axis=1, kind="stable")[counted, :NEIGHBOURS]
    if color.categories is None:
        means = values[nearest].mean(axis=1)
        if np.ptp(means) == 0 or np.ptp(values[counted]) == 0:
            return None
        return Agreement("correlation", float(np.corrcoef(values[counted], means)[0, 1]), 0.0, others)
    same = values[:, None] == values[None]
    chance = ((same & allowed).sum(axis=1) / np.maximum(allowed.sum(axis=1), 1))[counted].mean()
    return Agreement(
        "purity", float((values[nearest] == values[counted, None]).mean()), float(chance), others
    )

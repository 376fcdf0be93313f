"""Out-of-fold predictions: every probe fitted on every fold for every entry."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from visuotactile.parallel import parallel
from visuotactile.probes.estimators import make_probe
from visuotactile.probes.metrics import (
    METRICS,
    PER_OBJECT,
    WITHIN,
    Metric,
    Predictions,
    auroc,
)
from visuotactile.probes.rows import MAJORITY, Entry, Features
from visuotactile.probes.task import Task
from visuotactile.progress import track
from visuotactile.reports.intervals import Estimate, estimate, gain, mean

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# The simplest probe is enough for the label-budget curve.
BUDGET_PROBE = "linear"
BUDGET_DRAWS = 3
BUDGET_RESAMPLES = 500


@dataclass(frozen=True)
class Job:
    """One fit: which features, which labels, which trials."""

    probe: str
    features: Features = field(repr=False)
    train: Ints
    test: Ints
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """Out-of-fold predictions of every entry, and figures from them.

    Attributes:
        task: the prediction task.
        entries: rows and baselines.
        predictions: (entry's name, probe) → one `Predictions` for each seed.
        budgets: (entry's name, share of the training trials) → one for each seed and draw.
        counts: [draws, units] the resamples; the same for all figures, so that differences are paired.
    """

    task: Task
    entries: tuple[Entry, ...]
    predictions: dict[tuple[str, str], list[Predictions]]
    budgets: dict[tuple[str, float], list[Predictions]]
    counts: Floats
    _cache: dict[tuple[str, str, str], Estimate] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Metric]:
        """Metrics of this task: within strata where it has them, per object unless that is the target."""
        left_out = {WITHIN: not self.task.within, PER_OBJECT: self.task.predicts_object}
        return {name: metric for name, metric in METRICS.items() if not left_out.get(name, False)}

    @property
    def methods(self) -> dict[str, list[Entry]]:
        """The entries by method, in the order given."""
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault(entry.method, []).append(entry)
        return groups

    def estimate(self, entry: Entry, probe: str, metric: str) -> Estimate:
        """A figure of one entry."""
        key = entry.name, probe, metric
        if key not in self._cache:
            self._cache[key] = estimate(self.metrics[metric], self.predictions[key[:2]], self.counts)
        return self._cache[key]

    def of_method(self, method: str, probe: str, metric: str) -> Estimate:
        """The mean of a figure over the method's entries."""
        return mean(self.estimate(entry, probe, metric) for entry in self.methods[method])

    def gain(self, method: str, probe: str, metric: str) -> Estimate | None:
        """Gain of a pretrained method over its untrained encoder; None for the baselines."""
        entries = self.methods[method]
        if entries[0].untrained is None:
            return None
        ours, baseline = (
            [self.estimate(entry, probe, metric) for entry in group]
            for group in (entries, self.methods[entries[0].untrained])
        )
        return gain(ours, baseline, self.task.seeds[0])

    def budget(self, method: str, share: float) -> Estimate | None:
        """AUROC when only this share of the training trials is labelled; None for entries without a probe."""
        runs = [self.budgets[entry.name, share] for entry in self.methods[method] if not entry.only]
        if not runs:
            return None
        return mean(estimate(auroc, run, self.counts[:BUDGET_RESAMPLES]) for run in runs)


def evaluate(
    task: Task,
    entries: Sequence[Entry],
    counts: Floats,
    *,
    probes: Sequence[str],
    budgets: Sequence[float],
    n_jobs: int = 1,
) -> Evaluation:
    """Fit and predict: entries × probes × seeds × folds, and the label budgets.

    Args:
        task: the prediction task.
        entries: rows and baselines.
        counts: [draws, units], from `metrics.draw_units`.
        probes: names from the table of estimators.
        budgets: shares of the training trials, in (0, 1].
        n_jobs: folds at once, through joblib's current backend (processes here; a cluster under Dask or Ray).
    """
    keys: list[tuple[str, str, int, int, float]] = []
    jobs: list[Job] = []
    for entry in entries:
        wanted = [entry.only] if entry.only else list(probes)
        for split, seed in enumerate(task.seeds):
            for fold, (train, test) in enumerate(task.folds(split)):
                features = entry.features(task.splits[split], fold)
                for probe in wanted:
                    keys.append((entry.name, probe, split, 0, 0.0))
                    jobs.append(Job(probe, features, train, test, seed))
                for share in budgets if entry.only is None else ():
                    for draw, few in enumerate(_subsets(task.labels, train, share, seed, fold)):
                        keys.append((entry.name, BUDGET_PROBE, split, draw, share))
                        jobs.append(Job(BUDGET_PROBE, features, few, test, seed))
    answers = _run(jobs, task.labels, len(task.classes), n_jobs)
    pieces: dict[tuple[str, str, int, int, float], list[tuple[Ints, Ints, Floats]]] = {}
    for key, job, (predicted, scores) in zip(keys, jobs, answers, strict=True):
        pieces.setdefault(key, []).append((job.test, predicted, scores))
    predictions: dict[tuple[str, str], list[Predictions]] = {}
    curves: dict[tuple[str, float], list[Predictions]] = {}
    for (name, probe, _, _, share), folds in pieces.items():
        found = _pool(task, folds)
        if share:
            curves.setdefault((name, share), []).append(found)
        else:
            predictions.setdefault((name, probe), []).append(found)
    for entry in entries:
        if entry.only:
            always = predictions.pop((entry.name, entry.only))
            predictions |= {(entry.name, probe): always for probe in probes}
    return Evaluation(task, tuple(entries), predictions, curves, counts)


def fit_predict(job: Job, labels: Ints, n_classes: int) -> tuple[Ints, Floats]:
    """Fit on the job's training trials and predict its test trials.

    Returns:
        the predicted classes [m], and the scores [m, n_classes]: the decision function where the estimator
        has one, else probabilities; of more than two classes probabilities first.
    """
    train, test = job.features[job.train], job.features[job.test]
    if job.probe == MAJORITY:
        # Of all trials: where classes are about balanced, the majority of the training side changes from
        # fold to fold, and is wrong more often than not. A baseline must not be that weak.
        return np.full(len(test), np.bincount(labels[labels >= 0]).argmax()), np.zeros((len(test), n_classes))
    probe = make_probe(job.probe, len(train), train.shape[1], job.seed)
    # Features and settings are checked already; checking them in each of thousands of small fits takes time.
    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        # The number of steps is part of a probe's fixed settings; reaching it needs no warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train, labels[job.train])
    # Logits of several classes rank the classes of one trial, but not the trials of one class.
    ways = ("predict_log_proba", "predict_proba", "decision_function")
    several = len(probe.classes_) > 2
    way = next(way for way in (ways if several else ways[::-1]) if hasattr(probe, way))
    with np.errstate(divide="ignore"):
        raw = getattr(probe, way)(test)
    if raw.ndim == 1:
        raw = np.stack([-raw, raw], axis=1)
    # A class that the training side lacks is ranked below all others.
    scores = np.full((len(test), n_classes), -np.inf)
    scores[:, probe.classes_] = raw
    return probe.predict(test), scores


def _run(jobs: list[Job], labels: Ints, n_classes: int, n_jobs: int) -> list[tuple[Ints, Floats]]:
    # Each fit is small: threads inside it cost more than they bring, and would fight over the cores.
    with threadpool_limits(1):
        answers = parallel(n_jobs, fit_predict, [(job, labels, n_classes) for job in jobs], "auto")
        return list(track(answers, "fitting probes", len(jobs)))


def _pool(task: Task, folds: list[tuple[Ints, Ints, Floats]]) -> Predictions:
    trials, predicted, scores = (np.concatenate(part) for part in zip(*folds, strict=True))
    return Predictions(
        trials=trials,
        labels=task.labels[trials],
        predicted=predicted,
        scores=scores,
        objects=task.objects[trials],
        units=task.units[trials],
        folds=np.repeat(np.arange(len(folds)), [len(test) for test, _, _ in folds]),
        strata=None if task.strata is None else task.strata[trials],
    )


def _subsets(labels: Ints, train: Ints, share: float, seed: int, fold: int) -> list[Ints]:
    """Some draws of a share of the training trials, every class in proportion and none left out."""
    if share >= 1:
        return [train]
    # The same draws for every entry, so that their curves differ by the features alone.
    rng = np.random.default_rng([seed, fold, round(share * 1e6)])
    draws = []
    for _ in range(BUDGET_DRAWS):
        parts = []
        for label in np.unique(labels[train]):
            members = train[labels[train] == label]
            parts.append(rng.choice(members, max(1, round(share * len(members))), replace=False))
        draws.append(np.sort(np.concatenate(parts)))
    return draws

"""Out-of-fold predictions: every probe fitted on every fold for every entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from visuotactile.parallel import parallel
from visuotactile.probes.metrics import (
    BY_GROUP,
    METRICS,
    PER_OBJECT,
    WITHIN,
    Predictions,
    auroc,
    top_share,
)
from visuotactile.probes.nested import fit_probes
from visuotactile.probes.rows import MAJORITY, NUISANCE, UNTRAINED, Entry, Features
from visuotactile.probes.task import Task
from visuotactile.progress import track
from visuotactile.reports.intervals import Estimate, estimate, gain, mean
from visuotactile.reports.regression import ERRORS, Numbers, r2

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# The simplest probe is enough for the label-budget curve.
BUDGET_PROBE = "linear"
BUDGET_DRAWS = 3
BUDGET_RESAMPLES = 500
FEWEST_NUMBERS = 4
"""Fewest labelled trials of a budget of numbers."""

OF_NUMBERS = ("r2", "rmse", "spearman")
LOWER = ("rmse",)
"""Metrics of which the lower is better."""


@dataclass(frozen=True)
class Job:
    """Fits on one training side: which features, which labels, which trials."""

    probes: tuple[str, ...]
    features: Features = field(repr=False)
    train: Ints
    test: Ints
    groups: Ints
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """Out-of-fold predictions of every entry, and figures from them.

    Attributes:
        task: the prediction task.
        entries: rows, baselines and nuisances.
        predictions: (entry's name, probe) → predictions for each seed.
        budgets: (entry's name, share of the training trials) → one for each seed and draw.
        counts: [draws, units] the resamples; the same for all figures, so that differences are paired.
    """

    task: Task
    entries: tuple[Entry, ...]
    predictions: dict[tuple[str, str], list[Any]]
    budgets: dict[tuple[str, float], list[Any]]
    counts: Floats
    _cache: dict[tuple[str, str, str], Estimate] = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics of this task: within strata where it has them, per object unless that is the target."""
        if self.task.numbers is not None:
            return {name: ERRORS[name] for name in OF_NUMBERS}
        left_out = {
            WITHIN: not self.task.within,
            PER_OBJECT: self.task.predicts_object,
            BY_GROUP: len(self.task.classes) != 2 or self.task.predicts_object,
        }
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

    def best(self, methods: Sequence[str], probe: str, metric: str) -> str | None:
        """The best of several methods by a figure; None where it is undefined for all."""
        values = {name: self.of_method(name, probe, metric).value for name in methods}
        known = {name: -value if metric in LOWER else value for name, value in values.items()}
        known = {name: value for name, value in known.items() if np.isfinite(value)}
        return max(known, key=lambda name: known[name]) if known else None

    def best_baseline(self, method: str, probe: str, metric: str) -> str | None:
        """The best baseline of a method's kind; None for the baselines themselves.

        It is chosen on the tested trials, which favours the baseline.
        """
        return self.best(self.methods[method][0].baselines, probe, metric)

    def untrained(self, method: str) -> str | None:
        """The untrained networks of a method's kind; None for the baselines themselves."""
        named = self.methods[method][0].baselines
        return next((name for name in named if self.methods[name][0].kind == UNTRAINED), None)

    def gain(self, method: str, baseline: str, probe: str, metric: str) -> Estimate:
        """Gain of a method over another; above 0 is better, whatever the metric."""
        ours, theirs = (
            [self.estimate(entry, probe, metric) for entry in self.methods[name]]
            for name in (method, baseline)
        )
        drawn = self.untrained(method)
        also = [self.estimate(entry, probe, metric) for entry in self.methods[drawn]] if drawn else ()
        found = gain(ours, theirs, self.task.seeds[0], also=() if drawn == baseline else also)
        return Estimate(-found.per_seed, -found.resampled) if metric in LOWER else found

    @property
    def budget_metric(self) -> str:
        """Metric of the label-budget curve."""
        return "auroc" if self.task.numbers is None else "r2"

    def budget(self, method: str, share: float) -> Estimate | None:
        """Figure when only this share of the training trials is labelled; None for entries without one."""
        runs = [run for entry in self.methods[method] if (run := self.budgets.get((entry.name, share)))]
        metric: Any = auroc if self.task.numbers is None else r2
        return mean(estimate(metric, run, self.counts[:BUDGET_RESAMPLES]) for run in runs) if runs else None


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
        entries: rows, baselines and nuisances; nuisances have no label budget.
        counts: [draws, units], from `metrics.draw_units`.
        probes: names from the table of estimators.
        budgets: shares of the training trials, in (0, 1].
        n_jobs: folds at once, through joblib's current backend (processes here; a cluster under Dask or Ray).
    """
    keys: list[tuple[str, int, int, float]] = []
    jobs: list[Job] = []
    groups = [task.groups(split) for split in range(len(task.splits))]
    for entry in entries:
        wanted = (entry.only,) if entry.only else tuple(probes)
        curve = budgets if _has_budget(entry) else ()
        for split, seed in enumerate(task.seeds):
            for fold, (train, test) in enumerate(task.folds(split)):
                features = entry.features(task.splits[split], fold)
                keys.append((entry.name, split, 0, 0.0))
                jobs.append(Job(wanted, features, train, test, groups[split], seed))
                for share in curve:
                    if share >= 1 and BUDGET_PROBE in wanted:
                        continue
                    for draw, few in enumerate(_subsets(task, train, share, seed, fold)):
                        keys.append((entry.name, split, draw, share))
                        jobs.append(Job((BUDGET_PROBE,), features, few, test, groups[split], seed))
    answers = _run(jobs, task.known, len(task.classes), n_jobs)
    pieces: dict[tuple[str, str, int, int, float], list[tuple[Job, Answer]]] = {}
    for (name, split, draw, share), job, answer in zip(keys, jobs, answers, strict=True):
        for probe, found in answer.items():
            pieces.setdefault((name, probe, split, draw, share), []).append((job, found))
    predictions: dict[tuple[str, str], list[Any]] = {}
    curves: dict[tuple[str, float], list[Any]] = {}
    for (name, probe, _, _, share), folds in pieces.items():
        pooled = _pool(task, folds)
        if share:
            curves.setdefault((name, share), []).append(pooled)
        else:
            predictions.setdefault((name, probe), []).append(pooled)
    for entry in entries:
        if entry.only:
            always = predictions.pop((entry.name, entry.only))
            predictions |= {(entry.name, probe): always for probe in probes}
        elif BUDGET_PROBE in probes and _has_budget(entry):
            whole = predictions[entry.name, BUDGET_PROBE]
            curves |= {(entry.name, share): whole for share in budgets if share >= 1}
    return Evaluation(task, tuple(entries), predictions, curves, counts)


def _has_budget(entry: Entry) -> bool:
    return entry.only is None and entry.kind != NUISANCE


Answer = tuple[NDArray[Any], Floats]
"""Predicted classes or numbers [m], and scores [m, classes]."""


def fit_predict(job: Job, known: NDArray[Any], n_classes: int) -> dict[str, Answer]:
    """Fit on the job's training trials and predict its test trials, with each of its probes.

    Returns:
        probe → the predicted classes or numbers [m], and the scores [m, n_classes].
    """
    train, test = job.features[job.train], job.features[job.test]
    numbers = known.dtype.kind == "f"
    if job.probes == (MAJORITY,):
        # Of all trials: where classes are about balanced, the majority of the training side changes from
        # fold to fold, and is wrong more often than not. A baseline must not be that weak.
        constant = known[job.train].mean() if numbers else np.bincount(known[known >= 0]).argmax()
        return {MAJORITY: (np.full(len(test), constant), np.zeros((len(test), n_classes)))}
    found = fit_probes(job.probes, train, test, known[job.train], job.groups[job.train], job.seed)
    answers = {}
    for name, probe in found.items():
        # A class that the training side lacks is ranked below all others.
        scores = np.full((len(test), n_classes), -np.inf)
        if not numbers:
            scores[:, probe.estimator.classes_] = probe.scores()
        answers[name] = probe.predicted(), scores
    return answers


def _run(jobs: list[Job], known: NDArray[Any], n_classes: int, n_jobs: int) -> list[dict[str, Answer]]:
    # Each fit is small: threads inside it cost more than they bring, and would fight over the cores.
    with threadpool_limits(1):
        answers = parallel(n_jobs, fit_predict, [(job, known, n_classes) for job in jobs], "auto")
        return list(track(answers, "fitting probes", len(jobs)))


def _pool(task: Task, folds: list[tuple[Job, Answer]]) -> Predictions | Numbers:
    trials = np.concatenate([job.test for job, _ in folds])
    predicted = np.concatenate([found for _, (found, _) in folds])
    if task.numbers is not None:
        return Numbers(
            truth=task.numbers[trials], predicted=predicted.astype(np.float64), drawn=task.units[trials]
        )
    scores = np.concatenate([found for _, (_, found) in folds])
    shares = [top_share(found, task.objects[job.test], task.labels[job.train]) for job, (_, found) in folds]
    return Predictions(
        trials=trials,
        labels=task.labels[trials],
        predicted=predicted,
        scores=scores,
        objects=task.objects[trials],
        units=task.units[trials],
        folds=np.repeat(np.arange(len(folds)), [len(job.test) for job, _ in folds]),
        strata=None if task.strata is None else task.strata[trials],
        by_group=np.concatenate(shares) if len(task.classes) == 2 else None,
    )


def _subsets(task: Task, train: Ints, share: float, seed: int, fold: int) -> list[Ints]:
    """Some draws of a share of the training trials, every class in proportion and none left out."""
    labels = task.labels
    fewest = 1 if task.numbers is None else FEWEST_NUMBERS
    if share >= 1:
        return [train]
    # The same draws for every entry, so that their curves differ by the features alone.
    rng = np.random.default_rng([seed, fold, round(share * 1e6)])
    draws = []
    for _ in range(BUDGET_DRAWS):
        parts = []
        for label in np.unique(labels[train]):
            members = train[labels[train] == label]
            parts.append(rng.choice(members, max(fewest, round(share * len(members))), replace=False))
        draws.append(np.sort(np.concatenate(parts)))
    return draws

"""Metrics of numbers are scikit-learn's and SciPy's, also in every resample; thirds hold every trial."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from visuotactile.reports.intervals import draw_units, drawn_rows
from visuotactile.reports.regression import (
    ERRORS,
    STATED,
    Numbers,
    calibration,
    error_by,
    figures,
    r2,
    spearman,
    written,
)


def numbers(seed=0, trials=90, units=12, noise=0.3) -> Numbers:
    """Tied truths, as of samples pressed several times, and intervals that hold 90% of normal errors."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(units, size=trials)
    truth = np.round(rng.uniform(4, 6, units), 1)[drawn]
    predicted = truth + noise * rng.normal(size=trials)
    reach = 1.645 * noise
    return Numbers(
        truth=truth, predicted=predicted, drawn=drawn, low=predicted - reach, high=predicted + reach
    )


THEIRS = {
    "rmse": root_mean_squared_error,
    "mae": mean_absolute_error,
    "r2": r2_score,
    "spearman": lambda truth, predicted: spearmanr(truth, predicted).statistic,
    "bias": lambda truth, predicted: np.mean(predicted - truth),
}


@pytest.mark.parametrize("name", ERRORS)
def test_each_metric_is_the_known_one_in_every_resample(name):
    found = numbers()
    counts = draw_units(np.ones(12, bool), seed=1, draws=20)
    values = ERRORS[name](found, counts[:, found.drawn])
    for value, rows in zip(values, drawn_rows(found.drawn, counts), strict=True):
        assert value == pytest.approx(THEIRS[name](found.truth[rows], found.predicted[rows]), abs=1e-9)


def test_a_metric_that_equal_truths_leave_undefined_is_nan():
    same = Numbers(truth=np.full(5, 0.1), predicted=np.arange(5.0), drawn=np.arange(5))
    assert np.isnan(r2(same, np.ones((1, 5))))
    assert np.isnan(spearman(same, np.ones((1, 5))))
    report = figures([same], draw_units(np.ones(5, bool), 0), span=1.0)
    assert report["r2"]["value"] is None
    assert written("r2", report["r2"]) == "–"


def test_intervals_of_ninety_percent_hold_about_ninety_percent():
    found = numbers(trials=4000)
    row = calibration({0.9: [found]}, draw_units(np.ones(12, bool), 0))[0]
    assert row["held"]["value"] == pytest.approx(0.9, abs=0.02)
    narrow = Numbers(
        truth=found.truth,
        predicted=found.predicted,
        drawn=found.drawn,
        low=found.predicted,
        high=found.predicted,
    )
    assert STATED["coverage"](narrow, np.ones((1, 4000)))[0] < 0.01


def test_shares_are_of_the_range_and_a_scale_changes_the_unit():
    found, counts = numbers(), draw_units(np.ones(12, bool), 0)
    report = figures([found], counts, span=2.0)
    assert report["rmse_share"]["value"] == pytest.approx(report["rmse"]["value"] / 2, abs=1e-6)
    assert report["rmse_share"]["low"] < report["rmse_share"]["value"] < report["rmse_share"]["high"]
    tenfold = figures([found.on(lambda number: 10 * number)], counts, span=20.0)
    assert tenfold["rmse"]["value"] == pytest.approx(10 * report["rmse"]["value"], abs=1e-5)
    assert tenfold["width_share"] == report["width_share"]
    assert written("rmse_share", {"value": 0.041, "low": 0.03, "high": 0.052}) == "4.1 [3.0, 5.2]"


def test_errors_are_reported_for_each_of_few_values_and_for_thirds_of_many():
    found, counts = numbers(), draw_units(np.ones(12, bool), 0)
    radius = np.arange(90) % 3 * 2.0
    rows = error_by([found], [radius], counts, span=2.0)
    assert [(row["low"], row["high"], row["trials"]) for row in rows] == [(0, 0, 30), (2, 2, 30), (4, 4, 30)]
    same = numbers(units=1)
    alone = error_by([same], [np.zeros(90)], draw_units(np.ones(1, bool), 0), span=2.0)[0]
    assert alone["figures"]["rmse"]["low"] is None
    depth = np.random.default_rng(0).random(90)
    rows = error_by([found, found], [depth, depth], counts, span=2.0)
    assert [row["trials"] for row in rows] == [30, 30, 30]
    whole = figures([found], counts, 2.0)["mae"]["value"]
    assert np.mean([row["figures"]["mae"]["value"] for row in rows]) == pytest.approx(whole, abs=1e-5)

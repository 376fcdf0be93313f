"""Intervals against closed forms, scipy, and resamples written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind

from visuotactile.reports.intervals import (
    DRAWS,
    Estimate,
    draw_units,
    drawn_rows,
    format_figure,
    gain,
    mean,
    mean_over_units,
    pooled_spread,
    wilson,
    with_noise,
)


@pytest.mark.parametrize(
    ("hits", "count"), [(0, 5), (0, 10), (1, 10), (3, 7), (50, 96), (61, 64), (640, 640), (1, 1)]
)
def test_wilsons_interval_is_scipys(hits, count):
    expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert wilson(hits / count, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilsons_interval_solves_its_equation_for_a_share_that_is_no_whole_count():
    for share, count in ((0.4, 10), (0.95, 100), (0.123, 17)):
        for end in wilson(share, count):
            assert abs(share - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / count))
    assert wilson(0, 3)[0] == 0
    assert wilson(1, 3)[1] == 1


def test_wilsons_interval_holds_the_truth_in_nineteen_of_twenty_experiments():
    rng = np.random.default_rng(0)
    for truth in (0.25, 0.8, 0.95):
        shares = rng.binomial(640, truth, 2000) / 640
        held = [low <= truth <= high for low, high in (wilson(share, 640) for share in shares)]
        assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_a_mean_over_units_is_that_of_the_drawn_rows_written_out():
    rng = np.random.default_rng(0)
    values, units = rng.normal(size=60), rng.integers(7, size=60)
    counts = draw_units(np.ones(7, bool), seed=1)
    found = mean_over_units(values, units, counts)
    assert found.value == pytest.approx(values.mean())
    assert counts.shape == (DRAWS, 7)
    assert (counts.sum(axis=1) == 7).all()
    written_out = [values[rows].mean() for rows in drawn_rows(units, counts)]
    assert found.resampled == pytest.approx(np.array(written_out))


def test_a_single_unit_and_no_trial_at_all_have_no_interval():
    alone = draw_units(np.ones(1, bool), seed=0)
    found = mean_over_units([0.0, 1.0], [0, 0], alone)
    assert found.figure() == {"value": 0.5, "low": None, "high": None}
    assert list(drawn_rows(np.zeros(2, np.int64), alone)) == []
    nothing = mean_over_units([], [], draw_units(np.ones(3, bool), seed=0))
    assert nothing.figure() == {"value": None, "low": None, "high": None}


def test_a_ratio_to_zero_is_undefined():
    some, zero = Estimate(np.ones(1), np.ones(4)), Estimate(np.zeros(1), np.array([0.0, 0.0, 0.0, 2.0]))
    assert math.isnan((some / zero).value)
    assert (some / zero).resampled == pytest.approx([np.nan, np.nan, np.nan, 0.5], nan_ok=True)


def test_figures_are_written_with_their_intervals():
    assert format_figure({"value": 0.8125, "low": 0.744, "high": 0.881}) == "0.812 [0.74, 0.88]"
    assert format_figure({"value": 0.934, "low": 0.88, "high": 0.97}, 0, scale=100) == "93 [88, 97]"
    found = {"value": -0.125, "low": -0.2, "high": 0.01}
    assert format_figure(found, 0, scale=100, signed=True) == "−12 [−20, +1]"
    assert (
        format_figure({"value": 0.5, "low": 0.4, "high": 0.6}, 1, scale=100, unit="%")
        == "50.0% [40.0%, 60.0%]"
    )
    assert format_figure({"value": -1e-9, "low": None, "high": None}, 1, spread=0.26) == "0.0 ±0.3"
    assert format_figure({"value": None, "low": None, "high": None}) == format_figure(None) == "–"


def test_objects_that_are_never_tested_are_never_drawn():
    tested = np.array([True, False, True, True])
    counts = draw_units(tested, 0)
    assert (counts.sum(axis=1) == 3).all()
    assert (counts[:, 1] == 0).all()


def test_a_lucky_draw_of_random_weights_passes_for_a_gain_one_time_in_twenty():
    # Six draws of one distribution, the first of which is called "pretrained".
    rng = np.random.default_rng(0)
    alarms = 0
    for seed in range(400):
        values = rng.normal(0.7, 0.05, 6)
        ours, *untrained = (Estimate(np.array([v]), np.full(500, v)) for v in values)
        low, high = gain([ours], untrained, seed).interval()
        alarms += low > 0 or high < 0
    assert 0.02 < alarms / 400 < 0.08


def test_the_mean_of_estimates_keeps_seeds_and_resamples_together():
    a, b = (
        Estimate(np.array([0.5, 0.7]), np.array([0.4, 0.8])),
        Estimate(np.array([0.7, 0.9]), np.array([0.6, 1.0])),
    )
    got = mean([a, b])
    assert got.per_seed == pytest.approx([0.6, 0.8])
    assert got.resampled == pytest.approx([0.5, 0.9])
    assert got.spread == pytest.approx(np.std([0.6, 0.8], ddof=1))


def test_the_noise_of_other_networks_is_that_of_a_t_test():
    rng = np.random.default_rng(0)
    sides = [rng.normal(place, 0.1, size) for place, size in ((0.7, 3), (0.9, 4), (0.2, 1))]
    spread, freedom = pooled_spread(sides)
    assert freedom == 5  # a single network tells nothing about the spread
    assert spread**2 == pytest.approx((2 * np.var(sides[0], ddof=1) + 3 * np.var(sides[1], ddof=1)) / 5)
    # Two means of units that never change: all that is left is the t-test of the networks.
    draws = 200_000
    ours, others = (Estimate(side, np.full(draws, side.mean())) for side in sides[:2])
    low, high = with_noise(ours - others, spread * math.sqrt(1 / 3 + 1 / 4), freedom, seed=0).interval()
    expected = ttest_ind(sides[0], sides[1]).confidence_interval()
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=2e-3)


def test_one_network_on_each_side_has_no_spread_to_judge_by():
    spread, freedom = pooled_spread([np.array([0.7]), np.array([0.9])])
    assert math.isnan(spread)
    assert freedom == 0

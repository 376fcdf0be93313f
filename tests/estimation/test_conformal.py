"""Stated intervals hold new units at their level, whatever the errors' distribution."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.estimation.conformal import Scores, unit_folds


def test_intervals_hold_new_units_at_their_level() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(300):
        # Each unit has an error of its own, so that its presses are alike.
        errors = np.abs(rng.standard_t(3, 40))[:, None] * rng.uniform(0.5, 1.5, (40, 6))
        reach = Scores.of(errors.ravel(), np.arange(40).repeat(6)).quantile(0.9)
        held.append(np.abs(rng.standard_t(3, 100))[:, None] * rng.uniform(0.5, 1.5, (100, 6)) <= reach)
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_a_unit_that_was_pressed_often_weighs_no_more_than_another() -> None:
    once = Scores.of(np.array([1.0, 2.0, 3.0, 4.0]), np.array(["a", "b", "c", "d"]))
    often = Scores.of(np.array([1.0] * 50 + [2.0, 3.0, 4.0]), np.array(["a"] * 50 + ["b", "c", "d"]))
    assert [once.quantile(level) for level in (0.3, 0.5, 0.9)] == [
        often.quantile(level) for level in (0.3, 0.5, 0.9)
    ]


def test_every_unit_is_tested_once_and_never_trained_on() -> None:
    units = np.array(list("aabbbcdde"))
    tested = []
    for train, test in unit_folds(units, 0):
        assert not set(units[train]) & set(units[test])
        tested.extend(test.tolist())
    assert sorted(tested) == list(range(9))
    with pytest.raises(DataError, match="press several samples"):
        next(unit_folds(np.array(["a", "a"]), 0))


def test_a_level_is_a_share() -> None:
    with pytest.raises(DataError, match="level is 90"):
        Scores.of(np.ones(3), np.arange(3)).quantile(90)

"""Measures of probabilities, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.grasp.predictor.reliability import (
    calibration_error,
    log_loss,
    reliability,
)


def well_calibrated(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 1, count)
    return p, (rng.random(count) < p).astype(float)


@pytest.mark.parametrize("bins", ["mass", "width"])
def test_probabilities_that_are_true_have_almost_no_calibration_error(bins: str) -> None:
    p, y = well_calibrated(40_000)
    assert calibration_error(p, y, bins) < 0.01
    assert calibration_error(p**3, y, bins) > 0.1


@pytest.mark.parametrize("bins", ["mass", "width"])
def test_constant_overconfidence_is_off_by_just_as_much(bins: str) -> None:
    labels = np.repeat([1.0, 0.0], [60, 40])
    np.random.default_rng(0).shuffle(labels)
    assert calibration_error(np.full(100, 0.9), labels, bins) == pytest.approx(0.3)
    assert calibration_error(np.full(100, 0.6), labels, bins) == pytest.approx(0)


def test_two_levels_of_overconfidence_have_the_weighted_mean_of_their_errors() -> None:
    p = np.repeat([0.95, 0.1], [30, 70])
    y = np.concatenate([np.repeat([1.0, 0.0], [21, 9]), np.repeat([1.0, 0.0], [28, 42])])
    for bins in ("mass", "width"):
        assert calibration_error(p, y, bins) == pytest.approx(0.3 * 0.25 + 0.7 * 0.3)


def test_bins_of_equal_mass_have_as_many_examples_each_and_ties_stay_together() -> None:
    p, y = well_calibrated(1000)
    assert reliability(p, y, "mass").count.tolist() == [100] * 10
    tied = np.round(p, 1)
    found = reliability(tied, y, "mass")
    assert found.count.sum() == 1000
    order = np.random.default_rng(1).permutation(1000)
    again = reliability(tied[order], y[order], "mass")
    np.testing.assert_allclose(again.observed, found.observed)


def test_bins_of_equal_width_hold_what_lies_between_their_edges() -> None:
    p = np.array([0.0, 0.05, 0.1, 0.55, 0.999, 1.0])
    found = reliability(p, np.array([0, 0, 1, 1, 1, 1]), "width")
    assert found.count.tolist() == [2, 1, 1, 2]
    np.testing.assert_allclose(found.predicted, [0.025, 0.1, 0.55, 0.9995])
    np.testing.assert_allclose(found.observed, [0, 1, 1, 1])


def test_the_log_loss_equals_its_definition_and_is_finite_for_certainties() -> None:
    p, y = np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 0.0])
    assert log_loss(p, y) == pytest.approx(-(np.log(0.9) + np.log(0.8) + np.log(0.4)) / 3)
    assert log_loss(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(7 * np.log(10))
    assert log_loss(p[:1], y[:1]) == pytest.approx(-np.log(0.9))


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [([], []), ([0.5], [0.5]), ([1.5], [1]), ([np.nan], [1]), ([0.5], [-1]), ([0.5, 0.5], [1])],
)
def test_what_is_no_probability_or_no_label_is_refused(
    probabilities: list[float], labels: list[float]
) -> None:
    with pytest.raises(DataError):
        calibration_error(probabilities, labels)

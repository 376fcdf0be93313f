"""Calibration recovers what was done to the logits, and never turns their order round."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.grasp.predictor.calibration import (
    Calibration,
    calibrate,
    isotonic,
    platt,
    sigmoid,
    temperature,
)
from visuotactile.grasp.predictor.reliability import calibration_error, log_loss

Arrays = tuple[np.ndarray, np.ndarray]


def miscalibrated(slope: float, intercept: float, count: int = 20_000, seed: int = 0) -> Arrays:
    """Logits whose true probability is sigmoid(slope · logit + intercept), and labels drawn from it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    labels = (rng.random(count) < sigmoid(logits, slope, intercept)).astype(float)
    return logits, labels


@pytest.mark.parametrize(("slope", "intercept"), [(0.3, -0.4), (1.0, 0.0), (2.5, 1.0)])
def test_platt_recovers_slope_and_intercept(slope: float, intercept: float) -> None:
    found = platt(*miscalibrated(slope, intercept))
    assert found == pytest.approx((slope, intercept), abs=0.08)


def test_platt_does_not_depend_on_the_size_of_the_logits() -> None:
    logits, labels = miscalibrated(0.5, -0.3, count=500)
    slope, intercept = platt(logits, labels)
    for scale in (1e-3, 1e3):
        scaled = platt(logits * scale, labels)
        assert scaled == pytest.approx((slope / scale, intercept), rel=1e-3)


def test_platt_is_the_maximum_of_its_likelihood() -> None:
    logits, labels = miscalibrated(0.7, 0.5, count=300)
    positive = labels.sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2))

    def loss(slope: float, intercept: float) -> float:
        p = sigmoid(logits, slope, intercept)
        return float(-np.mean(target * np.log(p) + (1 - target) * np.log(1 - p)))

    slope, intercept = platt(logits, labels)
    best = loss(slope, intercept)
    for change in (-1e-2, 1e-2):
        assert loss(slope + change, intercept) > best
        assert loss(slope, intercept + change) > best


def test_temperature_recovers_its_temperature() -> None:
    slope, intercept = temperature(*miscalibrated(0.4, 0.0))
    assert slope == pytest.approx(0.4, abs=0.02)
    assert intercept == 0


def test_each_method_mends_overconfidence_on_new_examples() -> None:
    logits, labels = miscalibrated(0.3, 0.0)
    new, truth = miscalibrated(0.3, 0.0, seed=1)
    before = calibration_error(sigmoid(new), truth)
    after = {
        "platt": sigmoid(new, *platt(logits, labels)),
        "temperature": sigmoid(new, *temperature(logits, labels)),
        "isotonic": isotonic(logits, labels)(new),
    }
    assert before > 0.15
    for name, p in after.items():
        assert calibration_error(p, truth) < 0.02, name
        assert log_loss(p, truth) < log_loss(sigmoid(new), truth), name


def test_separable_examples_give_a_finite_slope() -> None:
    logits = np.array([-2.0, -1.0, 1.0, 2.0])
    for method in (platt, temperature):
        slope, intercept = method(logits, (logits > 0).astype(float))
        assert 0 < slope < 60
        assert np.isfinite(intercept)


def test_a_network_that_knows_nothing_gets_the_success_rate_and_keeps_its_order() -> None:
    logits, labels = miscalibrated(-1.0, 1.0)
    slope, intercept = platt(logits, labels)
    p = sigmoid(logits, slope, intercept)
    assert slope > 0
    np.testing.assert_allclose(p, labels.mean(), atol=0.01)


def test_one_class_alone_gives_a_probability_short_of_certainty() -> None:
    slope, intercept = platt([0.5, 1.0, 2.0], [1, 1, 1])
    assert 0.5 < sigmoid(1.0, slope, intercept) < 0.99


def test_isotonic_never_falls() -> None:
    logits, labels = miscalibrated(1.0, 0.0, count=200)
    found = isotonic(logits, labels)(np.linspace(-10, 10, 500))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_each_outcome_is_calibrated_by_what_was_recorded_of_it() -> None:
    first, second = miscalibrated(0.5, 0.0, count=4000), miscalibrated(2.0, -1.0, count=4000, seed=1)
    logits, labels = (np.stack(pair, axis=1) for pair in zip(first, second, strict=True))
    unlabelled = labels.copy()
    unlabelled[1000:, 1] = -1
    found = calibrate(logits, unlabelled, np.arange(4000) % 7)
    assert found.slope == (platt(*first)[0], platt(second[0][:1000], second[1][:1000])[0])
    assert found.examples == (4000, 1000)
    assert found.objects == 7
    assert Calibration.from_dict(json.loads(json.dumps(asdict(found)))) == found
    assert calibrate(logits, labels, np.zeros(4000), "none").slope == (1, 1)


def test_an_outcome_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="at least one"):
        calibrate(np.zeros((3, 1)), np.full((3, 1), -1.0), np.zeros(3))

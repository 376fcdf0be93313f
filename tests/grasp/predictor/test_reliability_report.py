"""The report says what the measures say, over objects, and draws it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from visuotactile.grasp.predictor.calibration import platt, sigmoid
from visuotactile.grasp.predictor.reliability import (
    calibrated_ways,
    calibration_error,
    draw_diagram,
    measure,
    write_calibration_report,
)

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def overconfident(count: int, seed: int) -> Arrays:
    """Logits three times too large, labels, and one object in twenty examples."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.5, 4, count)
    return logits, (rng.random(count) < sigmoid(logits, 1 / 3)).astype(float), np.arange(count) // 20


@pytest.fixture(scope="module")
def tested() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Every way of calibrating an overconfident network, on examples that none was fitted on."""
    logits, labels, _ = overconfident(2000, seed=0)
    new, truth, objects = overconfident(1000, seed=1)
    return calibrated_ways(logits, labels, new), truth, objects


def test_each_way_is_fitted_on_the_one_and_applied_to_the_other(
    tested: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray],
) -> None:
    ways, _, _ = tested
    logits, labels, _ = overconfident(2000, seed=0)
    new, _, _ = overconfident(1000, seed=1)
    np.testing.assert_array_equal(ways["Platt scaling"], sigmoid(new, *platt(logits, labels)))
    assert set(ways["base rate"]) == {labels.mean()}


def test_the_report_tells_the_overconfident_from_the_mended(
    tested: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    ways, labels, objects = tested
    found = write_calibration_report(tmp_path, ways, labels, objects, "Trained on nothing.")
    error = {way: measures["calibration error, equal mass"] for way, measures in found.items()}
    assert error["as trained"]["low"] > 0.05 > error["Platt scaling"]["value"]
    for way, p in ways.items():
        brier = found[way]["Brier score"]
        assert brier["value"] == pytest.approx(brier_score_loss(labels, p), abs=1e-6)
        assert brier["low"] < brier["value"] < brier["high"]
    expected = calibration_error(ways["as trained"], labels)
    assert error["as trained"]["value"] == pytest.approx(expected, abs=1e-6)
    assert found["Platt scaling"]["log loss"]["value"] < found["base rate"]["log loss"]["value"]
    text = (tmp_path / "calibration.md").read_text()
    assert "1,000 examples of 50 objects" in text
    assert f"{error['Platt scaling']['value']:.3f}" in text
    assert json.loads((tmp_path / "calibration.json").read_text())["objects"] == 50
    ElementTree.parse(tmp_path / "reliability.svg")


def test_the_interval_is_over_objects_not_examples(
    tested: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray],
) -> None:
    ways, labels, _ = tested
    # Objects whose examples all end alike: forty of one object say no more than one.
    order = np.argsort(labels, kind="stable")
    grouped = {"base rate": ways["base rate"][order]}

    def width(size: int) -> float:
        found = measure(grouped, labels[order], np.arange(1000) // size)["base rate"]["Brier score"]
        return found["high"] - found["low"]

    assert width(100) > 3 * width(1)


def test_the_diagram_is_the_same_each_time(
    tested: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    ways, labels, _ = tested
    for name in ("a.svg", "b.svg"):
        draw_diagram(ways, labels, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()

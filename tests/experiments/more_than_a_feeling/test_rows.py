"""The statistics of the closed loop's table: experiments/more_than_a_feeling/rows.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.more_than_a_feeling import rows
from visuotactile.grasp.episodes.records import Record, Turn
from visuotactile.reports.intervals import pooled_spread

OBJECTS, TRIALS = 20, 6


def episodes(held: np.ndarray, force: float = 10.0) -> list[Record]:
    """One for each entry of `held` [objects, trials]."""
    return [
        Record(
            policy="p",
            object=f"o{thing:02d}",
            trial=trial,
            seed=0,
            session="",
            outcomes={"success": float(one)},
            regrasps=1,
            forced=False,
            turns=(Turn(vectors={}, action={"force": force + thing}, predicted={"success": 0.9}),),
        )
        for thing, line in enumerate(held)
        for trial, one in enumerate(line)
    ]


def draw(seed: int, rate: float = 0.7) -> np.ndarray:
    """Outcomes of objects that differ in how often they are held."""
    rng = np.random.default_rng(seed)
    return rng.random((OBJECTS, TRIALS)) < rng.beta(6 * rate, 6 * (1 - rate), (OBJECTS, 1))


def test_a_mean_and_its_interval_are_over_objects():
    held = draw(0)
    found = rows.over_objects(episodes(held))
    assert found.value == pytest.approx(held.mean())
    error = held.mean(1).std() / math.sqrt(OBJECTS)
    assert found.resampled.std() == pytest.approx(error, rel=0.1)
    low, high = found.interval()
    assert low < found.value < high


def test_only_the_episodes_that_count_are_averaged():
    held = draw(1)
    kept = rows.over_objects(
        episodes(held), lambda record: record.action["force"], lambda record: record.success
    )
    assert kept.value == pytest.approx((10 + held.nonzero()[0]).mean())


def test_a_difference_is_paired():
    held = draw(2)
    gains = rows.differences(
        {"ours": episodes(held), "same": episodes(held), "none": episodes(0 * held)}, "ours"
    )
    assert list(gains) == ["same", "none"]
    assert gains["same"].interval() == (0.0, 0.0)
    assert gains["none"].value == pytest.approx(held.mean())


def test_other_networks_widen_a_difference_by_what_they_vary():
    ours, other, plain = (episodes(draw(seed)) for seed in (3, 4, 5))
    alone = {
        "ours": [episodes(draw(seed)) for seed in range(10, 14)],
        "other": [episodes(draw(20)), ours, plain],
    }
    gains = rows.differences({"ours": ours, "other": other, "plain": plain}, "ours")
    networks = {"ours": 4, "other": 3, "plain": 0}
    found = rows.over_networks(gains, "ours", networks, alone)
    spread, freedom = pooled_spread(np.array([rows.mean(row) for row in own]) for own in alone.values())
    assert freedom == 5
    for name, share in (("other", 1 / 4 + 1 / 3), ("plain", 1 / 4)):
        assert found[name].value == gains[name].value
        noise = found[name].resampled - gains[name].resampled
        inner = np.quantile(noise, [0.25, 0.75])  # Student's t has heavy tails
        assert inner[1] - inner[0] == pytest.approx(2 * 0.7267 * spread * math.sqrt(share), rel=0.05)
    assert np.ptp(found["plain"].interval()) > np.ptp(gains["plain"].interval())


def test_one_network_each_tells_nothing_of_others():
    gains = rows.differences({"ours": episodes(draw(6)), "other": episodes(draw(7))}, "ours")
    found = rows.over_networks(gains, "ours", {"ours": 1, "other": 1}, {})
    assert found["other"].interval() == gains["other"].interval()

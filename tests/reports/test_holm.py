"""Holm's correction of planned claims."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.reports.intervals import Estimate, holm


def claim(value: float, spread: float = 1.0, seed: int = 0) -> Estimate:
    """A difference with a normal bootstrap distribution."""
    return Estimate(np.array([value]), value + spread * np.random.default_rng(seed).normal(size=20_000))


def test_one_claim_keeps_its_interval() -> None:
    one = claim(3.0)
    found = holm({"a": one})["a"]
    assert (found.low, found.high) == pytest.approx(one.interval())
    assert found.corrected == found.p
    # Two-sided p of three standard deviations.
    assert found.p == pytest.approx(0.0027, abs=0.001)


def test_each_p_is_multiplied_by_the_claims_that_are_left() -> None:
    found = holm({"weak": claim(2.1, seed=1), "strong": claim(3.0, seed=2), "none": claim(0.1, seed=3)})
    assert found["strong"].corrected == pytest.approx(3 * found["strong"].p)
    assert found["weak"].corrected == pytest.approx(2 * found["weak"].p)
    assert found["none"].corrected == pytest.approx(found["none"].p)


def test_an_interval_above_zero_and_a_corrected_p_below_a_twentieth_agree() -> None:
    for strength in (1.8, 2.0, 2.2, 2.4, 2.6, 3.0):
        found = holm({str(seed): claim(strength, seed=seed) for seed in range(4)})
        for each in found.values():
            assert (each.low > 0) == (each.corrected <= 0.05)


def test_after_the_first_failure_nothing_holds() -> None:
    # The second alone would hold at its own level, and the first does not at a stricter one.
    found = holm({name: claim(2.15, seed=seed) for seed, name in enumerate("abcd")})
    assert all(each.low <= 0 <= each.high for each in found.values())
    assert len({each.corrected for each in found.values()}) <= 2


def test_a_claim_below_zero_holds_too() -> None:
    found = holm({"worse": claim(-4.0), "same": claim(0.0, seed=1)})
    assert found["worse"].high < 0
    assert found["same"].low <= 0 <= found["same"].high


def test_without_resamples_nothing_is_claimed() -> None:
    found = holm({"a": Estimate(np.array([0.5]), np.full(100, np.nan)), "b": claim(5.0)})
    assert np.isnan(found["a"].p)
    assert found["b"].corrected == pytest.approx(2 * found["b"].p)

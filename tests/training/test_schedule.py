"""The learning rate of each step, by each schedule."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from visuotactile.errors import ContractError
from visuotactile.training.schedule import ADAMW_EXPONENTIAL, ADAMW_STEPS, SGD_COSINE, OptimizerConfig


def test_the_cosine_is_half_a_period_from_first_to_last() -> None:
    cosine = OptimizerConfig(lr=1e-2, final_lr=1e-6)
    assert [cosine.rate(step, 100) for step in (0, 50, 100)] == pytest.approx([1e-2, (1e-2 + 1e-6) / 2, 1e-6])
    warm = replace(cosine, warmup_steps=10)
    assert [warm.rate(step, 100) for step in (0, 9, 10)] == pytest.approx([1e-3, 1e-2, 1e-2])


def test_an_exponential_falls_by_the_same_factor_at_each_step_and_then_stays() -> None:
    exponential = OptimizerConfig(lr=1e-3, final_lr=1e-5, schedule="exponential", warmup_steps=2)
    rates = [exponential.rate(step, 12) for step in range(14)]
    assert rates[:3] == [5e-4, 1e-3, 1e-3]
    assert [later / now for now, later in itertools.pairwise(rates[2:13])] == pytest.approx([0.01**0.1] * 10)
    assert rates[12:] == pytest.approx([1e-5, 1e-5])


def test_steps_fall_where_they_are_told_even_in_a_run_without_an_end() -> None:
    steps = replace(ADAMW_STEPS, lr=1.0, drops=(7000, 8000), warmup_steps=4)
    rates = [steps.rate(step, math.inf) for step in (0, 1, 2, 3, 6999, 7000, 7999, 8000)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("falling", [SGD_COSINE, ADAMW_EXPONENTIAL])
def test_what_falls_until_the_end_needs_one(falling: OptimizerConfig) -> None:
    with pytest.raises(ContractError, match="max_epochs or max_steps"):
        falling.rate(0, math.inf)


@pytest.mark.parametrize("wrong", [{"final_lr": 0.0}, {"lr": 1e-6, "final_lr": 1e-5}])
def test_an_exponential_that_reaches_zero_or_rises_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"cannot fall exponentially.*final_lr above zero"):
        OptimizerConfig(schedule="exponential", **wrong)


def test_the_papers_numbers_are_the_defaults() -> None:
    assert (SGD_COSINE.name, SGD_COSINE.schedule) == ("sgd", "cosine")
    assert (SGD_COSINE.lr, SGD_COSINE.final_lr, SGD_COSINE.momentum) == (1e-2, 1e-6, 0.9)
    assert [ADAMW_EXPONENTIAL.rate(step, 100) for step in (0, 50, 100)] == pytest.approx(
        [1e-4, 1e-4 / 10**0.5, 1e-5]
    )
    assert [ADAMW_STEPS.rate(step, 9000) for step in (6999, 7000, 8999)] == pytest.approx([3e-4, 3e-5, 3e-5])


def test_the_optimiser_has_the_settings_it_was_given() -> None:
    weights = [torch.nn.Parameter(torch.zeros(2))]
    sgd = OptimizerConfig(lr=0.3, momentum=0.8, weight_decay=0.2).create([{"params": weights}])
    assert isinstance(sgd, torch.optim.SGD)
    assert {key: sgd.defaults[key] for key in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.3,
        "momentum": 0.8,
        "weight_decay": 0.2,
    }
    adamw = ADAMW_EXPONENTIAL.create([{"params": weights}, {"params": [], "weight_decay": 0.0}])
    assert isinstance(adamw, torch.optim.AdamW)
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.01, 0.0]

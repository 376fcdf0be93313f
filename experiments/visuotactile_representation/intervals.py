"""Figures over several networks, and differences between two kinds of them, with their 95% intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visuotactile.reports.intervals import Estimate, format_figure, gain, json_number, mean, spread

Figure = dict[str, Any]
"""value, low, high, spread over networks (None for a single one) and number of networks (`seeds`)."""


def figure(estimates: Sequence[Estimate]) -> Figure:
    """Mean over networks of one kind, with its interval over the test units (poses, objects)."""
    deviation = json_number(spread([each.value for each in estimates]))
    return {**mean(estimates).figure(), "spread": deviation, "seeds": len(estimates)}


def difference(ours: Sequence[Estimate], others: Sequence[Estimate], seed: int = 0) -> Figure:
    """Difference between networks of two kinds, on the same draws of the units.

    The interval is over units and over training seeds: see `reports.intervals.gain`. With one network on each
    side, it is over units alone; `seeds` tells which.
    """
    several = len(ours) + len(others) > 2
    found = gain(ours, others, seed) if several else ours[0] - others[0]
    return {**found.figure(), "spread": None, "seeds": min(len(ours), len(others))}


def percent(found: Figure, *, signed: bool = False) -> str:
    """A share as "95.3 [94.0, 96.4] ±0.5", in percent (points)."""
    return format_figure(found, 1, scale=100, signed=signed, spread=found.get("spread"))


def decimal(found: Figure, *, signed: bool = False) -> str:
    """A figure with two decimals, its interval and its spread over networks."""
    return format_figure(found, 2, signed=signed, spread=found.get("spread"))

"""Figures over several networks, and differences between two kinds of them, with their 95% intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from visuotactile.reports.intervals import Estimate, gain, mean

Figure = dict[str, Any]
"""value, low, high, spread over networks (None for a single one) and how many networks."""


def figure(estimates: Sequence[Estimate]) -> Figure:
    """The mean over networks of one kind.

    The interval is over what was tested on (poses, objects), for these very networks.
    """
    return _plain(mean(estimates), [each.value for each in estimates], len(estimates))


def difference(ours: Sequence[Estimate], others: Sequence[Estimate], seed: int = 0) -> Figure:
    """By how much networks of one kind are better than those of another, on the same draws of the units.

    The interval is over units and over training seeds: see `probes.metrics.gain`. With one network on each
    side there is no spread to judge by, and it is over units alone; `seeds` says which.
    """
    several = len(ours) + len(others) > 2
    found = gain(ours, others, seed) if several else ours[0] - others[0]
    return _plain(found, [], min(len(ours), len(others)))


def _plain(found: Estimate, each: Sequence[float], seeds: int) -> Figure:
    low, high = found.interval()
    spread = float(np.std(each, ddof=1)) if len(each) > 1 else math.nan
    return {
        "value": _number(found.value),
        "low": _number(low),
        "high": _number(high),
        "spread": _number(spread),
        "seeds": seeds,
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def percent(found: Figure, sign: str = "") -> str:
    """A share as "95.3 [94.0, 96.4] ±0.5", in percent (points)."""
    return written({key: _hundredfold(found[key]) for key in found}, 1, sign)


def written(found: Figure, digits: int = 2, sign: str = "") -> str:
    """A figure with its interval and its spread over networks, where there are several."""
    if found["value"] is None:
        return "undefined"
    text = f"{found['value']:{sign}.{digits}f}"
    if found["low"] is not None:
        text += f" [{found['low']:{sign}.{digits}f}, {found['high']:{sign}.{digits}f}]"
    if found.get("spread") is not None:
        text += f" ±{found['spread']:.{digits}f}"
    return text


def _hundredfold(value: Any) -> Any:
    return 100 * value if isinstance(value, float) else value

"""Figures over the episodes of a row of the closed loop: objects drawn again, and other networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from visuotactile.grasp.episodes.records import Record
from visuotactile.reports.intervals import Estimate, draw_units, mean_over_units, pooled_spread, with_noise

Row = Sequence[Record]
"""The episodes of one policy; in the same order for every policy."""

Value = Callable[[Record], float]
Choice = Callable[[Record], bool]


def success(record: Record) -> float:
    """1 if the object was held to the end, else 0."""
    return float(record.success)


def every(record: Record) -> bool:
    """All of them."""
    return True


def mean(row: Row, value: Value = success) -> float:
    """Mean of a number over episodes."""
    return float(np.mean([value(record) for record in row]))


def over_objects(row: Row, value: Value = success, where: Choice = every) -> Estimate:
    """Mean of a number over episodes, with the objects drawn again: alike for policies of the same objects.

    Args:
        row: episodes.
        value: the number.
        where: which episodes count; all by default.
    """
    names = sorted({record.object for record in row})
    chosen = [record for record in row if where(record)]
    owners = [names.index(record.object) for record in chosen]
    draws = draw_units(np.ones(len(names), bool), seed=0)
    return mean_over_units([value(record) for record in chosen], owners, draws)


def differences(rows: Mapping[str, Row], ours: str) -> dict[str, Estimate]:
    """Success of `ours` minus each other row: paired in the episodes, over objects."""
    found = {name: over_objects(row) for name, row in rows.items()}
    return {name: found[ours] - found[name] for name in rows if name != ours}


def over_networks(
    gains: Mapping[str, Estimate],
    ours: str,
    networks: Mapping[str, int],
    alone: Mapping[str, Sequence[Row]],
) -> dict[str, Estimate]:
    """Differences that also hold what other networks would have given: Student's t.

    The mean of n networks is taken to vary by what one alone varies by, over √n. How much that is comes from
    the networks played alone, pooled over the rows; some of it is chance of their episodes, which drawing the
    objects again holds already, so these intervals are rather too wide.

    Args:
        gains: success of `ours` minus each other row, over objects.
        ours: a row.
        networks: row → how many its policy plans over, 0 if it has none.
        alone: row → the episodes of each of its networks alone.

    Returns:
        the same as `gains` where no row has several networks.
    """
    spread, freedom = pooled_spread(np.array([mean(row) for row in own]) for own in alone.values())
    if not freedom:
        return dict(gains)
    return {
        name: with_noise(
            gain,
            spread * math.sqrt(sum(1 / networks[row] for row in (ours, name) if networks[row])),
            freedom,
            seed=0,
        )
        for name, gain in gains.items()
    }

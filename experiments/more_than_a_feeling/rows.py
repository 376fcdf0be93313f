"""Figures over a row's episodes in the closed loop, with intervals over objects and over networks."""

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
    """Accept every episode."""
    return True


def mean(row: Row, value: Value = success) -> float:
    """Mean of a number over episodes."""
    return float(np.mean([value(record) for record in row]))


def over_objects(row: Row, value: Value = success, where: Choice = every) -> Estimate:
    """Mean of a number over episodes, bootstrapped over objects with the same draws for every policy.

    Args:
        row: episodes.
        value: number of an episode.
        where: condition on the episodes that count; all by default.
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
    """Differences whose intervals also cover the variation between networks, by Student's t.

    The standard error of n networks is that of a single one over √n. It is estimated from the single-network
    episodes, pooled over rows; some of it is variation between episodes that the bootstrap over objects
    already covers, so these intervals are conservative.

    Args:
        gains: success of `ours` minus each other row, over objects.
        ours: a row.
        networks: row → number of networks that its policy plans over, 0 if it has none.
        alone: row → episodes of each of its single-network policies.

    Returns:
        `gains` itself where no row has several networks.
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

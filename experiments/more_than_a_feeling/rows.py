"""A row of the closed loop: the episodes of each of its networks, and figures over objects and networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from visuotactile.grasp.records import Record
from visuotactile.probes.metrics import Estimate, draw_units, pooled_spread, with_noise

Row = Sequence[Sequence[Record]]
"""Network → its episodes, in the same order for each; one list for a policy without a network."""

Value = Callable[[Record], float]
Choice = Callable[[Record], bool]


def success(record: Record) -> float:
    """1 if the object was held to the end, else 0."""
    return float(record.success)


def every(record: Record) -> bool:
    """All of them."""
    return True


def together(row: Row) -> list[Record]:
    """The episodes of all networks."""
    return [record for records in row for record in records]


def trained(row: Row) -> bool:
    """Whether there is a network at all: another training would then have played otherwise."""
    return row[0][0].claimed is not None


def over_objects(row: Row, value: Value = success, where: Choice = every) -> Estimate:
    """Mean of a number over episodes, with the objects drawn again: alike for policies of the same objects.

    Args:
        row: episodes of each network; they are drawn alike.
        value: the number.
        where: which episodes count; all by default.

    Returns:
        each network's mean, and the mean over networks in each draw of the objects.
    """
    names = sorted({record.object for record in row[0]})
    total, count = np.zeros((2, len(row), len(names)))
    for network, records in enumerate(row):
        for record in filter(where, records):
            total[network, names.index(record.object)] += value(record)
            count[network, names.index(record.object)] += 1
    draws = draw_units(np.ones(len(names), bool), seed=0)
    means = (draws @ total.T) / (draws @ count.T)
    return Estimate(total.sum(1) / count.sum(1), means.mean(axis=1))


def differences(rows: Mapping[str, Row], ours: str) -> dict[str, Estimate]:
    """Success of `ours` minus each other row: paired in the episodes, over objects and over networks.

    What other networks would have given is Student's t; the spread of networks is pooled over all rows that
    have several. Where none has, the interval is over objects alone.
    """
    found = {name: over_objects(row) for name, row in rows.items()}
    spread, freedom = pooled_spread(each.per_seed for each in found.values())
    gains: dict[str, Estimate] = {}
    for name in [name for name in rows if name != ours]:
        gain = found[ours] - found[name]
        networks = [len(row) for row in (rows[ours], rows[name]) if trained(row)]
        error = spread * math.sqrt(sum(1 / count for count in networks))
        gains[name] = with_noise(gain, error, freedom, seed=0) if freedom else gain
    return gains


def over_networks(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Figures of the same networks twice, such as differences, with what other networks would have given.

    Their spread is pooled over `found`; where there is one network each, nothing changes.
    """
    spread, freedom = pooled_spread(each.per_seed for each in found.values())
    return {
        name: with_noise(each, spread / math.sqrt(len(each.per_seed)), freedom, seed=0) if freedom else each
        for name, each in found.items()
    }

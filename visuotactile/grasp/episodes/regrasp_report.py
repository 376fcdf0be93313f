"""What closed-loop episodes come to: figures of each policy, their differences, claims against outcomes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import brier_score_loss

from visuotactile.grasp.episodes.records import Record
from visuotactile.reports.intervals import DRAWS, LEVEL, Estimate, draw_units, mean_over_units, wilson

Value = Callable[[Record], float]

FORMAT = 1
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Of the claims in a table; the paper's planner lifts above 0.9."""

MEASURES: Mapping[str, tuple[str, Value, bool]] = {
    "success": ("success", lambda record: float(record.success), False),
    "regrasps": ("regrasps", lambda record: float(record.regrasps), False),
    "force": ("force at the lift, N", lambda record: record.force, False),
    "force_held": ("of those held, N", lambda record: record.force, True),
}
"""Name → title, number of an episode, whether only episodes in which the object was held count."""


class Objects:
    """The objects of some episodes, and how often each is in each of the draws."""

    def __init__(self, names: Sequence[str], seed: int) -> None:
        """
        Args:
            names: of the objects.
            seed: of the draws.
        """
        self.number = {name: k for k, name in enumerate(names)}
        self.draws = draw_units(np.ones(len(names), bool), seed)

    def mean(self, records: Sequence[Record], value: Value) -> Estimate:
        """The mean of a number over episodes; episodes of one object are drawn together."""
        owners = [self.number[record.object] for record in records]
        return mean_over_units([value(record) for record in records], owners, self.draws)


def summarise(records: Sequence[Record], seed: int = 0) -> dict[str, Any]:
    """The tables of a report, as plain JSON values.

    Args:
        records: of several policies in the same episodes; the first policy is what the others are compared
            with.
        seed: of the intervals.
    """
    names = list(dict.fromkeys(record.object for record in records))
    of = {name: [r for r in records if r.policy == name] for name in dict.fromkeys(r.policy for r in records)}
    objects = Objects(names, seed)
    found = {
        name: {
            measure: objects.mean([r for r in own if r.success or not only_held], value)
            for measure, (_, value, only_held) in MEASURES.items()
        }
        for name, own in of.items()
    }
    first = next(iter(of))
    return {
        "format": FORMAT,
        "units": {"episodes": len(records), "objects": len(names), "trials": len(of[first]) // len(names)},
        "interval": {"level": LEVEL, "resampled": "objects", "draws": DRAWS},
        "measures": {name: title for name, (title, _, _) in MEASURES.items()},
        "policies": [
            {
                "name": name,
                "episodes": len(own),
                "held": sum(record.success for record in own),
                "unwilling": sum(not record.wanted for record in own),
                **{measure: value.figure() for measure, value in found[name].items()},
                "against_first": None if name == first else _against(found[name], found[first]),
            }
            for name, own in of.items()
        ],
        "objects": [
            {
                "name": thing,
                "policies": {
                    name: _of_object([r for r in own if r.object == thing]) for name, own in of.items()
                },
            }
            for thing in names
        ],
        "calibration": [
            _calibration(name, own, objects) for name, own in of.items() if own[0].claimed is not None
        ],
    }


def _against(ours: Mapping[str, Estimate], first: Mapping[str, Estimate]) -> dict[str, Any]:
    differences = {measure: (ours[measure] - first[measure]).figure() for measure in MEASURES}
    return {**differences, "force_ratio": (ours["force"] / first["force"]).figure()}


def _of_object(records: Sequence[Record]) -> dict[str, Any]:
    return {
        "held": sum(record.success for record in records),
        "trials": len(records),
        "regrasps": float(np.mean([record.regrasps for record in records])),
        "force": float(np.mean([record.force for record in records])),
    }


def _calibration(name: str, records: Sequence[Record], objects: Objects) -> dict[str, Any]:
    """What a planner claimed of its lifts, against what came of them."""
    claims = np.array([_claimed(record) for record in records])
    held = np.array([record.success for record in records], np.float64)
    place = np.clip(np.searchsorted(EDGES, claims, side="left") - 1, 0, len(EDGES) - 2)
    bins = []
    for k, (low, high) in enumerate(itertools.pairwise(EDGES)):
        own = [record for record, where in zip(records, place, strict=True) if where == k]
        if own:
            bins.append(
                {
                    "above": low,
                    "up_to": high,
                    "episodes": len(own),
                    "claimed": float(claims[place == k].mean()),
                    "held": _share(sum(record.success for record in own), len(own)),
                }
            )
    return {
        "policy": name,
        "claimed": float(claims.mean()),
        "held": float(held.mean()),
        "too_high": objects.mean(records, lambda r: _claimed(r) - float(r.success)).figure(),
        "brier": float(brier_score_loss(held, claims)),
        "bins": bins,
    }


def _share(hits: int, count: int) -> dict[str, float]:
    """A share and its 95% Wilson interval, as if the episodes were independent: counts are too small to draw
    objects of."""
    low, high = wilson(hits / count, count)
    return {"value": hits / count, "low": low, "high": high}


def _claimed(record: Record) -> float:
    assert record.claimed is not None
    return record.claimed

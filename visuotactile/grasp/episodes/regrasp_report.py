"""What closed-loop episodes come to: figures of each policy, their differences, claims against outcomes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.grasp.episodes.records import Record
from visuotactile.grasp.predictor.reliability import brier_score

Floats = npt.NDArray[np.float64]
Value = Callable[[Record], float]

FORMAT = 1
DRAWS, LEVEL = 2000, 0.95
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Of the claims in a table; the paper's planner lifts above 0.9."""

MEASURES: Mapping[str, tuple[str, Value, bool]] = {
    "success": ("success", lambda record: float(record.success), False),
    "regrasps": ("regrasps", lambda record: float(record.regrasps), False),
    "force": ("force at the lift, N", lambda record: record.force, False),
    "force_held": ("of those held, N", lambda record: record.force, True),
}
"""Name → title, number of an episode, whether only episodes in which the object was held count."""


class Resampled:
    """A ratio of sums over episodes, and what it comes to when the objects are drawn again.

    The objects are the independent units: episodes of one stay together, and all figures of a report are
    drawn alike, so that differences of two are paired.
    """

    def __init__(self, value: float, drawn: Floats) -> None:
        """
        Args:
            value: the figure; NaN where it is undefined.
            drawn: [DRAWS] the same of each draw.
        """
        self.value, self.drawn = value, drawn

    def __sub__(self, other: Resampled) -> Resampled:
        """The paired difference."""
        return Resampled(self.value - other.value, self.drawn - other.drawn)

    def __truediv__(self, other: Resampled) -> Resampled:
        """The paired ratio."""
        whole = np.where(other.drawn == 0, np.nan, other.drawn)
        return Resampled(self.value / other.value if other.value else math.nan, self.drawn / whole)

    def plain(self) -> dict[str, float | None]:
        """Value and 95% percentile interval; None where undefined, as an interval over one object is."""
        low = high = math.nan
        if np.isfinite(self.drawn).mean() >= 0.5:
            low, high = np.nanquantile(self.drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        return {"value": _number(self.value), "low": _number(low), "high": _number(high)}


class Objects:
    """The objects of some episodes, and how often each is in each of the draws."""

    def __init__(self, names: Sequence[str], seed: int) -> None:
        """
        Args:
            names: of the objects.
            seed: of the draws.
        """
        self.number = {name: k for k, name in enumerate(names)}
        count = len(names)
        share = np.full(count, 1 / count)
        self.draws: Floats = (
            np.random.default_rng(seed).multinomial(count, share, size=DRAWS).astype(np.float64)
            if count > 1
            else np.full((DRAWS, 1), np.nan)
        )

    def mean(self, records: Sequence[Record], value: Value) -> Resampled:
        """The mean of a number over episodes."""
        total, count = np.zeros(len(self.number)), np.zeros(len(self.number))
        for record in records:
            total[self.number[record.object]] += value(record)
            count[self.number[record.object]] += 1
        among = self.draws @ count
        drawn = np.divide(self.draws @ total, among, out=np.full(DRAWS, np.nan), where=among > 0)
        return Resampled(float(total.sum() / count.sum()) if count.any() else math.nan, drawn)


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
                **{measure: value.plain() for measure, value in found[name].items()},
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


def _against(ours: Mapping[str, Resampled], first: Mapping[str, Resampled]) -> dict[str, Any]:
    differences = {measure: (ours[measure] - first[measure]).plain() for measure in MEASURES}
    return {**differences, "force_ratio": (ours["force"] / first["force"]).plain()}


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
                    "held": wilson(sum(record.success for record in own), len(own)),
                }
            )
    return {
        "policy": name,
        "claimed": float(claims.mean()),
        "held": float(held.mean()),
        "too_high": objects.mean(records, lambda r: _claimed(r) - float(r.success)).plain(),
        "brier": brier_score(claims, held),
        "bins": bins,
    }


def wilson(hits: int, count: int) -> dict[str, float | None]:
    """A share and its 95% Wilson interval, as if the episodes were independent: for counts too small to draw
    objects of."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, reach = hits / count, z * z / count
    middle, half = share + reach / 2, z * math.sqrt((share * (1 - share) + reach / 4) / count)
    low, high = (middle - half) / (1 + reach), (middle + half) / (1 + reach)
    return {"value": share, "low": max(0.0, low), "high": min(1.0, high)}


def _claimed(record: Record) -> float:
    assert record.claimed is not None
    return record.claimed


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None

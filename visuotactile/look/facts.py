"""Numbers beside the pictures: units, outcomes, success rates, and whether the store is simulated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.look.choose import Rows
from visuotactile.reports.intervals import wilson

SUCCESS = "outcome/success"

UNITS = {"m": ("mm", 1000.0), "rad": ("°", 180 / math.pi)}
"""Declared unit → the one shown, and its number per declared unit."""


@dataclass(frozen=True)
class Column:
    """Display of a column.

    Attributes:
        name: without its group.
        unit: unit shown behind the number, or "".
        factor: factor from the store's number to the one shown.
    """

    name: str
    unit: str = ""
    factor: float = 1.0


@dataclass(frozen=True)
class Badge:
    """An outcome of a trial: `kind` is good, bad, yes, no or plain; `text` does not depend on colour."""

    text: str
    kind: str


@dataclass(frozen=True)
class Rate:
    """Rate of a binary outcome, with its 95% Wilson interval, each in 0–1."""

    name: str
    trials: int
    hits: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The rate itself."""
        return self.hits / self.trials


def describe(store: Store, group: str) -> dict[str, Column]:
    """Display of each column of a table group, such as action, by the column's full name.

    Units are those that the store's embodiment declares.
    """
    units: dict[str, str] = {}
    if store.embodiment is not None:
        vectors = {vector.name: vector.entries for vector in store.embodiment.vectors}
        declared = {**vectors, "action": store.embodiment.action}.get(group, ())
        units = {f"{group}/{dimension.name}": dimension.unit for dimension in declared}
    return {
        name: Column(name.partition("/")[2], *UNITS.get(units.get(name, ""), (units.get(name, ""), 1.0)))
        for name in store.columns
        if name.startswith(f"{group}/")
    }


def shown(value: str | float, column: Column) -> str:
    """Format a value with its unit."""
    if isinstance(value, str) or math.isnan(value):
        return str(value) if isinstance(value, str) and value else "–"
    return f"{number(value * column.factor)} {column.unit}".strip().replace(" °", "°")


def number(value: float) -> str:
    """Format a number with three significant digits, or more before the decimal point, and a true minus."""
    whole = value == round(value) or abs(value) >= 100
    text = f"{value:,.0f}" if whole and abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", "−")


def is_binary(values: npt.NDArray[Any]) -> bool:
    """True if a column holds only 0 and 1, where it has a value at all."""
    if values.dtype.kind == "U":
        return False
    known = values[~np.isnan(values)]
    return bool(len(known) and np.isin(known, (0, 1)).all())


def outcomes(store: Store) -> list[str]:
    """The outcomes that are 0 or 1 throughout the store, success first."""
    found = [name for name in store.columns if name.startswith("outcome/") and is_binary(store.column(name))]
    return sorted(found, key=lambda name: name != SUCCESS)


def badge(name: str, value: float | str, *, binary: bool) -> Badge:
    """An outcome's value in words. Only success has a good and a bad value."""
    short = name.partition("/")[2]
    if isinstance(value, str) or math.isnan(value):
        return Badge(f"{short} {shown(value, Column(short))}", "plain")
    if not binary:
        return Badge(f"{short} {number(value)}", "plain")
    if name == SUCCESS:
        return Badge("✓ success", "good") if value else Badge("✗ fail", "bad")
    return Badge(short, "yes") if value else Badge(f"no {short}", "no")


def rates(values: npt.NDArray[np.float64], groups: Sequence[str]) -> list[Rate]:
    """Rate of each group, the lowest first; of equal rates, the narrowest interval first.

    Trials without a value, NaN, are not counted.
    """
    known = ~np.isnan(values)
    values, groups = values[known], np.asarray(groups)[known].tolist()
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    trials = np.bincount(index, minlength=len(names))
    hits = np.bincount(index, weights=values, minlength=len(names)).astype(int)
    found = [
        Rate(name, n, k, *wilson(k / n, n))
        for name, n, k in zip(names.tolist(), trials.tolist(), hits.tolist(), strict=True)
    ]
    return sorted(found, key=lambda rate: (rate.share, rate.high, rate.name))


def simulated(store: Store, rows: Rows) -> npt.NDArray[np.bool_]:
    """True for each trial whose dataset, session, sensor or other text column begins with "simulated"."""
    found = np.full(len(rows), store.name.lower().startswith("simulated"))
    for name in store.columns:
        values = store.column(name)
        if name not in ("name", "object") and values.dtype.kind == "U":
            distinct, index = np.unique(values[rows], return_inverse=True)
            says = np.array([text.lower().startswith("simulated") for text in distinct.tolist()])
            found |= says[index]
    return found

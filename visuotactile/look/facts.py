"""What the numbers of a store say beside the pictures: units, outcomes, rates, and whether it is real."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.look.choose import Rows
from visuotactile.reports.intervals import wilson

SUCCESS = "outcome/success"

_LENGTHS = dict.fromkeys(("dx", "dy", "dz"), ("mm", 1000.0, 1.0))
_ANGLES = dict.fromkeys(("yaw", "dyaw", "droll", "dpitch"), ("°", 180 / math.pi, 2 * math.pi))
UNITS = {"force": ("N", 1.0, math.inf), **_LENGTHS, **_ANGLES}
"""A word of a key → the unit that is shown, its number in the SI unit of the store, and the largest value
that is plausible in that SI unit; where a store exceeds it, its author counted in something else."""


@dataclass(frozen=True)
class Column:
    """A column as it is shown.

    Attributes:
        name: without its group.
        unit: shown behind the number, or "".
        factor: from the store's number to the one that is shown.
    """

    name: str
    unit: str = ""
    factor: float = 1.0


@dataclass(frozen=True)
class Badge:
    """An outcome of a trial: `kind` is good, bad, yes, no or plain, and `text` says it without colour."""

    text: str
    kind: str


@dataclass(frozen=True)
class Rate:
    """How often an outcome was 1, with its 95% interval (Wilson), each in 0–1."""

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
    """The columns of a table group, such as action → how to show each, by the column's full name."""
    return {
        name: _column(store, name, name.partition("/")[2])
        for name in store.columns
        if name.startswith(f"{group}/")
    }


def _column(store: Store, name: str, key: str) -> Column:
    values = store.column(name)
    for word in re.split(r"[_.-]", key.lower()):
        if word in UNITS and values.dtype.kind != "U":
            unit, factor, largest = UNITS[word]
            if np.abs(values).max() <= largest:
                return Column(key, unit, factor)
    return Column(key)


def shown(value: str | float, column: Column) -> str:
    """A value with its unit, as a reader writes it."""
    if isinstance(value, str):
        return value or "–"
    return f"{number(value * column.factor)} {column.unit}".strip().replace(" °", "°")


def number(value: float) -> str:
    """Three significant digits, all of them before the decimal point, a true minus."""
    whole = value == round(value) or abs(value) >= 100
    text = f"{value:,.0f}" if whole and abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", "−")


def is_binary(values: npt.NDArray[np.float64]) -> bool:
    """Whether a column says yes or no."""
    return bool(np.isin(values, (0, 1)).all())


def outcomes(store: Store) -> list[str]:
    """The outcomes that are 0 or 1 throughout the store, success first."""
    found = [name for name in store.columns if name.startswith("outcome/") and is_binary(store.column(name))]
    return sorted(found, key=lambda name: name != SUCCESS)


def badge(name: str, value: float, *, binary: bool) -> Badge:
    """An outcome's value in words. Only of success is it known which of the two is wished for."""
    short = name.partition("/")[2]
    if not binary:
        return Badge(f"{short} {number(value)}", "plain")
    if name == SUCCESS:
        return Badge("✓ success", "good") if value else Badge("✗ fail", "bad")
    return Badge(short, "yes") if value else Badge(f"no {short}", "no")


def rates(values: npt.NDArray[np.float64], groups: Sequence[str]) -> list[Rate]:
    """The rate of each group, the lowest first and of equal ones the surest."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    trials = np.bincount(index, minlength=len(names))
    hits = np.bincount(index, weights=values, minlength=len(names)).astype(int)
    found = [
        Rate(name, n, k, *wilson(k / n, n))
        for name, n, k in zip(names.tolist(), trials.tolist(), hits.tolist(), strict=True)
    ]
    return sorted(found, key=lambda rate: (rate.share, rate.high, rate.name))


def simulated(store: Store, rows: Rows) -> npt.NDArray[np.bool_]:
    """Of each trial, whether its dataset's name, session, sensor or any other text column begins so."""
    found = np.full(len(rows), store.name.lower().startswith("simulated"))
    for name in store.columns:
        values = store.column(name)
        if name not in ("name", "object") and values.dtype.kind == "U":
            distinct, index = np.unique(values[rows], return_inverse=True)
            says = np.array([text.lower().startswith("simulated") for text in distinct.tolist()])
            found |= says[index]
    return found

"""What the numbers of a store say beside the pictures: units, outcomes, rates, and whether it is real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.store import Store
from visuotactile.look.choose import Rows
from visuotactile.reports.intervals import wilson

SUCCESS = "outcome/success"

UNITS = {"m": ("mm", 1000.0), "rad": ("°", 180 / math.pi)}
"""A declared unit → the one that is shown, and how many of these it is."""


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
    """The columns of a table group, such as action → how to show each, by the column's full name.

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

"""Trials of a store that have certain values in its table."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.samples import has_value
from visuotactile.datasets.store import Store
from visuotactile.errors import StoreError

Rows = npt.NDArray[np.int64]

LISTED = 12
"""Values of a column that an error names, before it says how many more there are."""


def matching(store: Store, where: Sequence[tuple[str, str]], *, hidden: bool = False) -> Rows:
    """Rows of the trials that have every value asked for; of values of one column, any.

    Args:
        store: where to look.
        where: pairs of a column, by its full or its short name, and a value as it was typed.
        hidden: accept hidden truth of a simulator, to look at such trials and for nothing else.

    Raises:
        StoreError: there is no such column, no trial with such a value, or none with all of them.
        ContractError: a column is hidden truth.
    """
    wanted: dict[str, npt.NDArray[np.bool_]] = {}
    for column, value in where:
        found = wanted.get(column, np.zeros(len(store), np.bool_))
        wanted[column] = found | _having(store, column, value, hidden)
    rows = np.flatnonzero(np.logical_and.reduce([np.ones(len(store), np.bool_), *wanted.values()]))
    if not len(rows):
        asked = " and ".join(f"{column}={value}" for column, value in where)
        raise StoreError(f"{store.path}: no trial has {asked} together; drop one of the conditions")
    return rows.astype(np.int64)


def _having(store: Store, column: str, value: str, hidden: bool) -> npt.NDArray[np.bool_]:
    values = store.column(column) if hidden else store.recorded(column)
    if values.dtype.kind == "U":
        found = values == value
    elif not value:  # as for a text, an empty value selects the trials that have none
        found = np.isnan(values)
    else:
        try:
            found = np.isclose(values, float(value), rtol=1e-6, atol=0)
        except ValueError:
            found = np.zeros(len(values), np.bool_)
    if not found.any():
        raise StoreError(f"{store.path}: no trial has {column}={value}; {_known(values, column, value)}")
    return np.asarray(found, np.bool_)


def _known(values: npt.NDArray[np.str_] | npt.NDArray[np.float64], column: str, value: str) -> str:
    """Description of a column's values; those most like `value` come first."""
    distinct = np.unique(values[has_value(values)] if values.dtype.kind != "U" else values)
    if distinct.dtype.kind != "U" and len(distinct) > LISTED:
        return f"its {len(distinct)} values reach from {distinct[0]:g} to {distinct[-1]:g}"
    names = [f"{each}" if distinct.dtype.kind == "U" else f"{each:g}" for each in distinct.tolist()]
    close = difflib.get_close_matches(value, names, n=LISTED)
    listed = [*close, *(name for name in names if name not in close)][:LISTED]
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return f"{column} is {', '.join(name or '(empty)' for name in listed)}{more}"

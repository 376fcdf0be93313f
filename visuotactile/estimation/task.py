"""Presses of a store with their numbers: what `fit` learns from, and what `evaluate` may measure on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.clips import StoreClips, numbers
from visuotactile.datasets.samples import group_numbers
from visuotactile.datasets.splits import Split
from visuotactile.datasets.store import Store
from visuotactile.errors import DataError, SplitError
from visuotactile.estimation.estimator import Estimator, Floats, Known, Measured
from visuotactile.estimation.measured import measured_clips

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Presses:
    """Measured presses of a store.

    Attributes:
        rows: [n] of the store.
        measured: [n, …].
        target: [n].
        units: [n] number of the independent unit.
        known: radii and sensors.
        blank: number of clips left out because they show no contact.
    """

    rows: Rows
    measured: Measured
    target: Floats
    units: Rows
    known: Known
    blank: int


def measure_presses(
    estimator: Estimator,
    store: Store,
    rows: Rows,
    *,
    target: str,
    group: str,
    radius: str | None,
    stream: str | None = None,
) -> Presses:
    """Measure presses, from the cache where they have been measured before.

    Args:
        estimator: measures them.
        store: the store.
        rows: [n] of the store.
        target: column of the number.
        group: columns, joined by +, whose values are the independent units.
        radius: column of the radii [m]; None where they are unknown.
        stream: name of the tactile stream; None for the only one with clips.

    Raises:
        StoreError, ContractError, DataError: a column or the stream does not fit, or no clip shows a contact.
    """
    values, units = numbers(store, target), group_numbers(store, group)
    radii = None if radius is None else numbers(store, radius)
    named = bool((store.sensors != "").all())
    measured = measured_clips(estimator, StoreClips(store, rows, stream))
    shown = estimator.shown(measured)
    if not shown.any():
        raise DataError(f"none of the {len(rows)} clips of {store.path} shows a contact; press harder")
    left = rows[shown]
    return Presses(
        rows=left,
        measured=measured[shown],
        target=values[left],
        units=units[left],
        known=Known(
            radius=None if radii is None else radii[left], sensor=store.sensors[left] if named else None
        ),
        blank=int((~shown).sum()),
    )


def unseen_rows(meta: dict[str, Any], store: Store, split: Path | None) -> Rows:
    """Rows [n] that an estimator was not fitted to: the test side of its split, or all of another store.

    Raises:
        SplitError: the estimator was, or may have been, fitted to some of them.
    """
    data = meta["data"]
    same = store.fingerprint == data["fingerprint"]
    if split is None:
        if same:
            raise SplitError(f"{store.path} is the store that this estimator was fitted to; give its split")
        return np.arange(len(store))
    if not same:
        raise SplitError(
            f"{store.path} is not the store that this estimator was fitted to; leave the split out, and all "
            "of its clips are estimated"
        )
    found = Split.load(split, store)
    if found.hash != data["split_hash"]:
        known = data["split_hash"][:12] or "none: it was fitted to every trial"
        raise SplitError(
            f"{split} (hash {found.hash[:12]}) is not the split that this estimator was fitted with "
            f"({known}); its training clips may be among the test clips"
        )
    return found.indices(store, data["fold"])[1]

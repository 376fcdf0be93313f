"""What a trial is: one grasp, press or look, as named streams at named phases."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError

PHASES = ("before", "during", "lift", "after")
"""In the order of time: no contact yet; fingers closed and still; the first millimetres of lifting;
some seconds after the lift."""

OUTCOME_PHASES = ("after",)
"""Phases that show the outcome. A model may look at them only when its task is labelling."""

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
TABLE_GROUPS = ("outcome", "action", "pose", "hidden", "column")

_STREAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recording, checked when it is made.

    `streams` maps stream → phase → array: images uint8 [H, W, C] (RGB), clips uint8 [T, H, W, C], depth
    float32 or uint16 [H, W], audio int16 [samples, channels]. `name` is unique in its dataset. `hidden` is a
    simulator's truth (friction, mass …), kept apart so that it is never an input. `columns` holds
    anything else worth keeping, text or number. Raises `DataError` when a part is not what it must be.
    """

    name: str
    streams: Mapping[str, Mapping[str, npt.NDArray[Any]]]
    object: str
    session: str = ""
    sensor: str = ""
    outcomes: Mapping[str, float] = field(default_factory=dict)
    action: Mapping[str, float] = field(default_factory=dict)
    pose: Mapping[str, float] = field(default_factory=dict)
    hidden: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no store can hold and no model should see."""
        check_text(self.name, "a trial's name", empty=False)
        where = f"trial {self.name!r}"
        check_text(self.object, f"{where}: object", empty=False)
        check_text(self.session, f"{where}: session")
        check_text(self.sensor, f"{where}: sensor")
        if not self.streams:
            raise DataError(f"{where} has no streams; expected at least one, such as tactile_left")
        for stream, phases in self.streams.items():
            if not _STREAM.fullmatch(stream) or stream == "table":
                raise DataError(
                    f"{where}: stream name {stream!r}; expected letters, digits and _, and not 'table'"
                )
            if not phases:
                raise DataError(f"{where}: stream {stream} has no phase; expected one of {', '.join(PHASES)}")
            for phase, array in phases.items():
                _check_array(array, phase, f"{where}: {stream}/{phase}")
        for group, values in self.table().items():
            for key, value in values.items():
                _check_value(group, key, value, where)

    def table(self) -> dict[str, Mapping[str, str | float]]:
        """The trial's row: table group (outcome, action, pose, hidden, column) → key → value."""
        rows = (self.outcomes, self.action, self.pose, self.hidden, self.columns)
        return dict(zip(TABLE_GROUPS, rows, strict=True))


def check_text(value: object, what: str, *, empty: bool = True) -> None:
    """Raise `DataError` unless `value` is one printable line of text of at most 500 characters."""
    if not isinstance(value, str):
        raise DataError(f"{what} is a {type(value).__name__}, expected text")
    if not value and not empty:
        raise DataError(f"{what} is empty; give it one")
    if len(value) > _LONGEST_TEXT or not value.isprintable():
        raise DataError(f"{what} is {value[:60]!r}; expected at most {_LONGEST_TEXT} printable letters")


def check_phase(phase: str, where: str) -> None:
    """Raise `DataError` unless `phase` is one of the four."""
    if phase not in PHASES:
        raise DataError(f"{where}: unknown phase {phase!r}; expected one of {', '.join(PHASES)}")


def _check_array(array: object, phase: str, where: str) -> None:
    check_phase(phase, where)
    if not isinstance(array, np.ndarray):
        raise DataError(f"{where} is a {type(array).__name__}, expected a NumPy array")
    if array.dtype not in DTYPES:
        known = ", ".join(map(str, DTYPES))
        raise DataError(f"{where} has dtype {array.dtype}, expected one of {known}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{where} is empty (shape {array.shape})")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinity; mark what is missing with 0")


def _check_value(group: str, key: object, value: object, where: str) -> None:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise DataError(f"{where}: {group} key {key!r}; expected letters, digits and . _ -")
    if group == "column" and isinstance(value, str):
        check_text(value, f"{where}: column {key}")
    elif not isinstance(value, int | float | np.number | np.bool_) or not math.isfinite(value):
        raise DataError(f"{where}: {group} {key} is {value!r}, expected a finite number")

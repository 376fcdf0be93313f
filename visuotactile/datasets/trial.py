"""The trial: one grasp, press or view, with its streams at each phase, its action and outcomes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from visuotactile.errors import DataError

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
TEXT_COLUMNS = ("name", "object", "session", "sensor")
GROUPS = ("outcome", "action", "hidden", "column")
"""Groups of the table, beside a group for each vector."""

STREAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One recording, validated on construction.

    Attributes:
        name: unique in its dataset.
        streams: stream → phase → array: images uint8 [H, W, 3] (RGB), clips uint8 [T, H, W, 3], depth uint16
            [H, W] in 0.1 mm, other maps float32 [H, W], sound int16 [samples, channels].
        object: name of the touched object.
        session: name of the session, such as one day at one robot, or "".
        sensor: names of the sensors, or "".
        outcomes: name → 1 or 0, a measurement, or a class in words.
        action: dimension → number.
        vectors: vector → entry → number, observed beside the streams: `pose` (of the wrist), `force`,
            `joints` …
        hidden: a simulator's truth (friction, mass …), which is never an input.
        columns: further columns, text or number.
        gaps: a number may be NaN, and an outcome in words empty, where the trial has none.

    Raises:
        DataError: a field has a wrong name, type, shape or value.
    """

    name: str
    streams: Mapping[str, Mapping[str, npt.NDArray[Any]]]
    object: str
    session: str = ""
    sensor: str = ""
    outcomes: Mapping[str, float | str] = field(default_factory=dict)
    action: Mapping[str, float] = field(default_factory=dict)
    vectors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    hidden: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)
    gaps: bool = False

    def __post_init__(self) -> None:
        """Validate every field."""
        check_text(self.name, "a trial's name", empty=False)
        where = f"trial {self.name!r}"
        check_text(self.object, f"{where}: object", empty=False)
        check_text(self.session, f"{where}: session")
        check_text(self.sensor, f"{where}: sensor")
        if not self.streams:
            raise DataError(f"{where} has no streams; expected at least one, such as tactile_left")
        for stream, phases in self.streams.items():
            if not STREAM.fullmatch(stream) or stream == "table":
                raise DataError(
                    f"{where}: stream name {stream!r}; expected letters, digits and _, and not 'table'"
                )
            if not phases:
                raise DataError(
                    f"{where}: stream {stream} has no phase; expected at least one, such as during"
                )
            for phase, array in phases.items():
                if not STREAM.fullmatch(phase):
                    raise DataError(f"{where}: phase {phase!r} of {stream}; expected letters, digits and _")
                _check_array(array, f"{where}: {stream}/{phase}")
        for vector in self.vectors:
            if not STREAM.fullmatch(vector) or vector in (*GROUPS, *TEXT_COLUMNS):
                raise DataError(
                    f"{where}: vector name {vector!r}; expected letters, digits and _, and none of "
                    f"{', '.join((*GROUPS, *TEXT_COLUMNS))}"
                )
        for group, values in self.table().items():
            for key, value in values.items():
                _check_value(group, key, value, where, self.gaps)

    def table(self) -> dict[str, Mapping[str, str | float]]:
        """The trial's row: table group (outcome, action, each vector, hidden, column) → key → value."""
        return {
            "outcome": self.outcomes,
            "action": self.action,
            **self.vectors,
            "hidden": self.hidden,
            "column": self.columns,
        }


def check_text(value: object, what: str, *, empty: bool = True) -> None:
    """Raise `DataError` unless `value` is one printable line of text of at most 500 characters."""
    if not isinstance(value, str):
        raise DataError(f"{what} is a {type(value).__name__}, expected text")
    if not value and not empty:
        raise DataError(f"{what} is empty; give it one")
    if len(value) > _LONGEST_TEXT or not value.isprintable():
        raise DataError(f"{what} is {value[:60]!r}; expected at most {_LONGEST_TEXT} printable letters")


def _check_array(array: object, where: str) -> None:
    if not isinstance(array, np.ndarray):
        raise DataError(f"{where} is a {type(array).__name__}, expected a NumPy array")
    if array.dtype not in DTYPES:
        known = ", ".join(map(str, DTYPES))
        raise DataError(f"{where} has dtype {array.dtype}, expected one of {known}")
    if array.ndim == 0 or array.size == 0:
        raise DataError(f"{where} is empty (shape {array.shape})")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinity; mark what is missing with 0")


def _check_value(group: str, key: object, value: object, where: str, gaps: bool) -> None:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise DataError(f"{where}: {group} key {key!r}; expected letters, digits and . _ -")
    if group in ("outcome", "column") and isinstance(value, str):
        check_text(value, f"{where}: {group} {key}", empty=gaps or group == "column")
        return
    number = isinstance(value, int | float | np.number | np.bool_)
    if not number or not (math.isfinite(value) or (gaps and math.isnan(value))):  # type: ignore[arg-type]
        raise DataError(f"{where}: {group} {key} is {value!r}, expected a finite number")

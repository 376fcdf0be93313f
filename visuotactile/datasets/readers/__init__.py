"""Readers: one class per dataset, found by the dataset's name and imported on demand."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from visuotactile.datasets.embodiment import Embodiment
from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError

READERS: Mapping[str, str] = {
    "calandra2017": "calandra:Calandra",
    "calandra2017-raw": "calandra_raw:CalandraRaw",
    "folder": "folder:Folder",
    "gentle-grasping": "gentle_grasping:GentleGrasping",
    "incipient-slip": "incipient_slip:IncipientSlip",
    "shapes": "shapes:Shapes",
}
"""Dataset name → module and class."""


class Reader(Protocol):
    """Reader of a dataset: names of its trials in a fixed order, and the trials one at a time.

    A reader is made as `Reader(source, **options)`, can be pickled, and reads pixels only in `trial`.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    settings: Mapping[str, Any]
    """Resolved options that determine the trials, as JSON values."""
    names: tuple[str, ...]

    @property
    def embodiment(self) -> Embodiment | None:
        """Embodiment of the robot or rig that recorded the trials, or None if unknown."""
        ...

    def __init__(self, source: Any, **options: Any) -> None:
        """List the recordings under `source`; raises `DataError` if it is not this dataset."""

    def __len__(self) -> int:
        """Number of trials."""
        ...

    def trial(self, i: int) -> Trial:
        """Read trial `i`, whose name is `names[i]`; raises `DataError` naming the file at fault."""
        ...


def reader_class(name: str) -> type[Reader]:
    """The reader class of a dataset; raises `DataError` for an unknown name."""
    if name not in READERS:
        close = difflib.get_close_matches(name, READERS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise DataError(f"there is no reader for {name!r}{hint} Known: {', '.join(READERS)}")
    module, _, attribute = READERS[name].partition(":")
    found: type[Reader] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return found


def open_reader(
    name: str, source: str | os.PathLike[str] | None, options: Mapping[str, Any] | None = None
) -> Reader:
    """Make the reader `name` over `source`; raises `DataError` for an unknown option."""
    reader = reader_class(name)
    known = [option for option in inspect.signature(reader).parameters if option != "source"]
    for option in options or {}:
        if option not in known:
            raise DataError(f"reader {name} has no option {option!r}; it has {', '.join(known) or 'none'}")
    return reader(source, **(options or {}))
